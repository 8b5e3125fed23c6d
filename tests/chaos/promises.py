"""What must hold whatever is done to a run; pure, over what was seen of its rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .agents import KINDS, Agent
from .drawing import Experiment, Fault
from .targets import Told

__all__ = ["Seen", "broken_promises", "outcomes"]

# Where commands begin. A traceback without it is of Python's own start, or of somebody's program.
_BEGINS = "/cli/entry.py"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one round.

    Attributes:
        exit_code: Of the process that was started; negative: killed by that signal.
        told: The results on its standard output.
        kept: The answers that its journal held afterwards, by agent.
        began: How often each agent had begun by then, over all rounds.
        ended: How often each had said all that it had to say.
        most_at_once: The most agents seen at one time; None if nobody looked.
        left: What still ran when it should have been gone.
        errors: Its standard error.
        is_stuck: It had to be killed by us, because it did not end.
        faults: What really hit somebody.
    """

    exit_code: int = 0
    told: Sequence[Told] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    began: Mapping[str, int] = field(default_factory=Counter)
    ended: Mapping[str, int] = field(default_factory=Counter)
    most_at_once: int | None = None
    left: Sequence[str] = ()
    errors: str = ""
    is_stuck: bool = False
    faults: Sequence[Fault] = ()


def outcomes(agents: Sequence[Agent]) -> dict[str, str]:
    """What becomes of each when nobody disturbs them."""
    found: dict[str, str] = {}
    for agent in agents:
        if any(found[name] != "ok" for name in agent.needs):
            found[agent.name] = "skipped"
        else:
            found[agent.name] = "ok" if KINDS[agent.kind].succeeds else "failed"
    return found


def broken_promises(experiment: Experiment, rounds: Sequence[Seen]) -> list[str]:
    """The promises that were broken, one line each; the last round was undisturbed."""
    found: list[str] = []
    before = Seen()
    for number, seen in enumerate(rounds, 1):
        found += (f"round {number}: {what}" for what in _in_a_round(experiment, before, seen))
        before = seen
    found += (f"at the end: {what}" for what in _at_the_end(experiment, rounds[-1]))
    return found


def _in_a_round(experiment: Experiment, before: Seen, seen: Seen) -> Iterator[str]:
    agents = {agent.name: agent for agent in experiment.agents}
    if seen.is_stuck:
        yield "it did not end"
    for line in seen.left:
        yield f"left running: {line}"
    if seen.exit_code == 70 or ("Traceback" in seen.errors and _BEGINS in seen.errors):
        yield "a bug, told as one"
    if seen.most_at_once is not None and seen.most_at_once > experiment.jobs:
        yield f"{seen.most_at_once} agents at once, {experiment.jobs} allowed"
    for name in before.kept:
        if name not in seen.kept:
            yield f"the answer of {name} was kept and is lost"
        if seen.began[name] != before.began[name]:
            yield f"{name} was answered, and ran again"
    told = {each.name: each for each in seen.told if each.outcome == "ok"}
    # What a full disk cannot take is told all the same.
    had_room = not any(fault.what == "fill the disk" for fault in seen.faults)
    for name in told.keys() - seen.kept.keys():
        if had_room:
            yield f"the answer of {name} was told and not kept"
    answers = {name: each.output for name, each in told.items() if each.output is not None}
    for name, output in [*answers.items(), *seen.kept.items()]:
        if not seen.ended[name]:
            yield f"{name} is said to have succeeded, and never came to its end"
        elif output != agents[name].output:
            said, right = len(output), len(agents[name].output)
            yield f"the output of {name} is not what it said ({said} characters of {right})"


def _at_the_end(experiment: Experiment, last: Seen) -> Iterator[str]:
    names = [agent.name for agent in experiment.agents]
    told = [each.name for each in last.told]
    if experiment.target == "library":
        # It tells results as they come.
        names, told = sorted(names), sorted(told)
    if told != names:
        yield f"results of {' '.join(told) or 'nobody'}, not of {' '.join(names)}"
    expected = outcomes(experiment.agents)
    for each in last.told:
        if each.outcome != expected.get(each.name):
            yield f"{each.name} is {each.outcome}, not {expected.get(each.name)}"
    if experiment.target != "library":
        code = int(any(outcome != "ok" for outcome in expected.values()))
        if last.exit_code != code:
            yield f"exit {last.exit_code}, not {code}"
