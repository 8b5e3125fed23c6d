"""The face: which tool answers, what it is given, and many tasks at once."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from aurora_spawner import (
    AGENT_CLIS,
    PRESETS,
    Event,
    FailureType,
    InvalidTaskError,
    OutputLine,
    Policy,
    RecoverableTask,
    RetryPolicy,
    SpawnResult,
    SpawnTask,
    UnknownToolError,
    spawn,
    spawn_parallel,
    spawn_sequential,
    spawn_with_retry_and_fallback,
)
from aurora_spawner.models import SpawnRequest
from aurora_spawner.testing import run_virtual

real = pytest.mark.asyncio(loop_factories=["real"])

OK = SpawnResult(success=True, output="answer", error=None, exit_code=0)


class Recorder:
    """A runner that runs nothing and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[SpawnRequest] = []

    async def run(self, request: SpawnRequest, on_event: object) -> SpawnResult:
        self.requests.append(request)
        return OK


def request_of(task: SpawnTask, **kwargs: Any) -> SpawnRequest:
    """What `spawn` asks its runner for."""
    recorder = Recorder()
    assert run_virtual(spawn(task, runner=recorder, **kwargs)) is OK
    (request,) = recorder.requests
    return request


class TestTool:
    def test_the_order(self, fake_path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The tool is the keyword's, the task's, `command`, the variable's, the configuration's,
        the first CLI on PATH: the first of these that is there."""
        fake_path.script("opencode", "")
        monkeypatch.setenv("AURORA_SPAWN_TOOL", "gemini")
        config = {"spawner": {"tool": "extract"}}
        full = SpawnTask("q", tool="codex", command=("true",))
        assert request_of(full, tool="claude", config=config).tool == "claude"
        assert request_of(full, config=config).tool == "codex"
        bare = SpawnTask("q")
        assert request_of(SpawnTask("q", command=("true",)), config=config).tool == "command"
        assert request_of(bare, config=config).tool == "gemini"
        monkeypatch.delenv("AURORA_SPAWN_TOOL")
        assert request_of(bare, config=config).tool == "extract"
        for config in (None, {}, {"spawner": {}}, {"spawner": None}, {"other": 1}):
            assert request_of(bare, config=config).tool == "opencode"

    def test_the_first_cli_on_path(self, fake_path) -> None:
        """Of several agent CLIs on PATH the first of the documented order answers."""
        assert AGENT_CLIS == ("claude", "codex", "gemini", "opencode", "llm")
        for name in reversed(AGENT_CLIS):
            fake_path.script(name, "")
            assert request_of(SpawnTask("q")).tool == name

    def test_an_empty_variable_is_none(self, fake_path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A variable that is set to nothing decides nothing."""
        fake_path.script("codex", "")
        monkeypatch.setenv("AURORA_SPAWN_TOOL", "")
        assert request_of(SpawnTask("q")).tool == "codex"

    def test_without_any_tool(self, fake_path) -> None:
        """Without any tool the call fails with `not_found`, saying what was looked for and how
        to try without a model; `extract` is never chosen by itself."""
        recorder = Recorder()
        result = run_virtual(spawn(SpawnTask("q"), runner=recorder))
        assert recorder.requests == []
        assert (result.success, result.exit_code) == (False, -1)
        assert result.failure_type is FailureType.NOT_FOUND
        for word in (*AGENT_CLIS, "PATH", "--tool extract", "AURORA_SPAWN_TOOL"):
            assert word in result.error

    def test_without_any_tool_a_fallback_fails_too(self, fake_path) -> None:
        """A fallback without a tool is `not_found` as well, after a single attempt."""
        result = run_virtual(spawn_with_retry_and_fallback(SpawnTask("q", agent="reviewer")))
        assert (result.success, result.retry_count) == (False, 0)
        assert result.failure_type is FailureType.NOT_FOUND
        assert result.error.count("no agent CLI found") == 2

    def test_an_unknown_tool_is_misuse(self, fake_path) -> None:
        """A tool that nobody registered is an error that names the ones there are."""
        with pytest.raises(UnknownToolError, match=r"hal.*claude.*command.*extract"):
            run_virtual(spawn(SpawnTask("q"), tool="hal"))


class TestModel:
    def test_the_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The model is the keyword's, the task's, the variable's, the configuration's, or none."""
        monkeypatch.setenv("AURORA_SPAWN_MODEL", "third")
        config = {"spawner": {"tool": "claude", "model": "fourth"}}
        assert request_of(SpawnTask("q", model="second"), model="first", config=config).model == (
            "first"
        )
        assert request_of(SpawnTask("q", model="second"), config=config).model == "second"
        assert request_of(SpawnTask("q"), config=config).model == "third"
        monkeypatch.delenv("AURORA_SPAWN_MODEL")
        assert request_of(SpawnTask("q"), config=config).model == "fourth"
        assert request_of(SpawnTask("q"), tool="claude").model is None


class TestRequest:
    def test_the_persona_stands_before_the_prompt(self) -> None:
        """A persona is put before the prompt; without one the prompt is alone."""
        assert request_of(SpawnTask("q", persona="You are P.", tool="extract")).prompt == (
            "You are P.\n\nq"
        )
        assert request_of(SpawnTask("q", tool="extract")).prompt == "q"

    def test_keywords_win_over_the_task(self) -> None:
        """`policy` and `cwd` given to `spawn` win over the task's own."""
        task = SpawnTask("q", tool="extract", policy="patient", cwd="/one")
        assert request_of(task).policy == PRESETS["patient"]
        assert request_of(task).cwd == "/one"
        request = request_of(task, policy="fast_fail", cwd="/two")
        assert (request.policy, request.cwd) == (PRESETS["fast_fail"], "/two")

    def test_the_tasks_timeout_is_obeyed(self) -> None:
        """Without a chosen preset a task's own timeout is the bound, also above the default's."""
        request = request_of(SpawnTask("q", tool="extract", timeout=1000))
        assert (request.timeout, request.policy.max_timeout) == (1000, 1000)

    def test_a_chosen_preset_bounds_too(self) -> None:
        """A preset that somebody chose keeps its own bounds."""
        request = request_of(SpawnTask("q", tool="extract", timeout=1000), policy="default")
        assert (request.timeout, request.policy.max_timeout) == (1000, 300)

    def test_it_is_plain_data(self) -> None:
        """What a runner gets holds nothing of a recoverable task's machinery."""

        async def unused(task: SpawnTask) -> SpawnResult:
            raise AssertionError

        request = request_of(RecoverableTask(prompt="q", tool="extract", spawn=unused))
        assert not {f.name for f in dataclasses.fields(request)} & {"spawn", "gate", "on_event"}

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
    def test_f37_misuse(self, timeout: float) -> None:
        """F37: a task that cannot be run is refused before a runner is asked."""
        recorder = Recorder()
        with pytest.raises(InvalidTaskError):
            run_virtual(spawn(SpawnTask("q", timeout=timeout), tool="extract", runner=recorder))
        with pytest.raises(InvalidTaskError):
            run_virtual(spawn(SpawnTask("q"), tool="extract", policy="hasty", runner=recorder))
        assert recorder.requests == []


class Calls:
    """Stands in for `spawn`: takes a second, and fails or raises where the prompt says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[SpawnTask, dict[str, Any]]] = []

    async def __call__(self, task: SpawnTask, **kwargs: Any) -> SpawnResult:
        self.calls.append((task, kwargs))
        await asyncio.sleep(1)
        if "raise" in task.prompt:
            raise RuntimeError(task.prompt)
        if "fail" in task.prompt:
            return SpawnResult(False, "", task.prompt, 1)
        return dataclasses.replace(OK, output=task.prompt, execution_time=1.0)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    monkeypatch.setattr("aurora_spawner.spawner.spawn", calls)
    return calls


def tasks(*prompts: str) -> list[SpawnTask]:
    return [SpawnTask(prompt, agent=f"agent of {prompt}") for prompt in prompts]


class TestParallel:
    def test_spawn_gets_task_and_keywords_as_they_are(self, calls: Calls) -> None:
        """`spawn` is looked up when called, with each task and the keywords, nothing added."""
        given = tasks("a", "b")
        run_virtual(spawn_parallel(given, tool="codex", model="m"))
        assert [task for task, _ in calls.calls] == given
        assert all(task is own for (task, _), own in zip(calls.calls, given, strict=True))
        assert [kwargs for _, kwargs in calls.calls] == [{"tool": "codex", "model": "m"}] * 2

    def test_any_iterable(self, calls: Calls) -> None:
        """A list, a tuple, a generator: results come in the order of the tasks."""
        for given in (tasks("a", "b"), tuple(tasks("a", "b")), iter(tasks("a", "b"))):
            results = run_virtual(spawn_parallel(given))
            assert [result.output for result in results] == ["a", "b"]
        assert run_virtual(spawn_parallel([])) == []

    def test_failures_and_exceptions_are_results(self, calls: Calls) -> None:
        """What one task does wrong is its own result; the others go on."""
        results = run_virtual(spawn_parallel(tasks("a", "fail", "raise", "b")))
        assert [result.success for result in results] == [True, False, False, True]
        assert (results[2].error, results[2].exit_code) == ("raise", -1)
        assert results[2].failure_type is FailureType.CRASH

    def test_progress(self, calls: Calls) -> None:
        """Progress tells index from 1, total, agent and status of every start and end."""
        heard: list[tuple[int, int, str, str]] = []
        given = [*tasks("a", "fail"), SpawnTask("b")]
        run_virtual(spawn_parallel(given, 1, lambda *args: heard.append(args)))
        assert heard == [
            (1, 3, "agent of a", "Starting"),
            (1, 3, "agent of a", "Completed (1.0s)"),
            (2, 3, "agent of fail", "Starting"),
            (2, 3, "agent of fail", "Failed: fail"),
            (3, 3, "llm", "Starting"),
            (3, 3, "llm", "Completed (1.0s)"),
        ]

    def test_f39_progress_that_raises(self, calls: Calls, caplog: pytest.LogCaptureFixture) -> None:
        """F39: a broken progress callback is logged once, and the run goes on."""

        def broken(*args: object) -> None:
            raise RuntimeError("progress")

        results = run_virtual(spawn_parallel(tasks("a", "b", "c"), on_progress=broken))
        assert [result.output for result in results] == ["a", "b", "c"]
        assert len(caplog.records) == 1

    @pytest.mark.parametrize("limit", [0, -1, -5])
    def test_f37_limit(self, calls: Calls, limit: int) -> None:
        """F37: a limit below one is a ValueError, also for nothing to do, and nothing starts."""
        for given in (tasks("a"), []):
            with pytest.raises(ValueError, match="max_concurrent"):
                run_virtual(spawn_parallel(given, max_concurrent=limit))
        assert calls.calls == []

    def test_f37_one_bad_task_of_a_list(self, calls: Calls) -> None:
        """F37: a task of a list that cannot be run is refused before any of them starts."""
        with pytest.raises(ValueError, match="timeout"):
            run_virtual(spawn_parallel([*tasks("a", "b"), SpawnTask("c", timeout=0)]))
        assert calls.calls == []

    def test_f38_a_thousand(self, calls: Calls) -> None:
        """F38: a thousand tasks at a limit of fifty take twenty rounds, in input order."""
        prompts = [str(number) for number in range(1000)]

        async def main() -> float:
            results = await spawn_parallel(tasks(*prompts), max_concurrent=50)
            assert [result.output for result in results] == prompts
            return asyncio.get_running_loop().time()

        assert run_virtual(main()) == pytest.approx(20)

    def test_an_endless_input_is_drawn_by_need(self, calls: Calls) -> None:
        """Of an endless input only what has a slot is drawn."""
        drawn = 0

        def endless() -> Iterator[SpawnTask]:
            nonlocal drawn
            while True:
                drawn += 1
                yield SpawnTask("a")

        async def main() -> None:
            async with asyncio.timeout(10.5):
                await spawn_parallel(endless(), max_concurrent=4)

        with pytest.raises(TimeoutError):
            run_virtual(main())
        assert drawn == 44


class TestSequential:
    def test_one_after_the_other(self, calls: Calls) -> None:
        """Tasks run one at a time, in order, with the keywords as they are."""

        async def main() -> float:
            results = await spawn_sequential(tasks("a", "fail", "raise", "b"), tool="codex")
            assert [result.success for result in results] == [True, False, False, True]
            return asyncio.get_running_loop().time()

        assert run_virtual(main()) == pytest.approx(4)
        assert [kwargs for _, kwargs in calls.calls] == [{"tool": "codex"}] * 4

    def test_stop_on_failure(self, calls: Calls) -> None:
        """If asked to, it starts nothing after a failure; the list ends with that result."""
        results = run_virtual(spawn_sequential(tasks("a", "fail", "b"), stop_on_failure=True))
        assert [result.output or result.error for result in results] == ["a", "fail"]
        assert len(calls.calls) == 2

    def test_progress(self, calls: Calls) -> None:
        """Progress is told as for parallel tasks."""
        heard: list[tuple[int, int, str, str]] = []
        run_virtual(spawn_sequential(tasks("a"), lambda *args: heard.append(args)))
        assert heard == [
            (1, 1, "agent of a", "Starting"),
            (1, 1, "agent of a", "Completed (1.0s)"),
        ]

    def test_nothing(self, calls: Calls) -> None:
        """F43: no tasks, no results."""
        assert run_virtual(spawn_sequential([])) == []


class TestWithRealProcesses:
    @real
    async def test_a_program_as_an_agent(self, tmp_path) -> None:
        """A task with a command runs it with the prompt on its input, in its folder, with its
        variables beside the inherited ones."""
        task = SpawnTask(
            "hello",
            agent="shouter",
            command=("sh", "-c", 'tr a-z A-Z; echo " $NAME ${PATH:+inherited}"; pwd'),
            cwd=str(tmp_path),
            env={"NAME": "aurora"},
        )
        result = await spawn(task)
        assert result.success
        assert result.output == f"HELLO aurora inherited\n{tmp_path}\n"
        assert (result.error, result.exit_code, result.tool) == (None, 0, "command")
        assert (result.failure_type, result.termination_reason, result.warnings) == (None, None, ())
        assert result.execution_time > 0

    @real
    async def test_lines_are_told_as_they_come(self, gun) -> None:
        """Each line is an event when it is complete, not at the end."""
        events: list[Event] = []

        def on_event(event: Event) -> None:
            events.append(event)
            if event == OutputLine("stdout", "first"):
                gun.fire()

        script = 'echo first; read go <"$0"; echo bad >&2; printf last'
        result = await spawn(
            SpawnTask("", command=("sh", "-c", script, gun.path)), on_event=on_event
        )
        assert result.success
        assert events[0] == OutputLine("stdout", "first")
        assert set(events[1:]) == {OutputLine("stderr", "bad"), OutputLine("stdout", "last")}

    @real
    async def test_f39_a_listener_that_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        """F39: what an event listener raises is logged once; the attempt goes on."""

        def broken(event: Event) -> None:
            raise RuntimeError("listener")

        task = SpawnTask("", command=("sh", "-c", "echo a; echo b; echo c"))
        result = await spawn(task, on_event=broken)
        assert result.output == "a\nb\nc\n"
        assert len(caplog.records) == 1

    @real
    async def test_a_recoverable_task_hears_its_own_events(self) -> None:
        """The lines of every attempt reach the listener that a recoverable task brought."""
        events: list[Event] = []
        task = RecoverableTask(
            prompt="", command=("echo", "hi"), spawn=spawn, on_event=events.append
        )
        assert (await spawn_with_retry_and_fallback(task)).success
        assert OutputLine("stdout", "hi") in events

    @real
    async def test_f25_a_cancellation_ends_every_sibling(self, lifeline) -> None:
        """F25: cancelling many at once ends every process of theirs before the call is left."""
        script = 'exec 3>"$0"; echo up >&3; exec sleep 1000'
        running = asyncio.create_task(
            spawn_parallel(
                [SpawnTask("", command=("sh", "-c", script, lifeline.path))] * 4, max_concurrent=4
            )
        )
        said = b""
        while said.count(b"up") < 4:
            said += await lifeline.heard()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await lifeline.gone()

    @real
    async def test_retry_of_a_real_program(self, tmp_path) -> None:
        """A program that fails once is started again and then succeeds."""
        script = 'test -e mark && echo fixed || { touch mark; echo "not yet" >&2; exit 1; }'
        task = SpawnTask(
            "",
            agent="flaky",
            command=("sh", "-c", script),
            cwd=str(tmp_path),
            policy=Policy("hurry", retry=RetryPolicy(base=0.001)),
        )
        result = await spawn_with_retry_and_fallback(task)
        assert (result.success, result.output, result.retry_count) == (True, "fixed\n", 1)

    @real
    async def test_extract_end_to_end(self) -> None:
        """`extract` runs in a process of its own, answers from the prompt and says what it is."""
        result = await spawn(SpawnTask("Where is the cat?\nThe cat is out."), tool="extract")
        assert result.success
        assert result.output.startswith("[extract: no model;")
        assert "The cat is out." in result.output

    @real
    async def test_the_tool_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """AURORA_SPAWN_TOOL decides for a task that names no tool."""
        monkeypatch.setenv("AURORA_SPAWN_TOOL", "extract")
        result = await spawn(SpawnTask("hello there"))
        assert (result.success, result.tool) == (True, "extract")


def test_the_default_runner_is_this_machine() -> None:
    """Without a runner the process is a child of this one."""

    async def main() -> SpawnResult:
        return await spawn(
            SpawnTask("", command=(sys.executable, "-c", "import os; print(os.getppid())"))
        )

    assert asyncio.run(main()).output == f"{os.getpid()}\n"
