"""Attempts, gates and fallbacks, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    Event,
    FailureType,
    FallbackStarted,
    Policy,
    RecoverableTask,
    RetryPolicy,
    RetryScheduled,
    SpawnResult,
    SpawnTask,
    failure_type_of,
    spawn_with_retry_and_fallback,
)
from aurora_spawner.failures import PERMANENT
from aurora_spawner.recovery import GO_ON, LIMITED_ATTEMPTS, recover
from aurora_spawner.testing import run_virtual

OK = SpawnResult(success=True, output="answer", error=None, exit_code=0)


def failed(error: str = "boom", kind: FailureType = FailureType.CRASH) -> SpawnResult:
    return SpawnResult(success=False, output="", error=error, exit_code=1, failure_type=kind)


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Agent:
    """Plays a script of results and exceptions, one a second; the last one over and over."""

    script: list[SpawnResult | BaseException]
    asked: list[SpawnTask] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    async def spawn(self, task: SpawnTask) -> SpawnResult:
        step = self.script[min(len(self.asked), len(self.script) - 1)]
        self.asked.append(task)
        self.at.append(now())
        await asyncio.sleep(1)
        if isinstance(step, BaseException):
            raise step
        return step


@dataclass
class Told:
    """A permit that remembers what it was told."""

    granted: bool = True
    reason: str = "2 failures"
    said: list[str] = field(default_factory=list)

    def success(self) -> None:
        self.said.append("success")

    def failure(self, failure_type: str | None = None) -> None:
        self.said.append(f"failure: {failure_type}")

    def release(self) -> None:
        self.said.append("release")


class Doorman:
    """A gate that grants as it was told, the last answer over and over."""

    def __init__(self, grants: Iterable[bool] = (True,)) -> None:
        self.grants = list(grants)
        self.permits: list[Told] = []
        self.asked: list[tuple[str, float]] = []

    def admit(self, agent_id: str, lease: float) -> Told:
        self.asked.append((agent_id, lease))
        permit = Told(self.grants[min(len(self.permits), len(self.grants) - 1)])
        self.permits.append(permit)
        return permit

    @property
    def said(self) -> list[list[str]]:
        return [permit.said for permit in self.permits]


class Foreseeing(Doorman):
    """A gate that says beforehand that it would refuse."""

    def __init__(self, refuses: Callable[[], bool]) -> None:
        super().__init__()
        self.refuses = refuses

    def should_skip(self, agent_id: str) -> tuple[bool, str]:
        return self.refuses(), "2 failures"


def task_for(agent: Agent, /, **changes: object) -> RecoverableTask:
    given = {"prompt": "question", "agent": "reviewer", "fallback_to_llm": False, **changes}
    return RecoverableTask(spawn=agent.spawn, **given)


def run(task: RecoverableTask, draw: float = 0.0) -> SpawnResult:
    return run_virtual(recover(task, draw=lambda: draw))


class TestRetries:
    def test_success_needs_no_retry(self) -> None:
        """A first success is the result as it is."""
        agent = Agent([OK])
        assert run(task_for(agent)) == OK
        assert len(agent.asked) == 1

    def test_until_it_works(self) -> None:
        """A failed attempt is tried again; the result says how many came before it."""
        agent = Agent([failed(), failed(), OK])
        result = run(task_for(agent))
        assert (result.success, result.retry_count, len(agent.asked)) == (True, 2, 3)

    def test_the_last_failure_stands(self) -> None:
        """When every attempt fails the last result is the result."""
        agent = Agent([failed("first"), failed("second"), failed("third")])
        result = run(task_for(agent))
        assert (result.error, result.retry_count, result.fallback) == ("third", 2, False)

    @given(st.integers(0, 6))
    def test_max_retries_counts_retries(self, retries: int) -> None:
        """`max_retries` is the number of attempts after the first."""
        agent = Agent([failed()])
        result = run(task_for(agent, max_retries=retries))
        assert (len(agent.asked), result.retry_count) == (retries + 1, retries)

    @pytest.mark.parametrize(
        ("policy", "retries", "attempts"),
        [("fast_fail", 2, 1), ("default", 9, 3), ("default", 1, 2), (None, 9, 10)],
    )
    def test_a_named_policy_bounds_the_attempts(
        self, policy: str | None, retries: int, attempts: int
    ) -> None:
        """A policy that the task names bounds the attempts, a default nobody chose does not."""
        agent = Agent([failed()])
        run(task_for(agent, policy=policy, max_retries=retries))
        assert len(agent.asked) == attempts

    @pytest.mark.parametrize(("draw", "waits"), [(0.0, [1, 2, 4]), (0.5, [1.5, 3, 6])])
    def test_backoff(self, draw: float, waits: list[float]) -> None:
        """Between attempts passes the delay that the policy says for the draw."""
        agent = Agent([failed()])
        run(task_for(agent, max_retries=3), draw)
        # An attempt takes a second.
        pauses = [b - a - 1 for a, b in pairwise(agent.at)]
        assert pauses == pytest.approx(waits)

    def test_the_tasks_own_backoff(self) -> None:
        """The backoff of the task's policy is used."""
        agent = Agent([failed()])
        policy = Policy("own", retry=RetryPolicy(attempts=2, base=100, cap=1000))
        run(task_for(agent, policy=policy))
        assert agent.at == pytest.approx([0, 51])

    @pytest.mark.parametrize("kind", sorted(PERMANENT))
    def test_permanent_failures_are_not_retried(self, kind: FailureType) -> None:
        """What the same call would meet again at once is tried once, without any wait."""
        agent = Agent([failed(kind=kind)])
        result = run(task_for(agent))
        assert (len(agent.asked), result.retry_count) == (1, 0)

    @pytest.mark.parametrize("kind", sorted(set(FailureType) - PERMANENT))
    def test_others_are(self, kind: FailureType) -> None:
        """Every other kind of failure is retried."""
        agent = Agent([failed(kind=kind), OK])
        assert run(task_for(agent)).success

    def test_an_exception_is_a_failed_attempt(self) -> None:
        """What an attempt raises is a crash, told by its text or its name, and is retried."""
        agent = Agent([RuntimeError("broke"), RuntimeError()])
        result = run(task_for(agent))
        assert (result.error, result.failure_type) == ("RuntimeError", FailureType.CRASH)
        assert (result.exit_code, len(agent.asked)) == (-1, 3)


