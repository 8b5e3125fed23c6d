"""What happened when."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from aurora_soar import CircuitChanged, Outcome, SubgoalStarted, ToolParked, ToolResumed
from aurora_soar.views import Row
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    FallbackStarted,
    RetryScheduled,
    SpawnResult,
)

if TYPE_CHECKING:
    Run = Any
    RunOf = Any


def stretches(run: Run, position: int) -> list[tuple[str, float, float]]:
    """The stretches of a subgoal, from the start of the run."""
    began = run.board.started
    return [
        (str(each.kind), each.start - began, each.end - began) for each in run.timeline.of(position)
    ]


def test_from_blocked_to_the_second_attempt(run_of: RunOf) -> None:
    """Blocked ends with the last dependency; then a slot, an attempt, the gap, and another one."""
    run = run_of(Row("a", "x"), Row("b", "x", ("a",)))
    run.now += 1
    run.start(0)
    run.now += 10
    run.ok(0)
    run.now += 5
    run.start(1)
    run.now += 3
    run.fail_attempt(1, 1, "exit 1")
    run.hear(1, RetryScheduled(1, 2, 2.0, "exit 1"))
    run.now += 2
    run.hear(1, AttemptStarted(2, 3))
    run.now += 4
    run.ok(1)
    assert stretches(run, 0) == [("waiting", 0, 1), ("attempt", 1, 11)]
    assert stretches(run, 1) == [
        ("blocked", 0, 11),
        ("waiting", 11, 16),
        ("attempt", 16, 19),
        ("retry", 19, 21),
        ("attempt", 21, 25),
    ]
    first, second = (each for each in run.timeline.of(1) if each.kind == "attempt")
    assert (first.attempt, first.result.error) == (1, "exit 1")
    assert (second.attempt, second.result.success) == (2, True)


def test_parked_time_is_told_from_waiting(run_of: RunOf) -> None:
    """Whoever waits for a parked tool is parked, also between two attempts; others are not."""
    run = run_of(
        Row("a", "x", tool="claude"), Row("b", "x", tool="codex"), Row("c", "x", tool="claude")
    )
    run.start(2)
    run.now += 1
    run.fail_attempt(2, 1, "429")
    run.hear(2, RetryScheduled(1, 2, 60.0, "429"))
    run.now += 1
    run.happens(ToolParked("claude", 10, "429"))
    run.now += 10
    run.happens(ToolResumed("claude"))
    run.now += 1
    run.start(0)
    run.now += 1
    run.ok(0)
    run.ok(2)
    assert stretches(run, 0) == [
        ("waiting", 0, 2),
        ("parked", 2, 12),
        ("waiting", 12, 13),
        ("attempt", 13, 14),
    ]
    assert [kind for kind, _, _ in stretches(run, 2)[:3]] == ["attempt", "retry", "parked"]
    run.start(1)
    run.now += 1
    run.ok(1)
    assert stretches(run, 1) == [("waiting", 0, 14), ("attempt", 14, 15)]


def test_fallbacks_are_told_from_attempts(run_of: RunOf) -> None:
    """What another agent tries is a fallback with its name; the plain LLM's has none."""
    run = run_of(Row("a", "x"))
    run.start(0)
    run.now += 1
    run.fail_attempt(0, 1, "exit 1")
    run.hear(0, FallbackStarted("exit 1", "coder-b"))
    run.hear(0, AttemptStarted(1, 3))
    run.now += 2
    run.fail_attempt(0, 1, "exit 2")
    run.hear(0, FallbackStarted("exit 2"))
    run.now += 3
    answer = SpawnResult(True, "plain", None, 0, fallback=True, execution_time=3, cost_usd=0.5)
    run.finish(0, result=answer)
    assert stretches(run, 0) == [("attempt", 0, 1), ("fallback", 1, 3), ("fallback", 3, 6)]
    attempt, other, plain = run.timeline.of(0)
    assert (attempt.agent, other.agent, plain.agent) == (None, "coder-b", None)
    assert (other.result.error, plain.result.output) == ("exit 2", "plain")
    assert run.board.rows[0].spent.usd == 0.5


def test_an_open_circuit_leaves_a_fallback_alone(run_of: RunOf) -> None:
    """Where a fallback answers without any attempt before it, its time is the fallback's."""
    run = run_of(Row("a", "x"))
    run.happens(CircuitChanged("x", "open", 2, 120))
    run.happens(SubgoalStarted(0))
    run.now += 2
    run.finish(0, result=SpawnResult(True, "plain", None, 0, fallback=True))
    assert stretches(run, 0) == [("fallback", 0, 2)]
    assert [change.event.agent_id for change in run.timeline.changes] == ["x"]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8), st.integers(0, 3)), max_size=40))
def test_stretches_are_without_gaps(run_of: RunOf, steps: list[tuple[int, int, int]]) -> None:
    """Whatever is told in whatever order, a subgoal is in one stretch at a time, until its end."""
    run = run_of(Row("a", "x", tool="t"), Row("b", "x", ("a",)), Row("c", "x", tool="t"))
    run.now += 1
    done: set[int] = set()
    for position, what, seconds in steps:
        run.now += seconds
        if what == 8:
            run.happens(ToolParked("t", 1, "429"))
        elif what == 7:
            run.happens(ToolResumed("t"))
        elif position not in done:
            if what == 6:
                done.add(position)
                run.finish(position, Outcome.FAILED, "exit 1")
            elif what == 5:
                run.happens(SubgoalStarted(position))
            else:
                result = SpawnResult(False, "", "exit 1", 1)
                event = [
                    AttemptStarted(1, 3),
                    AttemptFinished(1, 3, result),
                    RetryScheduled(1, 2, 1.0, "exit 1"),
                    FallbackStarted("exit 1"),
                    FallbackStarted("exit 1", "y"),
                ][what]
                run.hear(position, event)
    run.now += 1
    for position in {0, 1, 2} - done:
        run.finish(position, Outcome.UNFINISHED, "cut")
    for position in range(3):
        told = run.timeline.of(position)
        assert told[0].start == run.board.started
        for before, after in pairwise(told):
            assert before.end == after.start
        assert told[-1].end == run.board.rows[position].finished
