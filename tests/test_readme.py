"""The README's examples run, and its plan is one."""

import re
from pathlib import Path

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from aurora_soar.plan import load_plan

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run() -> None:
    """Every Python block of the README runs, in order, and what it asserts holds."""
    examples = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(README).examples())
    assert len(examples) == README.read_text().count("```python")
    for example in examples:
        example.evaluate()


def test_the_plan_is_a_plan(tmp_path: Path) -> None:
    """The README's plan loads without a complaint."""
    (toml,) = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    file = tmp_path / "plan.toml"
    file.write_text(toml)
    plan = load_plan(str(file))
    assert [subgoal.id for subgoal in plan.subgoals] == ["survey", "api", "verify"]


def test_the_links_lead_somewhere() -> None:
    """Every link of the README to a file of this repository names one that is there."""
    targets = re.findall(r"\]\((?!http)([^)#]+)", README.read_text())
    assert targets
    for target in targets:
        assert (README.parent / target).exists(), target