class TestDeadline:
    @pytest.mark.parametrize(("deadline", "attempts"), [(100, 3), (4.9, 2), (2.1, 2), (2.0, 1)])
    def test_f45_no_retry_starts_at_or_after_it(self, deadline: float, attempts: int) -> None:
        """F45: a retry that would start at or after the deadline is not waited for."""
        agent = Agent([failed()])  # attempts start at 0, 2 and 5
        run(task_for(agent, deadline=deadline))
        assert len(agent.asked) == attempts

    def test_the_first_attempt_always_starts(self) -> None:
        """A deadline in the past still lets the first attempt run."""
        agent = Agent([OK])
        assert run(task_for(agent, deadline=-1.0)).success


class TestFallback:
    def test_the_plain_llm_answers(self) -> None:
        """After the last attempt the same question goes to the plain LLM, without agent and
        persona, and the result names who was asked first."""
        agent = Agent([failed(), OK])
        task = task_for(agent, max_retries=0, fallback_to_llm=True, persona="You review.")
        result = run(task)
        fallback = agent.asked[1]
        assert (fallback.agent, fallback.persona, fallback.prompt) == (None, None, "question")
        assert (result.success, result.output, result.fallback) == (True, "answer", True)
        assert (result.original_agent, result.retry_count) == ("reviewer", 0)

    def test_with_words_of_its_own(self) -> None:
        """The fallback may be asked with another prompt, an empty one too."""
        for words in ("other words", ""):
            agent = Agent([failed(), OK])
            run(task_for(agent, max_retries=0, fallback_to_llm=True, fallback_prompt=words))
            assert agent.asked[1].prompt == words

    def test_f40_if_it_fails_too(self) -> None:
        """F40: if the fallback fails or raises, the agent's result stands, and the error tells
        both."""
        for answer in (failed("llm down"), RuntimeError("llm down")):
            agent = Agent([failed("agent down", FailureType.TIMEOUT), answer])
            result = run(task_for(agent, max_retries=0, fallback_to_llm=True))
            assert not result.success
            assert result.error == "agent down; fallback to LLM failed: llm down"
            assert result.failure_type is FailureType.TIMEOUT
            assert (result.exit_code, result.fallback) == (1, True)
            assert result.original_agent == "reviewer"

    def test_it_is_asked_once(self) -> None:
        """A failed fallback is not retried, and comes without any wait."""
        agent = Agent([failed()])
        run(task_for(agent, max_retries=1, fallback_to_llm=True))
        assert agent.at == pytest.approx([0, 2, 3])

    def test_after_a_permanent_failure(self) -> None:
        """A failure that is not worth a retry is still worth a fallback."""
        agent = Agent([failed(kind=FailureType.AUTH), OK])
        result = run(task_for(agent, fallback_to_llm=True))
        assert (result.fallback, result.success, len(agent.asked)) == (True, True, 2)

    @pytest.mark.parametrize(
        "changes",
        [
            {"command": ("make", "test")},
            {"agent": None},
            {"fallback_to_llm": False},
        ],
        ids=["a program", "no agent to replace", "not wanted"],
    )
    def test_none(self, changes: dict[str, object]) -> None:
        """A program has no fallback, nor has a plain question, nor who wants none."""
        agent = Agent([failed(), OK])
        result = run(task_for(agent, max_retries=0, **{"fallback_to_llm": True, **changes}))
        assert (result.success, result.fallback, len(agent.asked)) == (False, False, 1)

    def test_an_adhoc_agent_has_one(self) -> None:
        """A task without a persona that brings other words falls back, and is named by its id."""
        agent = Agent([failed(), OK])
        task = task_for(
            agent,
            agent=None,
            agent_id="made-up",
            fallback_to_llm=True,
            fallback_prompt="plain",
            max_retries=0,
        )
        result = run(task)
        assert (result.fallback, result.original_agent) == (True, "made-up")


