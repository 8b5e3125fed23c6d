"""One attempt: what a real process does, told as a result."""

from __future__ import annotations

import asyncio
import json

import pytest

from aurora_spawner import (
    Event,
    FailureType,
    OutputLine,
    Policy,
    ProviderLimited,
    SpawnResult,
    SpawnTask,
    Warned,
    get_early_detection_monitor,
    spawn,
)

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


def program(script: str, *args: str, **fields: object) -> SpawnTask:
    return SpawnTask("", agent="worker", command=("sh", "-c", script, "sh", *args), **fields)


def says(**event: object) -> str:
    """A line of JSON, as a shell command that prints it."""
    return f"printf '%s\\n' '{json.dumps(event)}'"


class TestExit:
    @pytest.mark.parametrize(
        ("script", "error"),
        [
            ("exit 3", "exit 3"),
            ("echo first >&2; echo 'what was wrong' >&2; exit 3", "exit 3: what was wrong"),
        ],
    )
    async def test_an_exit_code_is_a_failure(self, script: str, error: str) -> None:
        """A program fails by its exit code; the error shows the last line of its errors."""
        result = await spawn(program(script))
        assert (result.success, result.exit_code, result.error) == (False, 3, error)
        assert result.failure_type is FailureType.CRASH

    async def test_a_programs_words_are_about_its_work(self) -> None:
        """What a program prints about 401 or rate limits does not make its failure one."""
        result = await spawn(program("echo 'test_auth: 401, rate limit' >&2; exit 1"))
        assert result.failure_type is FailureType.CRASH

    async def test_the_shells_not_found(self) -> None:
        """A shell's exit code 127 is `not_found`."""
        result = await spawn(program("no-such-program"))
        assert (result.exit_code, result.failure_type) == (127, FailureType.NOT_FOUND)

    async def test_a_program_may_say_nothing(self) -> None:
        """A program that exits with 0 and says nothing has succeeded."""
        assert (await spawn(program(":"))).success

    @pytest.mark.parametrize(("name", "number"), [("SEGV", 11), ("KILL", 9)])
    async def test_f17_a_signal_is_named(self, name: str, number: int) -> None:
        """F17: the failure names the signal that the process died by."""
        result = await spawn(program(f"ulimit -c 0; echo before; kill -{name} $$"))
        assert (result.exit_code, result.error) == (-number, f"killed by SIG{name}")
        assert (result.output, result.failure_type) == ("before\n", FailureType.CRASH)


class TestOutput:
    async def test_it_is_bounded_by_the_policy(self) -> None:
        """F4: output and errors are kept within the policy's bounds, and the rest is counted."""
        policy = Policy("small", output_bytes=400, stderr_bytes=40)
        result = await spawn(
            program("head -c 10000 /dev/zero; head -c 10000 /dev/zero >&2", policy=policy)
        )
        assert result.success
        assert result.dropped_bytes == 20_000 - 440
        assert "9600 bytes left out" in result.output
        assert "9960 bytes left out" in result.stderr

    async def test_f5_a_long_line_is_one_event(self) -> None:
        """F5: a line of 300 kB is told whole."""
        events: list[Event] = []
        await spawn(program("head -c 300000 /dev/zero | tr '\\0' x"), on_event=events.append)
        assert events == [OutputLine("stdout", "x" * 300_000)]

    async def test_f7_invalid_utf8(self) -> None:
        """F7: what is no UTF-8 is shown with U+FFFD."""
        result = await spawn(program("printf 'a\\377b'"))
        assert result.output == "a\N{REPLACEMENT CHARACTER}b"


