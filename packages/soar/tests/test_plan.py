"""What a valid plan says."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_soar.plan import Plan, PlanError, load_plan, longest_duration, rounds
from aurora_spawner import parse_duration


def written(folder: Path, text: str, name: str = "work.toml") -> Plan:
    """The plan of that text."""
    path = folder / name
    path.write_text(dedent(text), encoding="utf-8")
    return load_plan(path)


def test_a_whole_plan(tmp_path: Path) -> None:
    """Every key is read, and what a subgoal does not say comes from the defaults."""
    (tmp_path / "api.md").write_text("Write the API.\n", encoding="utf-8")
    plan = written(
        tmp_path,
        """
        name = "auth-rewrite"
        limits = { max_concurrent = 4, global_timeout = "2h" }
        defaults = { agent = "coder", timeout = "30m", retries = 1 }

        [agents.coder]
        tool = "claude"

        [[subgoals]]
        id = "survey"
        description = "Map cookie use."

        [[subgoals]]
        id = "api"
        description_file = "api.md"
        agent = "somebody"
        depends_on = ["survey"]
        on_dependency_failure = "run"
        timeout = 5
        retries = 0
        is_critical = true
        """,
    )
    survey, api = plan.subgoals
    assert (plan.name, plan.limits.max_concurrent, plan.limits.global_timeout) == (
        "auth-rewrite",
        4,
        7200.0,
    )
    assert (plan.agent_id(survey), plan.timeout(survey), plan.retries(survey)) == (
        "coder",
        1800.0,
        1,
    )
    assert (plan.agent_id(api), plan.timeout(api), plan.retries(api)) == ("somebody", 5.0, 0)
    assert (api.description, api.depends_on, api.on_dependency_failure, api.is_critical) == (
        "Write the API.\n",
        ("survey",),
        "run",
        True,
    )


def test_an_empty_plan_is_a_plan(tmp_path: Path) -> None:
    """F43: an empty file is a plan without subgoals, called like its file."""
    plan = written(tmp_path, "")
    assert (plan.name, plan.subgoals, rounds(plan), longest_duration(plan)) == ("work", (), [], 0.0)


def test_toml_and_json_mean_the_same(tmp_path: Path) -> None:
    """The same data is the same plan in either format."""
    data = {"name": "x", "subgoals": [{"id": "a", "description": "b", "timeout": "1m"}]}
    toml = 'name = "x"\n[[subgoals]]\nid = "a"\ndescription = "b"\ntimeout = "1m"\n'
    assert written(tmp_path, toml) == written(tmp_path, json.dumps(data), "work.json")


def test_yaml_and_json_mean_the_same(tmp_path: Path) -> None:
    """YAML is read into the same model, and an error of it is told with its line."""
    data = {"name": "work", "subgoals": [{"id": "a", "description": "A.", "retries": 0}]}
    (tmp_path / "work.json").write_text(json.dumps(data))
    text = "name: work\nsubgoals:\n  - id: a\n    description: A.\n    retries: 0\n"
    assert written(tmp_path, text, "work.yaml") == load_plan(tmp_path / "work.json")
    with pytest.raises(PlanError, match=r'work\.yml:5: unknown key "retires" in subgoal "a"'):
        written(tmp_path, text.replace("retries", "retires"), "work.yml")


def test_an_agent_takes_tool_command_and_model_from_its_base_as_one_choice() -> None:
    """An agent that names its own tool does not take the base's model, but all else."""
    plan = Plan.model_validate(
        {
            "name": "work",
            "agents": {
                "coder": {"tool": "claude", "model": "opus", "env": "minimal", "fallback": "b"},
                "b": {"base": "coder", "tool": "codex", "fallback": "c"},
                "c": {"base": "coder", "max_concurrent": 2},
            },
        }
    )
    configs = {agent.id: dict(agent.config) for agent in plan.registry()}
    assert configs["b"] == {"tool": "codex", "env": "minimal", "fallback": "c"}
    assert configs["c"] == {**configs["coder"], "max_concurrent": 2}


def test_a_mark_of_byte_order_is_no_error(tmp_path: Path) -> None:
    """A file that begins with a byte order mark is read like any other."""
    (tmp_path / "work.toml").write_bytes(b'\xef\xbb\xbfname = "x"\n')
    assert load_plan(tmp_path / "work.toml").name == "x"


