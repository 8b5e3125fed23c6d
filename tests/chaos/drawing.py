"""What an experiment is, drawn from its seed: the same seed draws the same agents and faults.

Real processes keep no schedule to the microsecond, so a replay is the same attack, not the same
instant of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .agents import KINDS, Agent

__all__ = ["MACHINES", "TARGETS", "Experiment", "Fault", "Reader", "Round", "TargetName", "draw"]

TargetName: TypeAlias = Literal["command", "plan", "library", "cluster"]
Reader: TypeAlias = Literal["eager", "slow", "gone"]

TARGETS: tuple[TargetName, ...] = ("command", "plan", "library", "cluster")

_PARTS: dict[TargetName, tuple[str, ...]] = {
    "command": ("relay", "ancestor", "worker"),
    "plan": ("relay", "ancestor", "worker"),
    "library": ("worker", "helper"),
    "cluster": ("relay", "ancestor", "worker"),
}
"""The processes of each target; the first one is what was started."""

MACHINES = ("first", "second")
"""The workers of a cluster."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something done to a run, once.

    Attributes:
        at: Seconds after the start of the round.
        what: A verb, and whom it is done to where there are many of those: see `faults`.
        whom: Which part of the target, or which machine; empty where an agent is meant, or a disk.
        draw: From [0, 1): which one of several.
    """

    at: float
    what: str
    whom: str = ""
    draw: float = 0.0

    def __str__(self) -> str:
        return f"{self.what} {self.whom}".strip()


@dataclass(frozen=True, slots=True)
class Round:
    """One start of the target, and what is done to it.

    Attributes:
        faults: By their time.
        reader: How its standard output is read.
        descriptors: How many it may have open; None leaves that as it is.
    """

    faults: tuple[Fault, ...] = ()
    reader: Reader = "eager"
    descriptors: int | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """Agents, and rounds under fire; an undisturbed round follows that finishes the work.

    Attributes:
        seed: What it was drawn from.
        target: Which program runs the agents.
        jobs: Agents at once.
        agents: In the order of their results.
        disk: Size of the disk that holds what the target keeps, bytes; None: the machine's own.
        rounds: One start each.
    """

    seed: int
    target: TargetName
    jobs: int
    agents: tuple[Agent, ...]
    disk: int | None
    rounds: tuple[Round, ...]


def draw(seed: int) -> Experiment:
    """Draw an experiment."""
    die = random.Random(seed)
    # A cluster takes as long to set up as others take to be done.
    (target,) = die.choices(TARGETS, (3, 3, 2, 1))
    disk = die.choice([2, 4, 8]) * 2**20 if die.random() < 0.4 else None
    jobs = die.randint(2, 8)
    agents = _agents(die, target)
    rounds = tuple(_round(die, target, disk) for _ in range(die.randint(1, 4)))
    return Experiment(seed, target, jobs, agents, disk, rounds)


def _agents(die: random.Random, target: TargetName) -> tuple[Agent, ...]:
    is_plan = target in ("plan", "cluster")
    inside = target in ("library", "cluster")
    kinds = [name for name, kind in KINDS.items() if not (inside and kind.outside)]
    # Half of them are well behaved: what is never right can hardly be lost.
    weights = [10 if name == "answers" else 1 for name in kinds]
    drawn: list[Agent] = []
    for number in range(die.randint(5, 40)):
        (kind,) = die.choices(kinds, weights)
        seconds = round(die.expovariate(4), 3)
        size = 300_000 if die.random() < 0.1 else die.randint(0, 1000)
        needs: set[str] = set()
        if is_plan and drawn and die.random() < 0.5:
            needs = {die.choice(drawn).name for _ in range(die.randint(1, 2))}
        retries = int(is_plan and die.random() < 0.2)
        drawn.append(Agent(f"a{number}", kind, seconds, size, tuple(sorted(needs)), retries))
    return tuple(drawn)


def _round(die: random.Random, target: TargetName, disk: int | None) -> Round:
    parts = _PARTS[target]
    if target == "library":
        # Two that outlive each other's death, and not a death of both at once.
        parts = (die.choice(parts),)
    faults = [_fault(die, target, parts) for _ in range(die.randint(1, 6))]
    if disk is not None:
        faults += [Fault(_moment(die), what) for what in ("fill the disk", "free the disk")]
    (reader,) = die.choices(("eager", "slow", "gone"), (6, 2, 1))
    descriptors = die.randint(40, 70) if target != "cluster" and die.random() < 0.2 else None
    return Round(tuple(sorted(faults, key=lambda fault: fault.at)), reader, descriptors)


def _moment(die: random.Random) -> float:
    # Starts are fragile, so that many come early.
    return round(die.expovariate(1.5), 3)


def _fault(die: random.Random, target: TargetName, parts: tuple[str, ...]) -> Fault:
    first, last = _PARTS[target][0], "worker"
    # What is done, whom to, and how often beside the others.
    possible = [
        ("kill an agent", "", 4),
        ("crash an agent", "", 1),
        ("stop an agent", "", 1),
        ("take memory from an agent", "", 1),
        ("take time from an agent", "", 1),
        ("kill", die.choice(parts), 3),
        ("stop", die.choice(parts), 1),
        ("take descriptors from", last, 1),
    ]
    if first in parts:
        possible += [("interrupt", first, 1), ("terminate", first, 1)]
    if target == "cluster":
        possible += [("kill", die.choice(MACHINES), 3), ("stop", die.choice(MACHINES), 1)]
    ((what, whom, _),) = die.choices(possible, [weight for _, _, weight in possible])
    return Fault(_moment(die), what, whom, die.random())