class TestGate:
    def test_each_attempt_takes_and_settles_a_permit(self) -> None:
        """Before each attempt the gate is asked under the agent's name, for longer than the
        attempt may take, and is told its outcome once."""
        gate = Doorman()
        agent = Agent([failed(kind=FailureType.TIMEOUT), failed(), OK])
        run(task_for(agent, gate=gate, timeout=50))
        assert gate.said == [["failure: timeout"], ["failure: crash"], ["success"]]
        assert [name for name, _ in gate.asked] == ["reviewer"] * 3
        assert all(lease > 50 for _, lease in gate.asked)

    def test_the_agents_id_wins_over_its_name(self) -> None:
        """The gate knows a task by its `agent_id` where it has one."""
        gate = Doorman()
        run(task_for(Agent([OK]), gate=gate, agent_id="made-up"))
        assert [name for name, _ in gate.asked] == ["made-up"]

    def test_a_refusal_before_the_first_attempt(self) -> None:
        """Refused at once, no attempt runs, and the error says that the circuit is open."""
        gate = Doorman([False])
        agent = Agent([OK])
        result = run(task_for(agent, gate=gate))
        assert result.error == "Circuit breaker open: 2 failures"
        assert (agent.asked, gate.said, result.retry_count) == ([], [[]], 0)

    def test_a_refused_agent_falls_back(self) -> None:
        """The fallback answers for an agent that the gate refused; it is neither asked nor
        told."""
        gate = Doorman([False])
        result = run(task_for(Agent([OK]), gate=gate, fallback_to_llm=True))
        assert (result.success, result.fallback, len(gate.asked)) == (True, True, 1)
        assert gate.said == [[]]

    def test_a_later_refusal_keeps_the_last_error(self) -> None:
        """Refused between attempts, the retries end and the last error stands."""
        gate = Doorman([True, False])
        agent = Agent([failed("real error")])
        result = run(task_for(agent, gate=gate))
        assert (result.error, result.retry_count, len(agent.asked)) == ("real error", 0, 1)
        assert gate.said == [["failure: crash"], []]

    def test_a_foreseen_refusal_is_not_waited_for(self) -> None:
        """A gate that says beforehand that it would refuse saves the wait."""
        agent = Agent([failed()])
        gate = Foreseeing(lambda: len(agent.asked) >= 2)

        async def main() -> float:
            result = await recover(task_for(agent, gate=gate), draw=lambda: 0.0)
            assert result.retry_count == 1
            return now()

        assert run_virtual(main()) == pytest.approx(3)  # attempt, one wait, attempt
        assert len(gate.asked) == 2

    def test_a_policy_without_breaker(self) -> None:
        """Under a policy that uses no breaker the gate is never asked."""
        gate = Doorman([False])
        assert run(task_for(Agent([OK]), gate=gate, policy="development")).success
        assert gate.asked == []

    def test_a_plain_question_passes(self) -> None:
        """Without an agent there is nobody to ask the gate about."""
        gate = Doorman([False])
        assert run(task_for(Agent([OK]), gate=gate, agent=None)).success
        assert gate.asked == []

    def test_the_kind_is_told_from_the_texts(self) -> None:
        """Where a result does not say its kind, the gate is told what its texts say."""
        gate = Doorman()
        silent = SpawnResult(success=False, output="", error="429 Too Many Requests", exit_code=1)
        run(task_for(Agent([silent]), gate=gate, max_retries=0))
        assert gate.said == [["failure: rate_limit"]]

    def test_a_cancelled_attempt_releases(self) -> None:
        """An attempt cut by a cancellation tells nothing: its permit is released."""
        gate = Doorman()

        async def main() -> None:
            running = asyncio.create_task(recover(task_for(Agent([OK]), gate=gate)))
            await asyncio.sleep(0.5)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        run_virtual(main())
        assert gate.said == [["release"]]

    steps = st.one_of(
        st.just(OK),
        st.sampled_from(sorted(FailureType)).map(lambda kind: failed(kind=kind)),
        st.builds(RuntimeError, st.text()),
        st.just(asyncio.CancelledError()),
    )

    @given(
        script=st.lists(steps, min_size=1, max_size=6),
        grants=st.lists(st.booleans(), min_size=1, max_size=6),
        retries=st.integers(0, 5),
        fallback=st.booleans(),
        cut_at=st.none() | st.floats(0, 20),
        seed=st.none() | st.integers(0, 100),
    )
    def test_permits_are_settled_exactly_once(
        self,
        script: list[SpawnResult | BaseException],
        grants: list[bool],
        retries: int,
        fallback: bool,
        cut_at: float | None,
        seed: int | None,
    ) -> None:
        """Whatever attempts, gate and cancellation do, each granted permit is settled exactly
        once, a refused one never, and at most one is open at a time."""
        gate = Doorman(grants)
        agent = Agent(script)
        task = task_for(agent, gate=gate, max_retries=retries, fallback_to_llm=fallback)

        async def main() -> None:
            running = asyncio.create_task(recover(task, draw=lambda: 0.5))
            if cut_at is not None:
                await asyncio.sleep(cut_at)
                running.cancel()
            await asyncio.wait([running])

        run_virtual(main(), seed=seed)
        assert [len(permit.said) for permit in gate.permits] == [
            int(permit.granted) for permit in gate.permits
        ]


