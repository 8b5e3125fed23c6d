"""The first plan that is written for somebody."""

from __future__ import annotations

from pathlib import Path

import pytest

from aurora_soar.cli.first_plan import first_plan
from aurora_soar.cli.programs import find_test_program
from aurora_soar.plan import load_plan


@pytest.mark.parametrize("tests", [None, ["make", "test"]])
@pytest.mark.parametrize("clis", [[], ["codex"], ["claude", "codex", "llm"]])
@pytest.mark.parametrize("name", ["project", 'a "b"\n[x]\\', "\udcff\x7f", ""])
def test_it_is_always_a_plan(
    tmp_path: Path, name: str, clis: list[str], tests: list[str] | None
) -> None:
    """Whatever is here, the text is a valid plan, whose agents use what is here and no more."""
    path = tmp_path / "plan.toml"
    path.write_text(first_plan(name, clis, tests), encoding="utf-8")
    plan = load_plan(path)
    agents = plan.registry()
    assert {agent.config.get("tool") for agent in agents} - {None} == {*clis[:2]}
    programs = [list(agent.config["command"]) for agent in agents if "command" in agent.config]
    assert programs == [["ls"], *([tests] if tests else [])]
    assert plan.name


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Makefile", "all:\ntest: all\n\tpytest\n", ["make", "test"]),
        ("GNUmakefile", "test::\n\techo\n", ["make", "test"]),
        ("Makefile", "test := x\ntesting:\n", None),
        ("package.json", '{"scripts": {"test": "jest"}}', ["npm", "test"]),
        ("package.json", '{"scripts": {"test": "echo \\"Error: no test specified\\""}}', None),
        ("package.json", '["scripts"]', None),
        ("package.json", "{", None),
        ("Cargo.toml", "", ["cargo", "test"]),
        ("go.mod", "", ["go", "test", "./..."]),
        ("pyproject.toml", "", None),
    ],
)
def test_the_program_that_tests(
    tmp_path: Path, name: str, text: str, found: list[str] | None
) -> None:
    """The usual ways to run tests are seen from the files, if their program is on PATH."""
    (tmp_path / name).write_text(text)
    assert find_test_program(tmp_path, lambda program: f"/bin/{program}") == found
    assert find_test_program(tmp_path, lambda program: None) is None


def test_pytest_where_there_are_tests(tmp_path: Path) -> None:
    """A Python project with a folder of tests is tested by pytest."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "tests").mkdir()
    assert find_test_program(tmp_path, lambda program: program) == ["pytest", "-q"]
