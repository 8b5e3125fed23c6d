"""The JSON Schema of plans, held against the plans that we have."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from aurora_soar.plan.schema import plan_schema

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads(json.dumps(plan_schema())))


def test_it_is_a_schema() -> None:
    """It is valid against the metaschema, and says which one that is."""
    Draft202012Validator.check_schema(plan_schema())
    assert plan_schema()["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_every_key_is_described() -> None:
    """Each table and each of its keys has the words of its docstring."""
    schema = plan_schema()
    for table in (schema, *schema["$defs"].values()):
        assert all(each["description"] for each in table["properties"].values())
    assert all(each["description"].endswith(".") for each in schema["$defs"].values())
    retries = schema["$defs"]["PlanSubgoal"]["properties"]["retries"]
    expected = "Further attempts after a failed one; left out: `defaults.retries`."
    assert retries["description"] == expected


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_example_plans_are_valid(schema: Draft202012Validator, path: Path) -> None:
    """What the command runs is what an editor accepts."""
    schema.validate(tomllib.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"name": "x", "subgoals": [{"id": "a", "timeout": "1h30m", "check": ["make", "test"]}]},
        {"limits": {"global_timeout": 90, "per_tool": {"claude": 2}, "budget_usd": 0.5}},
        {"agents": {"a": {"command": ["ls"], "env": "minimal", "pass_env": ["A"]}}},
    ],
)
def test_right_plans(schema: Draft202012Validator, plan: dict[str, Any]) -> None:
    """Durations are numbers or texts; tables, lists and choices are taken as the command does."""
    schema.validate(plan)


@pytest.mark.parametrize(
    "plan",
    [
        {"subgoal": []},
        {"subgoals": [{"description": "no id"}]},
        {"subgoals": [{"id": "a", "depend_on": ["b"]}]},
        {"subgoals": [{"id": "a", "timeout": "soon"}]},
        {"subgoals": [{"id": "a", "timeout": 0}]},
        {"subgoals": [{"id": "a", "on_dependency_failure": "retry"}]},
        {"limits": {"max_concurrent": 0}},
        {"agents": {"a": {"command": "ls -l"}}},
        {"agents": {"a": {"command": []}}},
    ],
)
def test_wrong_plans(schema: Draft202012Validator, plan: dict[str, Any]) -> None:
    """What the command refuses for its shape is refused here too."""
    with pytest.raises(ValidationError):
        schema.validate(plan)