class TestEvents:
    def told(self, task: RecoverableTask) -> list[Event]:
        events: list[Event] = []
        run_virtual(recover(replace(task, on_event=events.append), draw=lambda: 0.0))
        return events

    def test_the_whole_story(self) -> None:
        """Attempts, retries and the fallback are told in their order, with their numbers."""
        first, second = failed("first"), failed("second")
        agent = Agent([first, second, OK])
        events = self.told(task_for(agent, max_retries=1, fallback_to_llm=True))
        assert events == [
            AttemptStarted(1, 2),
            AttemptFinished(1, 2, first),
            RetryScheduled(1, 1, 1.0, "first"),
            AttemptStarted(2, 2),
            AttemptFinished(2, 2, second),
            FallbackStarted("second"),
        ]

    def test_f39_a_listener_that_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        """F39: what the listener raises is logged once and changes nothing."""

        def broken(event: Event) -> None:
            raise RuntimeError("listener")

        agent = Agent([failed(), OK])
        assert run(replace(task_for(agent), on_event=broken)).success
        assert len(caplog.records) == 1


class TestFailureTypeOf:
    @pytest.mark.parametrize(
        ("result", "kind"),
        [
            (OK, None),
            (failed(kind=FailureType.AUTH), FailureType.AUTH),
            (SpawnResult(False, "", "Invalid API key", 1), FailureType.AUTH),
            (
                SpawnResult(False, "", "ended", -15, termination_reason="Timeout after 60s"),
                FailureType.TIMEOUT,
            ),
            (SpawnResult(False, "", None, 127), FailureType.NOT_FOUND),
            (SpawnResult(False, "", None, 1), FailureType.CRASH),
        ],
    )
    def test_told_or_read(self, result: SpawnResult, kind: FailureType | None) -> None:
        """The kind is what the result says, else what its texts and exit code say; a success has
        none."""
        assert failure_type_of(result) is kind


