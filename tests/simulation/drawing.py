"""Draws a whole run from one seed: plan, agents, their faults, the limits of the run."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aurora_soar import AgentInfo

__all__ = ["LARGEST", "PLAIN", "Outage", "Scenario", "draw", "size_of"]

LARGEST = 100
"""Subgoals of the largest plan. Sizes are log-uniform, so that the mean is some 21."""

PLAIN = ""
"""The tool of those who name none, where the run names none either."""

_TOOLS = ("claude", "codex", "llm")

# How often an attempt ends in which way, by the health of its agent. Durations and the rest are
# drawn when it runs.
_HEALTH: Mapping[str, Mapping[str, int]] = {
    "good": {"ok": 1},
    "slow": {"slow": 3, "ok": 1},
    "flaky": {"ok": 4, "crash": 1, "inference": 1, "connection": 1, "raise": 1, "stalled": 1},
    "tired": {"slow": 2, "crash": 2},
    "stuck": {"hang": 2, "ok": 1, "slow": 1},
    "limited": {"limit": 2, "limit_text": 1, "notice": 1, "ok": 3},
    "broken": {"crash": 3, "raise": 1, "auth": 1, "stalled": 1},
    "locked": {"auth": 2, "ok": 1},
}
_FAULTS = tuple(_HEALTH)


@dataclass(frozen=True, slots=True)
class Outage:
    """A provider says "too many requests" from `since` to `until`, and perhaps until when."""

    since: float
    until: float
    tells: bool


@dataclass(frozen=True, slots=True)
class Scenario:
    """All that a run is made of.

    Attributes:
        seed: What it was drawn from.
        subgoals: As `execute_agents` takes them; their descriptions hold `[[index]]`.
        order: Which subgoal each assignment is about.
        agents: Who gets each subgoal, by its index.
        registry: The agents that others may name as their fallback.
        health: By agent id, how often its attempts end in which way; `PLAIN` is the plain LLM.
        checks: By subgoal, the share of its answers that pass its check.
        kept: Subgoals whose results an earlier run has left.
        outages: By tool.
        options: The other arguments of `execute_agents`.
        circuits: The arguments of the breaker.
        gigabytes: Free memory; None: nobody knows.
        stop_at: When somebody asks for nothing new to start, seconds; None: nobody does.
        cancel_at: When the whole run is cancelled, seconds; None: it is not.
        deaf: Callbacks that raise: `progress`, `events`.
    """

    seed: int
    subgoals: tuple[Mapping[str, Any], ...]
    order: tuple[int, ...]
    agents: tuple[AgentInfo, ...]
    registry: tuple[AgentInfo, ...]
    health: Mapping[str, Mapping[str, int]]
    checks: Mapping[int, float]
    kept: frozenset[int]
    outages: Mapping[str, tuple[Outage, ...]]
    options: Mapping[str, Any]
    circuits: Mapping[str, Any]
    gigabytes: float | None
    stop_at: float | None
    cancel_at: float | None
    deaf: frozenset[str]


def size_of(seed: int) -> int:
    """How many subgoals the plan of a seed has: from 1 to `LARGEST`, log-uniform."""
    return round(LARGEST ** random.Random(f"size {seed}").random())


def draw(seed: int) -> Scenario:
    """The run of a seed; the same one each time."""
    dice = random.Random(f"run {seed}")
    size = size_of(seed)
    registry = _agents(dice, max(1, size // dice.choice((1, 3, 8))))
    share = dice.choice((0.0, 0.1, 0.1, 0.8))
    checks = {
        number: dice.choice((0.0, 0.6, 1.0)) for number in range(size) if dice.random() < share
    }
    options = _options(dice, size)
    calm = ["good"] * dice.choice((1, 4, 20))
    order = list(range(size))
    if dice.random() < 0.3:
        dice.shuffle(order)
    return Scenario(
        seed=seed,
        subgoals=tuple(_subgoal(dice, number, checks) for number in range(size)),
        order=tuple(order),
        agents=tuple(dice.choice(registry) for _ in range(size)),
        registry=tuple(registry),
        health={
            agent_id: _HEALTH[dice.choice((*_FAULTS, *calm))]
            for agent_id in (PLAIN, *(agent.id for agent in registry))
        },
        checks=checks,
        kept=frozenset(number for number in range(size) if dice.random() < 0.05)
        if dice.random() < 0.2
        else frozenset(),
        outages={tool: _outages(dice) for tool in (PLAIN, *_TOOLS) if dice.random() < 0.25},
        options=options,
        circuits={
            "failure_threshold": dice.choice((1, 2, 2, 3)),
            "adhoc_failure_threshold": dice.choice((2, 4, 4)),
            "reset_timeout": dice.choice((0.0, 5.0, 30.0, 120.0)),
            "failure_window": dice.choice((30.0, 300.0)),
        },
        gigabytes=dice.choice((0.1, 1.0, 4.0)) if dice.random() < 0.15 else None,
        stop_at=_moment(dice, 0.06),
        cancel_at=_moment(dice, 0.06),
        deaf=frozenset(name for name in ("progress", "events") if dice.random() < 0.1),
    )


def _moment(dice: random.Random, share: float) -> float | None:
    return 10 ** dice.uniform(-2, 2.5) if dice.random() < share else None


def _agents(dice: random.Random, count: int) -> list[AgentInfo]:
    agents = []
    for number in range(count):
        config: dict[str, Any] = {}
        kind = dice.random()
        if kind < 0.3:
            config["is_spawn"] = True
        elif kind < 0.4:
            config["command"] = ("make", "it")
        if "command" not in config and dice.random() < 0.7:
            config["tool"] = dice.choice(_TOOLS)
        if dice.random() < 0.15:
            config["max_concurrent"] = dice.randint(1, 3)
        if dice.random() < 0.15:
            # Also itself, and one that is not there: the chain ends then.
            config["fallback"] = f"agent-{dice.randint(0, count)}"
        agents.append(AgentInfo(f"agent-{number}", "Does what is asked.", config))
    return agents


def _subgoal(dice: random.Random, number: int, checks: Mapping[int, float]) -> dict[str, Any]:
    most = min(number, dice.choice((0, 1, 1, 2, 4)))
    near = range(max(0, number - 12), number)
    subgoal: dict[str, Any] = {
        "id": f"s{number}",
        "subgoal_index": number,
        "description": f"[[{number}]] do it",
        "depends_on": [f"s{need}" for need in dice.sample(near, min(most, len(near)))],
        "on_dependency_failure": dice.choices(("skip", "run", "stop"), (50, 49.5, 0.5))[0],
        "is_critical": dice.random() < 0.005,
    }
    if dice.random() < 0.2:
        subgoal["timeout"] = dice.choice((1.0, 20.0, 200.0))
    if dice.random() < 0.2:
        subgoal["retries"] = dice.randint(0, 4)
    if number in checks:
        subgoal["check"] = ["check", str(number)]
    return subgoal


def _outages(dice: random.Random) -> tuple[Outage, ...]:
    since, found = 0.0, []
    for _ in range(dice.randint(1, 3)):
        since += dice.choice((0.0, 10 ** dice.uniform(-1, 2)))
        until = since + 10 ** dice.uniform(0, 2.3)
        found.append(Outage(since, until, dice.random() < 0.6))
        since = until
    return tuple(found)


def _options(dice: random.Random, size: int) -> dict[str, Any]:
    options: dict[str, Any] = {
        "agent_timeout": dice.choice((5.0, 60.0, 300.0)),
        "max_retries": dice.randint(0, 3),
        "fallback_to_llm": dice.random() < 0.6,
        "max_concurrent": dice.choice((1, 2, 5, 5, 8, 20)),
        "parked_time_counts": dice.random() < 0.7,
        "tool": dice.choice((None, "llm")),
        "per_tool": {
            tool: dice.randint(1, 4) for tool in (*_TOOLS, "command") if dice.random() < 0.25
        },
    }
    if dice.random() < 0.85:
        options["global_timeout"] = dice.choice((30.0, 1e4, 1e5, 1e6))
    match dice.randrange(6):
        case 0:
            options["budget_usd"] = 10 ** dice.uniform(-1.2, 0.5) * size
        case 1:
            options["budget_tokens"] = int(10 ** dice.uniform(2.3, 3.8) * size)
    return options
