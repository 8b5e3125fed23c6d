"""One seed: drawn, played and checked."""

from __future__ import annotations

from .checker import violations
from .drawing import draw
from .world import play

__all__ = ["simulate"]


def simulate(seed: int) -> list[str]:
    """What a run broke, with the way to see it again; empty if nothing."""
    scenario = draw(seed)
    try:
        broken = violations(scenario, play(scenario))
    except Exception as error:
        broken = [f"raised {type(error).__name__}: {error}"]
    if not broken:
        return []
    shown = [f"  {each}" for each in broken[:5]]
    if len(broken) > 5:
        shown.append(f"  and {len(broken) - 5} more")
    return [f"seed {seed}; replay: .venv/bin/python -m tests.simulation {seed}", *shown]