LIMIT = failed("429", FailureType.RATE_LIMIT)


class TestSessions:
    def test_it_goes_on_where_a_limit_cut_it_off(self) -> None:
        """After a limit the next attempt goes on in the tool's session, with a short prompt and
        without the persona, which the session knows."""
        agent = Agent([replace(LIMIT, session_id="s1"), replace(LIMIT, session_id="s2"), OK])
        assert run(task_for(agent, persona="You review.", cwd="/")).success
        first, second, third = agent.asked
        assert (first.prompt, first.persona, first.session_id) == ("question", "You review.", None)
        for task, session in ((second, "s1"), (third, "s2")):
            assert (task.prompt, task.persona, task.session_id) == (GO_ON, None, session)
            assert (task.agent, task.cwd) == ("reviewer", "/")

    @pytest.mark.parametrize("result", [LIMIT, replace(failed(), session_id="s1")])
    def test_otherwise_it_begins_anew(self, result: SpawnResult) -> None:
        """After a limit that met no work, or any other failure, the task is asked as it was."""
        agent = Agent([result, OK])
        task = task_for(agent, session_id="s0")
        assert run(task).success
        assert [asked.prompt for asked in agent.asked] == ["question"] * 2
        assert [asked.session_id for asked in agent.asked] == ["s0"] * 2

    def test_a_session_that_is_gone(self) -> None:
        """A session that cannot be gone on with costs one attempt; the next one begins anew."""
        agent = Agent([replace(LIMIT, session_id="s1"), failed("no such session"), OK])
        assert run(task_for(agent)).success
        assert [asked.session_id for asked in agent.asked] == [None, "s1", None]
        assert agent.asked[2].prompt == "question"

    def test_the_fallback_has_no_session(self) -> None:
        """The plain LLM is asked the question itself, in no session of the agent's."""
        agent = Agent([replace(LIMIT, session_id="s1")] * 3 + [OK])
        assert run(task_for(agent, fallback_to_llm=True, session_id="s0")).fallback
        last = agent.asked[-1]
        assert (last.prompt, last.session_id, last.agent) == ("question", None, None)


