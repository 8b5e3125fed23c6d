"""The judge of the chaos: every kind of broken promise is noticed, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from .agents import Agent
from .drawing import Experiment, Fault, draw
from .promises import Seen, broken_promises, outcomes
from .targets import Told

GOOD, BAD, LATE = (
    Agent("good", "answers", 0.1, 10),
    Agent("bad", "fails", 0.1, 10),
    Agent("late", "floods", 0.1, 10, needs=("bad",)),
)
EXPERIMENT = Experiment(1, "plan", 2, (GOOD, BAD, LATE), None, ())

ONCE = Counter(good=1)
KEPT = {"good": GOOD.output}
FIRST = Seen(-9, (Told("good", "ok"),), KEPT, Counter(good=1, bad=1), ONCE, 2)
LAST = Seen(
    1,
    (Told("good", "ok", GOOD.output), Told("bad", "failed", ""), Told("late", "skipped", "")),
    KEPT,
    Counter(good=1, bad=2),
    ONCE,
    1,
)


def test_a_run_that_keeps_its_promises_is_found_to() -> None:
    """What was killed, resumed and finished as it should breaks nothing."""
    assert broken_promises(EXPERIMENT, [FIRST, LAST]) == []


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        (replace(LAST, kept={}), "the answer of good was kept and is lost"),
        (replace(LAST, began=Counter(good=2)), "good was answered, and ran again"),
        (replace(LAST, left=("4711 sleep",)), "left running: 4711 sleep"),
        (replace(LAST, errors='Traceback (most\n File "/cli/entry.py'), "a bug"),
        (replace(LAST, exit_code=70), "a bug"),
        (replace(LAST, most_at_once=3), "3 agents at once, 2 allowed"),
        (replace(LAST, is_stuck=True), "it did not end"),
        (replace(LAST, ended=Counter()), "good is said to have succeeded"),
        (replace(LAST, kept={"good": "answer"}), "the output of good is not what it said"),
        (replace(LAST, told=LAST.told[1:]), "results of bad late, not of good bad late"),
        (replace(LAST, told=LAST.told[::-1]), "results of late bad good"),
        (replace(LAST, told=(*LAST.told[:2], Told("late", "failed", ""))), "late is failed"),
        (replace(LAST, exit_code=0), "exit 0, not 1"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_broken_promise_is_noticed(broken: Seen, word: str) -> None:
    """Each way to lose, repeat, invent or leave something behind is named."""
    found = broken_promises(EXPERIMENT, [FIRST, broken])
    assert any(word in line for line in found), found


def test_what_was_told_was_kept_unless_the_disk_was_full() -> None:
    """An answer that was told is in the journal; on a full disk it is told all the same."""
    first = replace(FIRST, kept={})
    assert broken_promises(EXPERIMENT, [first, LAST]) == [
        "round 1: the answer of good was told and not kept"
    ]
    full = replace(first, faults=(Fault(0.1, "fill the disk"),))
    assert broken_promises(EXPERIMENT, [full, LAST]) == []


def test_what_builds_on_a_failure_is_skipped() -> None:
    """Outcomes follow from what agents do and need."""
    assert outcomes(EXPERIMENT.agents) == {"good": "ok", "bad": "failed", "late": "skipped"}


def test_a_seed_draws_one_experiment() -> None:
    """The same seed is the same experiment, and another one is another."""
    assert draw(7) == draw(7)
    assert len({draw(seed) for seed in range(50)}) == 50


def test_every_agent_s_output_is_what_its_program_would_say() -> None:
    """A flood is as long as is expected, to the byte, and ends in the answer."""
    assert len(LATE.output) > 190_000
    assert LATE.output.endswith("late answer of late\n")
    assert GOOD.output == "answer of good\n"