class TestEarlyEnds:
    async def test_f18_timeout(self) -> None:
        """F18: a task's own timeout ends it; the result keeps the partial output and says why,
        and the monitor has noticed."""
        loop = asyncio.get_running_loop()
        result = await spawn(
            program("echo partial; exec sleep 1000", timeout=100),
            on_event=lambda event: loop.skip(100),
        )
        assert (result.success, result.output) == (False, "partial\n")
        assert result.termination_reason == result.error == "Timeout after 100s"
        assert result.failure_type is FailureType.TIMEOUT
        assert result.execution_time >= result.detection_time >= 100
        (noticed,) = get_early_detection_monitor().noticed
        assert (noticed.agent_id, noticed.detection.reason) == ("worker", "Timeout after 100s")
        assert noticed.after == result.detection_time

    async def test_our_kill_wins_over_the_exit_code(self, gun) -> None:
        """A process that exits with 0 because we ended it has failed."""
        loop = asyncio.get_running_loop()
        script = "trap 'exit 0' TERM; echo up; read forever <$1"
        result = await spawn(
            program(script, gun.path, timeout=100), on_event=lambda event: loop.skip(100)
        )
        assert (result.exit_code, result.success) == (0, False)
        assert result.failure_type is FailureType.TIMEOUT

    async def test_a_program_may_be_silent(self) -> None:
        """The idle limit does not apply to a tool that does not stream its work: its only bound
        is its timeout, from the start."""
        loop = asyncio.get_running_loop()
        result = await spawn(
            program("echo up; exec sleep 1000", timeout=250),
            on_event=lambda event: loop.skip(249.9),
            policy="default",
        )
        assert result.termination_reason == "Timeout after 250s"

    async def test_f19_a_stalled_stream(self, fake_path, gun) -> None:
        """F19: a streaming CLI that falls silent is ended, and the reason names the silence."""
        line = says(type="message", role="assistant", content="working")
        fake_path.script("gemini", f"{line}\nread forever <{gun.path}")
        loop = asyncio.get_running_loop()
        result = await spawn(
            SpawnTask("q", tool="gemini"),
            on_event=lambda event: loop.skip(30) if loop.skipped == 0 else None,
        )
        assert result.termination_reason == "Early detection: no output for 30s"
        assert result.failure_type is FailureType.TIMEOUT
        assert result.output == "working"

    async def test_f13_a_terminal_pattern_stops_at_once(self, fake_path, gun) -> None:
        """F13: an error that the CLI cannot recover from ends it, without waiting for it."""
        fake_path.script("claude", f"echo 'Invalid API key' >&2\nread forever <{gun.path}")
        result = await spawn(SpawnTask("q", agent="reviewer", tool="claude"))
        assert result.error == "Early detection: authentication error pattern detected"
        assert result.failure_type is FailureType.AUTH
        assert len(get_early_detection_monitor().noticed) == 1

    async def test_f13_an_error_that_it_may_recover_from(self, fake_path) -> None:
        """F13: a retry on standard error for another cause than a limit only warns; exit and
        answer decide."""
        fake_path.script(
            "gemini",
            "echo 'Attempt 1 failed with status 503. Retrying' >&2\n"
            + says(type="message", role="assistant", content="fine")
            + "\n"
            + says(type="result", status="success"),
        )
        events: list[Event] = []
        result = await spawn(SpawnTask("q", tool="gemini"), on_event=events.append)
        assert (result.success, result.output) == (True, "fine")
        assert result.warnings == ("gemini retries 1/10: status 503",)
        assert Warned("gemini retries 1/10: status 503") in events
        assert get_early_detection_monitor().noticed == ()

    async def test_a_silence_may_only_warn(self, fake_path, gun) -> None:
        """Under `production` a silence is told and not ended."""
        line = says(type="message", role="assistant", content="answer")
        done = says(type="result", status="success")
        fake_path.script("gemini", f"{line}\nread go <{gun.path}\n{done}")
        loop = asyncio.get_running_loop()

        def on_event(event: Event) -> None:
            if isinstance(event, Warned):
                gun.fire()
            else:
                loop.skip(60)

        result = await spawn(SpawnTask("q", tool="gemini", policy="production"), on_event=on_event)
        assert (result.success, result.warnings) == (True, ("no output for 60s",))


def retries(wait: float = 511.8) -> str:
    """Claude retries a 429 after `wait` milliseconds."""
    return says(
        type="system",
        subtype="api_retry",
        attempt=1,
        max_retries=10,
        retry_delay_ms=wait,
        error_status=429,
        error="rate_limit",
    )


BEGINS = says(type="system", subtype="init", session_id="s1")
WORKS = says(type="assistant", message={"content": [{"type": "tool_use"}]})
LIMITED = "claude retries 1/10: rate_limit"


