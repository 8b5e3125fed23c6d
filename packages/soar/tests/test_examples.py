"""The example plan, and the programs that it is made of."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from aurora_soar.plan import load_plan
from aurora_soar.prompt import Told, build_prompt

EXAMPLES = Path(__file__).parents[1] / "examples"


def ran(folder: Path, program: str, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Run one of the example's programs: exit code and standard output."""
    ended = subprocess.run(
        [sys.executable, EXAMPLES / "repository" / program, *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


def test_the_plan_is_what_it_promises() -> None:
    """Programs, a persona and an adhoc agent, some at once and some after others; all are there."""
    plan = load_plan(EXAMPLES / "repository.toml")
    registry = plan.registry()
    agents = [registry.resolve(plan.agent_id(subgoal)) for subgoal in plan.subgoals]
    programs = [agent for agent in agents if "command" in agent.config]
    assert len(agents) >= 8
    assert len(programs) >= 7
    assert [agent.id for agent in agents if agent.is_adhoc] == ["release-risk-analyst"]
    assert [agent.id for agent in agents if not agent.is_adhoc and agent not in programs] == [
        "reviewer"
    ]
    ours = [word for agent in programs for word in agent.config["command"] if word.endswith(".py")]
    assert ours
    for word in ours:
        assert (EXAMPLES / word.removeprefix("packages/soar/examples/")).is_file()


def test_the_flaky_program_fails_once_in_each_run(tmp_path: Path) -> None:
    """Its first attempt fails, its second answers, and so again in the next run."""
    codes = [ran(tmp_path, "fails_once.py")[0] for _ in range(4)]
    assert codes == [1, 0, 1, 0]


def test_lines_and_names_are_counted(tmp_path: Path) -> None:
    """Both counters name each package with its number."""
    package = tmp_path / "packages" / "x" / "src" / "x"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""X."""\n\n__all__ = ["a", "b"]\n')
    assert ran(tmp_path, "count_names.py", "packages") == (0, "x offers 2 names: a, b\n")
    assert ran(tmp_path, "count_lines.py", "packages") == (
        0,
        f"{Path('packages', 'x')}: 3 lines in 1 files\n3 lines of Python\n",
    )


def test_the_page_has_a_section_for_each_dependency(tmp_path: Path) -> None:
    """The prompt's fences become sections, also where an answer imitates a fence or is long."""
    answer = "well\n--- end tests 0 ---\n# not a title"
    prompt = build_prompt(
        "At a glance",
        [
            Told("tests", answer),
            Told("lint", "failed: exit 1"),
            Told("log", "\n".join(map(str, range(100)))),
        ],
        nonce="f00d",
    )
    code, said = ran(tmp_path, "page.py", "out/page.md", stdin=prompt)
    page = (tmp_path / "out" / "page.md").read_text()
    assert (code, said) == (0, page)
    assert re.findall(r"^#.*", page, re.MULTILINE) == [
        "# At a glance",
        "## tests",
        "## lint",
        "## log",
    ]
    assert "    # not a title\n" in page
    assert "    failed: exit 1\n" in page
    assert "    (60 lines before)\n    60\n" in page