class TestTheFunction:
    """`spawn_with_retry_and_fallback`, through the module's own `spawn`."""

    def test_a_plain_task(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keywords say how a plain task is recovered, and progress tells each step."""
        agent = Agent([failed("boom"), failed("boom again"), OK])
        monkeypatch.setattr("aurora_spawner.spawner.spawn", agent.spawn)
        heard: list[tuple[int, int, str, str]] = []
        gate = Doorman()
        result = run_virtual(
            spawn_with_retry_and_fallback(
                SpawnTask("question", agent="reviewer"),
                max_retries=1,
                gate=gate,
                on_progress=lambda *args: heard.append(args),
            )
        )
        assert (result.success, result.fallback, result.retry_count) == (True, True, 1)
        assert gate.said == [["failure: crash"]] * 2
        assert {args[:3] for args in heard} == {(1, 1, "reviewer")}
        statuses = [args[3] for args in heard]
        assert statuses[0] == "Starting"
        assert statuses[1].startswith("Retry 1/1 in ")
        assert statuses[2:] == ["Fallback to LLM", "Completed (0.0s)"]

    def test_the_attempt_gets_the_task_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`spawn` is called with the task as its only argument, with every field of it."""
        agent = Agent([OK])
        monkeypatch.setattr("aurora_spawner.spawner.spawn", agent.spawn)
        task = SpawnTask("q", agent="a", timeout=7, tool="codex", model="m", cwd="/", persona="p")
        run_virtual(spawn_with_retry_and_fallback(task))
        (asked,) = agent.asked
        for name in ("prompt", "agent", "timeout", "tool", "model", "cwd", "persona", "env"):
            assert getattr(asked, name) == getattr(task, name)

    def test_a_recoverable_task_brings_its_own(self) -> None:
        """A RecoverableTask is recovered by what it brings along."""
        agent = Agent([failed(), OK])
        result = run_virtual(spawn_with_retry_and_fallback(task_for(agent), max_retries=0))
        assert (result.success, result.retry_count) == (True, 1)

    def test_f37_misuse(self) -> None:
        """F37: a task that cannot be run is refused before any attempt."""
        agent = Agent([OK])
        for task in (SpawnTask("q", timeout=0), task_for(agent, timeout=0)):
            with pytest.raises(ValueError, match="timeout"):
                run_virtual(spawn_with_retry_and_fallback(task))
        assert agent.asked == []


class Queue:
    """A turn that is given at once until it is refused, and remembers who took and gave back."""

    def __init__(self, refuse_after: int = 1000) -> None:
        self.left = refuse_after
        self.said: list[str] = []

    async def take(self) -> str | None:
        if not self.left:
            return "the budget is spent"
        self.left -= 1
        self.said.append("take")
        return None

    def give_back(self, result: SpawnResult | None) -> None:
        self.said.append("nothing" if result is None else result.error or "ok")


class TestTurn:
    def test_it_is_held_for_each_attempt_and_the_fallback_and_for_no_wait(self) -> None:
        """Whoever waits for a retry holds no turn, and the fallback takes one too."""
        queue, held = Queue(), []
        agent = Agent([failed("a"), failed("b"), OK])

        def seen(event: Event) -> None:
            if isinstance(event, RetryScheduled):
                held.append(queue.said[-1])

        result = run(
            task_for(agent, turn=queue, max_retries=1, fallback_to_llm=True, on_event=seen)
        )
        assert result.fallback
        assert queue.said == ["take", "a", "take", "b", "take", "ok"]
        assert held == ["a"]

    def test_a_refusal_keeps_the_last_result(self) -> None:
        """A turn that is refused ends the retries; the first one makes a failure of its own."""
        result = run(task_for(Agent([failed("a")]), turn=Queue(1)))
        assert (result.error, result.retry_count, result.fallback) == ("a", 0, False)
        result = run(task_for(Agent([OK]), turn=Queue(0)))
        assert (result.success, result.error) == (False, "the budget is spent")

    def test_it_is_given_back_when_the_attempt_is_cancelled_or_not_admitted(self) -> None:
        """No way out of an attempt keeps the turn."""
        queue = Queue()
        with pytest.raises(asyncio.CancelledError):
            run(task_for(Agent([asyncio.CancelledError()]), turn=queue))
        assert queue.said == ["take", "nothing"]
        queue = Queue()
        gate = Doorman([False])
        run(task_for(Agent([OK]), turn=queue, gate=gate))
        assert queue.said == ["take", "nothing"]

    def test_a_providers_limit_uses_up_no_retry(self) -> None:
        """Attempts that end on a limit are made up for, a bounded number of times, and counted."""
        limited = failed("429", FailureType.RATE_LIMIT)
        agent = Agent([limited, limited, failed("boom"), OK])
        result = run(task_for(agent, turn=Queue(), max_retries=1))
        assert (result.success, result.retry_count, result.fallback) == (True, 3, False)
        agent = Agent([limited])
        result = run(task_for(agent, turn=Queue(), max_retries=1))
        assert len(agent.asked) == LIMITED_ATTEMPTS + 2
        agent = Agent([limited])
        run(task_for(agent, max_retries=1))
        assert len(agent.asked) == 2


def test_a_deadline_that_moves_is_asked_when_it_matters() -> None:
    """A retry starts if the deadline, as it stands then, has not come."""
    agent = Agent([failed(), OK])
    assert not run(task_for(agent, deadline=lambda: 0.0)).success
    agent = Agent([failed(), OK])
    assert run(task_for(agent, deadline=lambda: 100.0)).success
