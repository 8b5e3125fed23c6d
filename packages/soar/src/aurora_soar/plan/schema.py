"""The JSON Schema of plan files, for editors: from the model, in the words of its docstrings."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import Any

from pydantic import BaseModel

from aurora_soar.plan.model import Defaults, Limits, Plan, PlanAgent, PlanSubgoal

__all__ = ["plan_schema"]

_TABLES: tuple[type[BaseModel], ...] = (Plan, Limits, Defaults, PlanAgent, PlanSubgoal)

# An attribute of a docstring: its name, and its words up to the next one.
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def plan_schema() -> dict[str, Any]:
    """The schema, as data that JSON can write (draft 2020-12)."""
    schema = Plan.model_json_schema()
    tables = {Plan.__name__: schema, **schema["$defs"]}
    for model in _TABLES:
        _describe(tables[model.__name__], model)
    # A plan without a name is called like its file.
    schema["required"].remove("name")
    schema["description"] = "A plan of agents, for aurora-soar."
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _describe(table: dict[str, Any], model: type[BaseModel]) -> None:
    text = cleandoc(model.__doc__ or "")
    # What the model keeps as None is, in a file, a key that is not there.
    words = {
        name: " ".join(said.split()).replace("None:", "left out:")
        for name, said in _ATTRIBUTE.findall(text)
    }
    table["description"] = text.partition("\n")[0]
    table.pop("title", None)
    for name, property_ in table["properties"].items():
        property_.pop("title", None)
        property_["description"] = words[name]
