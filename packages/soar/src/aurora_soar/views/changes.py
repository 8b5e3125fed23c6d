"""What concerns no single subgoal, as version 1 writes it: the stream and the record alike; pure.

| type | fields |
|---|---|
| `tool.parked` | `tool`, `resume_in_ms`, `reason` |
| `tool.resumed` | `tool` |
| `circuit.opened` | `agent`, `failures`, `retry_in_ms` |
| `circuit.half_open`, `circuit.closed` | `agent` |
| `budget.warning` | `spent`, `limit`, `unit` (`USD` or `tokens`) |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aurora_soar.events import BudgetWarned, CircuitChanged, ToolParked, ToolResumed

__all__ = ["change_fields"]


def change_fields(
    event: ToolParked | ToolResumed | CircuitChanged | BudgetWarned, clean: Callable[[str], str]
) -> dict[str, Any]:
    """The type of a change and its fields.

    Args:
        event: What changed.
        clean: Takes out of a provider's words what is not to be kept.
    """
    match event:
        case ToolParked(tool, seconds, reason):
            resume_in = round(seconds * 1000)
            told = {"tool": tool, "resume_in_ms": resume_in, "reason": clean(reason)}
            return {"type": "tool.parked", **told}
        case ToolResumed(tool):
            return {"type": "tool.resumed", "tool": tool}
        case CircuitChanged(agent_id, "open", failures, retry_in):
            retry_in_ms = None if retry_in is None else round(retry_in * 1000)
            told = {"agent": agent_id, "failures": failures, "retry_in_ms": retry_in_ms}
            return {"type": "circuit.opened", **told}
        case CircuitChanged(agent_id, state):
            return {"type": f"circuit.{state}", "agent": agent_id}
        case BudgetWarned(spent, limit, unit):
            return {"type": "budget.warning", "spent": spent, "limit": limit, "unit": unit}