def test_an_agent_has_what_its_bases_have(tmp_path: Path) -> None:
    """Keys come from the nearest base that has them; tool and command are one choice."""
    registry = written(
        tmp_path,
        """
        [agents.coder]
        tool = "claude"
        description = "Codes."
        [agents.architect]
        base = "coder"
        description = "Decides."
        [agents.lead]
        base = "architect"
        [agents.tests]
        base = "lead"
        command = ["make", "test"]
        [agents.unit]
        base = "tests"
        """,
    ).registry()
    seen = {agent.id: (agent.description, dict(agent.config)) for agent in registry}
    assert seen == {
        "coder": ("Codes.", {"tool": "claude"}),
        "architect": ("Decides.", {"tool": "claude"}),
        "lead": ("Decides.", {"tool": "claude"}),
        "tests": ("Decides.", {"command": ("make", "test")}),
        "unit": ("Decides.", {"command": ("make", "test")}),
    }


def test_a_subgoal_without_an_agent_gets_the_one_called_like_it(tmp_path: Path) -> None:
    """Without `agent` and a default, the agent with the subgoal's id answers, or an adhoc one."""
    plan = written(
        tmp_path,
        """
        [agents.tests]
        command = ["make", "test"]
        [[subgoals]]
        id = "tests"
        [[subgoals]]
        id = "risk analyst"
        description = "Name the risks."
        """,
    )
    registry = plan.registry()
    agents = [registry.resolve(plan.agent_id(subgoal)) for subgoal in plan.subgoals]
    assert [(agent.id, agent.is_adhoc) for agent in agents] == [
        ("tests", False),
        ("risk analyst", True),
    ]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (90, 90),
        (1.5, 1.5),
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h 30m 5s", 5405),
        ("0.5h", 1800),
    ],
)
def test_durations(value: object, seconds: float) -> None:
    """A duration is a number of seconds, or hours, minutes and seconds with their letters."""
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "s",
        "30m2h",
        "1h30",
        "-5s",
        "5 apples",
        "1d",
        "٣",
        0,
        -1,
        "0s",
        True,
        None,
        [],
        float("nan"),
    ],
)
def test_what_is_no_duration(value: object) -> None:
    """Everything else is refused, nothing and less among it."""
    with pytest.raises(ValueError, match=r"is no duration|must be more than 0 seconds"):
        parse_duration(value)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans whose subgoals need some of those before them."""
    subgoals: list[dict[str, object]] = []
    for position in range(draw(st.integers(0, 8))):
        needs = draw(st.sets(st.integers(0, position - 1), max_size=3)) if position else set()
        subgoals.append(
            {
                "id": str(position),
                "depends_on": [str(needed) for needed in needs],
                "timeout": draw(st.integers(1, 100)),
                "retries": draw(st.integers(0, 3)),
            }
        )
    limits = {"max_concurrent": draw(st.integers(1, 4))}
    return Plan.model_validate({"name": "x", "limits": limits, "subgoals": subgoals})


@given(plans())
def test_a_round_needs_only_earlier_ones(plan: Plan) -> None:
    """Each subgoal is in exactly one round, the first after all those of what it depends on."""
    numbers = {subgoal.id: number for number, found in enumerate(rounds(plan)) for subgoal in found}
    assert len(numbers) == len(plan.subgoals)
    for subgoal in plan.subgoals:
        assert numbers[subgoal.id] == max(
            (numbers[needed] + 1 for needed in subgoal.depends_on), default=0
        )


@given(plans())
def test_no_schedule_exceeds_the_longest_duration(plan: Plan) -> None:
    """A greedy run in which every attempt takes its whole timeout ends within the bound."""
    cost = {
        subgoal.id: (plan.retries(subgoal) + 2) * plan.timeout(subgoal) for subgoal in plan.subgoals
    }
    waiting = list(plan.subgoals)
    running: dict[str, float] = {}
    done: set[str] = set()
    now = 0.0
    while waiting or running:
        for subgoal in list(waiting):
            if len(running) < plan.limits.max_concurrent and done.issuperset(subgoal.depends_on):
                waiting.remove(subgoal)
                running[subgoal.id] = now + cost[subgoal.id]
        first = min(running, key=running.__getitem__)
        now = running.pop(first)
        done.add(first)
    assert now <= longest_duration(plan)


def test_the_longest_duration_counts_retries_and_fallback() -> None:
    """A subgoal's work is its attempts, the waits of 2 and 4 s between them, and its fallback."""
    plan = Plan.model_validate(
        {"name": "x", "limits": {"max_concurrent": 2}, "subgoals": [{"id": "a", "timeout": 60}]}
    )
    ending = 10
    with_fallback = 4 * (60 + ending) + 2 + 4
    assert longest_duration(plan) == with_fallback * 1.5
    assert longest_duration(plan, fallback_to_llm=False) == (with_fallback - 60 - ending) * 1.5