class TestLimits:
    """A provider's limit, told by claude while it retries by itself."""

    async def test_before_any_work_it_ends_at_once(self, fake_path, gun) -> None:
        """An agent that has done nothing is ended at the first notice of a limit: told with what
        the provider asks for, and without a session, since there is nothing to go on with."""
        fake_path.script("claude", f"{BEGINS}\n{retries(7000)}\nread forever <{gun.path}")
        events: list[Event] = []
        result = await spawn(SpawnTask("q", tool="claude"), on_event=events.append)
        assert (result.success, result.error) == (False, f"Early detection: {LIMITED}")
        assert (result.failure_type, result.retry_after) == (FailureType.RATE_LIMIT, 7.0)
        assert (result.session_id, result.output) == (None, "")
        assert events == [ProviderLimited("claude", 7.0, False, LIMITED)]
        (noticed,) = get_early_detection_monitor().noticed
        assert noticed.detection.reason == result.termination_reason == result.error

    async def test_work_is_not_thrown_away(self, fake_path) -> None:
        """An agent that has worked goes on with its CLI's own retries, and may succeed."""
        done = says(type="result", is_error=False, result="fine", session_id="s1")
        script = (BEGINS, WORKS, retries(), retries(), done)
        fake_path.script("claude", "\n".join(script))
        events: list[Event] = []
        result = await spawn(SpawnTask("q", tool="claude"), on_event=events.append)
        assert (result.success, result.output, result.session_id) == (True, "fine", "s1")
        assert result.warnings == (LIMITED, LIMITED)
        limits = [event for event in events if isinstance(event, ProviderLimited)]
        assert limits == [ProviderLimited("claude", None, True, LIMITED)]

    async def test_it_ends_on_the_limit_all_the_same(self, fake_path) -> None:
        """An agent that has worked and fails of the limit tells the session to go on with."""
        failed = says(type="result", is_error=True, result="rejected", api_error_status=429)
        fake_path.script("claude", "\n".join((BEGINS, WORKS, retries(), failed)))
        result = await spawn(SpawnTask("q", tool="claude"))
        assert (result.success, result.failure_type) == (False, FailureType.RATE_LIMIT)
        assert result.session_id == "s1"

    async def test_a_session_that_went_on_stays_known(self, fake_path, gun) -> None:
        """An attempt that was to go on with a session and meets the limit first thing loses
        nothing: the same session can be gone on with."""
        fake_path.script("claude", f"{BEGINS}\n{retries()}\nread forever <{gun.path}")
        result = await spawn(SpawnTask("q", tool="claude", session_id="s1"))
        assert (result.failure_type, result.session_id) == (FailureType.RATE_LIMIT, "s1")

    async def test_a_limit_without_notice(self, fake_path) -> None:
        """A limit that shows only in the failure is told too."""
        failed = {"type": "turn.failed", "error": {"message": "429 Too Many Requests, rate limit"}}
        fake_path.cli("codex", json.dumps(failed), exit_code=1)
        events: list[Event] = []
        result = await spawn(SpawnTask("q", tool="codex"), on_event=events.append)
        assert events == [ProviderLimited("codex", None, False, result.error)]

    async def test_no_retries_inside(self, fake_path, gun) -> None:
        """Where the policy wants no retries inside the tool, its first one ends it, whatever it
        is for and whatever was done."""
        script = f"{BEGINS}\n{WORKS}\n{retries()}\nread forever <{gun.path}"
        fake_path.script("claude", script)
        policy = Policy("strict", inner_retries=False)
        result = await spawn(SpawnTask("q", tool="claude", policy=policy))
        assert (result.error, result.session_id) == (f"Early detection: {LIMITED}", "s1")

    async def test_a_programs_words_are_no_notice(self) -> None:
        """A program that prints the same words is about its work."""
        events: list[Event] = []
        result = await spawn(program(retries()), on_event=events.append)
        assert result.success
        assert not any(isinstance(event, ProviderLimited) for event in events)


class TestAnswers:
    async def test_f12_an_answer_about_errors(self, fake_path) -> None:
        """F12: an answer that quotes error messages is an answer."""
        text = "Invalid API key, 429 Too Many Requests, rate limit: here is what they mean."
        fake_path.cli("claude", json.dumps({"type": "result", "is_error": False, "result": text}))
        result = await spawn(SpawnTask("q", tool="claude"))
        assert (result.success, result.output, result.warnings) == (True, text, ())

    @pytest.mark.parametrize("answer", ["", " \n"])
    async def test_f14_an_empty_answer(self, fake_path, answer: str) -> None:
        """F14: an LLM that exits with 0 and answers nothing has failed, unless the policy allows
        it."""
        fake_path.cli("claude", json.dumps({"type": "result", "result": answer}))
        task = SpawnTask("q", tool="claude")
        result = await spawn(task)
        assert (result.success, result.error) == (False, "claude answered nothing")
        assert result.failure_type is FailureType.INFERENCE
        assert (await spawn(task, policy=Policy("lax", allow_empty_output=True))).success

    async def test_f33_a_missing_cli_says_how_to_get_it(self, fake_path) -> None:
        """F33: a CLI that is not installed is `not_found`, with its name and how to install it."""
        result = await spawn(SpawnTask("q", tool="codex"))
        assert (result.success, result.exit_code, result.tool) == (False, -1, "codex")
        assert result.failure_type is FailureType.NOT_FOUND
        assert "codex not found" in result.error
        assert "npm install -g @openai/codex" in result.error

    async def test_f33_five_distinct_results(self, tmp_path) -> None:
        """F33: the five ways a program cannot be started are five errors, none worth a retry."""
        (tmp_path / "plain").write_text("#!/bin/sh\n")
        for name, text in (("odd", "#!/no/such/interpreter\n"), ("binary", "\x7fNOPE")):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        names = ("none", "plain", "odd", "binary")
        tasks = [SpawnTask("", command=(str(tmp_path / name),)) for name in names]
        tasks.append(SpawnTask("", command=("true",), cwd=str(tmp_path / "missing")))
        results = [await spawn(task) for task in tasks]
        assert len({result.error for result in results}) == 5
        assert {(result.success, result.exit_code) for result in results} == {(False, -1)}
        assert all(str(tmp_path) in result.error for result in results)
        assert {result.failure_type for result in results} == {FailureType.NOT_FOUND}


async def test_many_results_are_independent() -> None:
    """Attempts that run side by side share nothing."""
    results: list[SpawnResult] = await asyncio.gather(
        *(spawn(program(f"echo {n}; echo e{n} >&2; exit {n}")) for n in range(6))
    )
    assert [(r.output, r.stderr, r.exit_code) for r in results] == [
        (f"{n}\n", f"e{n}\n", n) for n in range(6)
    ]
