"""Every error of a plan: one line each, in one pass, with its place and the way out."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from aurora_soar.plan import PlanError, load_plan


def problems(folder: Path, text: str, name: str = "plan.toml") -> list[str]:
    """The lines that a plan file is refused with, without the folder in them."""
    path = folder / name
    path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    with pytest.raises(PlanError) as refused:
        load_plan(path)
    return str(refused.value).replace(f"{folder}/", "").splitlines()


SUBGOAL = """
    [[subgoals]]
    id = "web"
    description = "Build it."
"""


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (
            'depend_on = ["api"]',
            'plan.toml:4: unknown key "depend_on" in subgoal "web". Did you mean "depends_on"?',
        ),
        (
            'check = "pytest -q"',
            'plan.toml:4: "check" in subgoal "web": '
            'must be a list of words, as in ["make", "test"]',
        ),
        (
            'timeout = "5 apples"',
            'plan.toml:4: "timeout" in subgoal "web": "5 apples" is no duration; '
            'write seconds, or "90s", "30m", "2h", "1h30m"',
        ),
        (
            "timeout = 0",
            'plan.toml:4: "timeout" in subgoal "web": must be more than 0 seconds, not 0',
        ),
        ("retries = -1", 'plan.toml:4: "retries" in subgoal "web": must be at least 0, not -1'),
        (
            'retries = "two"',
            'plan.toml:4: "retries" in subgoal "web": must be a whole number, not \'two\'',
        ),
        (
            "is_critical = 1",
            'plan.toml:4: "is_critical" in subgoal "web": must be true or false, not 1',
        ),
        (
            'depends_on = "api"',
            'plan.toml:4: "depends_on" in subgoal "web": must be a list, not \'api\'',
        ),
        (
            'on_dependency_failure = "continue"',
            'plan.toml:4: "on_dependency_failure" in subgoal "web": '
            "must be 'skip', 'run' or 'stop', not 'continue'",
        ),
        (
            'description_file = "web.md"',
            'plan.toml:4: subgoal "web" has both "description" and "description_file": keep one',
        ),
        (
            'agent = ""',
            'plan.toml:4: "agent" in subgoal "web": must be more than nothing, not \'\'',
        ),
    ],
)
def test_a_wrong_key_of_a_subgoal(tmp_path: Path, rest: str, told: str) -> None:
    """A wrong key of a subgoal is told with its line, its subgoal and what would be right."""
    (tmp_path / "web.md").write_text("Build it.")
    assert problems(tmp_path, f"{SUBGOAL}    {rest}\n") == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('nam = "x"', 'plan.toml:1: unknown key "nam". Did you mean "name"?'),
        (
            "zzz = 1",
            'plan.toml:1: unknown key "zzz". There are name, limits, defaults, agents, subgoals.',
        ),
        (
            "limits.max_concurrent = 0",
            'plan.toml:1: "max_concurrent" in limits: must be at least 1, not 0',
        ),
        (
            "limits.budget_usd = 0",
            'plan.toml:1: "budget_usd" in limits: must be more than 0, not 0',
        ),
        (
            "limits.per_tool.cluade = 2",
            'plan.toml:1: unknown tool "cluade" in limits. Did you mean "claude"?',
        ),
        ("defaults = 3", 'plan.toml:1: "defaults": must be a table, not 3'),
        ("subgoals = [3]", "plan.toml:1: subgoal 1 must be a table, not 3"),
        ("agents.coder = 3", 'plan.toml:1: agent "coder" must be a table, not 3'),
        (
            'agents.coder.tool = "cluade"',
            'plan.toml:1: unknown tool "cluade" in agent "coder". Did you mean "claude"?',
        ),
        (
            'agents.coder.tool = "word"',
            'plan.toml:1: unknown tool "word" in agent "coder". '
            "There are claude, codex, gemini, opencode, llm, acp, command, extract.",
        ),
        (
            'agents.coder = { tool = "claude", command = ["make"] }',
            'plan.toml:1: there are both "tool" and "command" in agent "coder": '
            "a program needs no tool",
        ),
        (
            'agents.coder.tool = "command"',
            'plan.toml:1: "tool" is "command", but there is no "command" in agent "coder": '
            "name the program and arguments",
        ),
        (
            'agents.tests.command = "make test"',
            'plan.toml:1: "command" in agent "tests": '
            'must be a list of words, as in ["make", "test"]',
        ),
        (
            "agents.tests.command = []",
            'plan.toml:1: "command" in agent "tests": must be more than nothing, not []',
        ),
        (
            'agents.coder.fallback = "other"',
            'plan.toml:1: agent "coder" has the fallback "other", which is no agent here.',
        ),
        (
            'agents.a = { tool = "claude", fallback = "b" }\n'
            'agents.b = { tool = "codex", fallback = "a" }',
            "plan.toml:1: fallbacks form a cycle: a -> b -> a",
        ),
        (
            'agents.coder = { description = "Codes.", base = "codr" }\n'
            'agents.cook = { description = "Cooks." }',
            'plan.toml:1: agent "coder" has the base "codr", which is no agent here.',
        ),
        (
            'agents.architect.base = "codr"\nagents.coder.description = "Codes."',
            'plan.toml:1: agent "architect" has the base "codr", which is no agent here. '
            'Did you mean "coder"?',
        ),
        (
            'agents.a.base = "b"\nagents.b.base = "a"',
            "plan.toml:1: agents form a cycle: a -> b -> a",
        ),
        (
            'subgoals = [{ id = "web" }]',
            'plan.toml:1: subgoal "web" needs a "description": agent "web" is no program',
        ),
        ("subgoals = [{}]", 'plan.toml:1: "id" is missing in subgoal 1'),
        (
            'name = "x"\nname = "y"\n',
            "plan.toml:2: not valid TOML: Cannot overwrite a value (column 11)",
        ),
        (
            "\n\nname =",
            "plan.toml:1: not valid TOML: Invalid value (end of the file)",
        ),
    ],
)
def test_a_wrong_part_of_a_plan(tmp_path: Path, text: str, told: str) -> None:
    """A wrong part of a plan is told with its line and what would be right."""
    assert problems(tmp_path, text) == [told]


def test_references_between_subgoals(tmp_path: Path) -> None:
    """F42: unknown, own and circular dependencies and doubled ids are told, the circle printed."""
    told = problems(
        tmp_path,
        """
        subgoals = [
          { id = "api", description = "x", depends_on = ["tests"] },
          { id = "tests", description = "x", depends_on = ["api"] },
          { id = "api", description = "x" },
          { id = "web", description = "x", depends_on = [
            "web",
            "aip",
          ] },
          { id = "docs", description = "x", depends_on = ["web", "notes"] },
          { id = "notes", description = "x", depends_on = ["docs"] },
        ]
        """,
    )
    assert told == [
        "plan.toml:2: subgoals form a cycle: api -> tests -> api",
        'plan.toml:4: there is another subgoal "api"',
        'plan.toml:6: subgoal "web" depends on itself',
        'plan.toml:7: subgoal "web" depends on "aip", which is no subgoal. Did you mean "api"?',
        "plan.toml:9: subgoals form a cycle: docs -> notes -> docs",
    ]


def test_circles_with_common_members(tmp_path: Path) -> None:
    """F42: circles that meet are told together, each as often as it has to be broken: once."""
    told = problems(
        tmp_path,
        """
        subgoals = [
          { id = "api", description = "x", depends_on = ["tests"] },
          { id = "tests", description = "x", depends_on = ["api", "web"] },
          { id = "web", description = "x", depends_on = ["tests"] },
        ]
        """,
    )
    assert told == [
        "plan.toml:2: subgoals form a cycle: api -> tests -> api",
        "plan.toml:3: subgoals form a cycle: tests -> web -> tests",
    ]


def test_all_errors_come_in_one_pass(tmp_path: Path) -> None:
    """Errors of every kind are told together, in the order of the file, each once."""
    told = problems(
        tmp_path,
        '''
        limits = { max_concurrent = 0 }

        [agents.coder]
        tool = "cluade"

        [[subgoals]]
        id = "web"
        depend_on = ["api"]
        description = """
        [[subgoals]]
        id = "not a table, only text"
        """

        [[subgoals]]
        id = "api"
        description_file = "missing.md"
        depends_on = ["wbe"]
        ''',
    )
    assert [line.split(": ")[0] for line in told] == [
        "plan.toml:1",
        "plan.toml:4",
        "plan.toml:8",
        "plan.toml:16",
        "plan.toml:17",
    ]
    assert told[3] == (
        'plan.toml:16: description_file "missing.md" cannot be read: No such file or directory'
    )


def test_a_json_plan_is_told_of_with_lines_too(tmp_path: Path) -> None:
    """The keys of a JSON plan have lines like those of a TOML one."""
    told = problems(
        tmp_path,
        """
        {"subgoals": [
          {"id": "web",
           "descr\\u0069ption_": "x"}
        ]}
        """,
        "plan.json",
    )
    assert told == [
        'plan.json:2: subgoal "web" needs a "description": agent "web" is no program',
        'plan.json:3: unknown key "description_" in subgoal "web". Did you mean "description"?',
    ]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("plan.json", b"{\n,}", "plan.json:2: not valid JSON: "),
        ("plan.json", b"[]", 'plan.json: must be an object: { "subgoals": [...] }'),
        ("plan.json", b"[" * 100_000, "plan.json: is nested too deeply"),
        ("plan.toml", b"# \xff", "plan.toml:1: is not UTF-8 text"),
        ("plan.yaml", b"a: [", "plan.yaml:1: not valid YAML: "),
        ("plan.yaml", b"a: 1\na: 2\n", 'plan.yaml:2: the key "a" stands twice'),
        ("plan.yml", b"x: 1\non: 2\n", "plan.yml:2: the key on is no text; put it in quotes"),
        ("plan.yaml", b"- 1", 'plan.yaml: must be an object: { "subgoals": [...] }'),
        (
            "plan.yaml",
            b"name: !!python/object/apply:os.system ['true']",
            "plan.yaml:1: not valid YAML: could not determine a constructor for the tag",
        ),
        ("plan.yaml", b"limits: &a\n  x: *b\n", "plan.yaml:2: not valid YAML: "),
    ],
)
def test_a_file_that_is_no_plan(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    """A file that cannot be parsed is refused in one line."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PlanError) as refused:
        load_plan(tmp_path / name)
    assert str(refused.value).removeprefix(f"{tmp_path}/").startswith(told)
    assert "\n" not in str(refused.value)


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    """A missing plan file and a folder in its place are refused by name."""
    with pytest.raises(PlanError, match=r"none\.toml: there is no such file$"):
        load_plan(tmp_path / "none.toml")
    with pytest.raises(PlanError, match=r": cannot be read: Is a directory$"):
        load_plan(tmp_path)
