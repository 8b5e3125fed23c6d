"""From data to a `Plan`, or to everything that is wrong with it, in the plan's own words; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from aurora_soar.plan.checks import cross_check
from aurora_soar.plan.lines import KeyPath
from aurora_soar.plan.model import Defaults, Limits, Plan, PlanAgent, PlanSubgoal
from aurora_soar.plan.problems import Fault, did_you_mean, label

__all__ = ["validate", "wrong_value"]

# What a message shows of a wrong value, characters.
_SHOWN = 40

# Where pydantic's own words are not those of somebody who writes a plan.
_MUST_BE = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge}",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a table",
    "string_type": "a text",
    "string_too_short": "more than nothing",
    "too_short": "more than nothing",
    "tuple_type": "a list",
}


def validate(data: Mapping[str, Any]) -> tuple[Plan | None, list[Fault]]:
    """The plan that the data describes; None with the faults if it describes none."""
    plan, faults = None, []
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        faults = [_in_words(dict(detail), data) for detail in error.errors(include_url=False)]
    faults += cross_check(data)
    return (None if faults else plan), faults


def _in_words(detail: Mapping[str, Any], data: Mapping[str, Any]) -> Fault:
    """One of pydantic's errors as somebody who writes a plan would say it."""
    path: KeyPath = detail["loc"]
    where = _where(path, data)
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if detail["type"] == "extra_forbidden":
        return Fault(path, _unknown_key(key, where, _model_at(path)))
    if detail["type"] == "missing":
        return Fault(path, f'"{key}" is missing{where}')
    if len(path) == 2 and path[0] in {"agents", "subgoals"}:
        # Not one of its keys: the agent or the subgoal itself.
        return Fault(path, f"{where.removeprefix(' in ')} {wrong_value(detail)}")
    return Fault(path, f'"{key}"{where}: {wrong_value(detail)}')


def wrong_value(detail: Mapping[str, Any]) -> str:
    """One of pydantic's errors as what a value must be, and what it is instead."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _MUST_BE:
        must = f"must be {_MUST_BE[kind].format(**context)}"
    else:
        must = detail["msg"].replace("Input should", "must", 1)
    return f"{must}, not {_shown(detail['input'])}"


def _unknown_key(key: str, where: str, model: type[BaseModel]) -> str:
    known = list(model.model_fields)
    hint = did_you_mean(key, known) or f" There are {', '.join(known)}."
    return f'unknown key "{key}"{where}.{hint}'


def _model_at(path: KeyPath) -> type[BaseModel]:
    """The model of the table that holds the key at the end of `path`."""
    if len(path) == 1:
        return Plan
    tables: dict[str, type[BaseModel]] = {
        "limits": Limits,
        "defaults": Defaults,
        "agents": PlanAgent,
    }
    return tables.get(str(path[0]), PlanSubgoal)


def _where(path: KeyPath, data: Mapping[str, Any]) -> str:
    """In which table a key stands; empty for the plan's own keys."""
    match path:
        case ("subgoals", int(position), *_):
            return f" in {label(position, data['subgoals'][position])}"
        case ("agents", name, *_):
            return f' in agent "{name}"'
        case (table, _, *_):
            return f" in {table}"
        case _:
            return ""


def _shown(value: object) -> str:
    text = "true" if value is True else "false" if value is False else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
