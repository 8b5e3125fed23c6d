"""The graph of a plan, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aurora_soar.plan import draw, load_plan

if TYPE_CHECKING:
    Command = Any


def plan(folder: Path, **needs: list[str]) -> Any:
    lines = ['[agents.a]\ncommand = ["true"]']
    for name, needed in needs.items():
        lines.append(f'[[subgoals]]\nid = "{name}"\nagent = "a"\ndepends_on = {needed!r}')
    (folder / "plan.toml").write_text("\n".join(lines))
    return load_plan(folder / "plan.toml")


def test_a_tree(tmp_path: Path) -> None:
    """Each subgoal stands once, below the latest that it waits for; the others are named."""
    drawn = draw(
        plan(tmp_path, top=[], left=["top"], right=["top"], end=["right", "left"], alone=[]), "text"
    )
    assert list(drawn) == [
        "top",
        "├── left",
        "└── right",
        "    └── end  (and after left)",
        "alone",
    ]


def test_a_long_chain(tmp_path: Path) -> None:
    """However long a chain is, it is drawn."""
    needs = {f"s{number}": [f"s{number - 1}"] if number else [] for number in range(1500)}
    assert len(list(draw(plan(tmp_path, **needs), "text"))) == 1500


def test_mermaid(soar: Command) -> None:
    """Mermaid gets numbered nodes with labels that no id can break out of."""
    name = soar.plan(
        r"""
        [agents.a]
        command = ["true"]
        [[subgoals]]
        id = 'say "#1"'
        agent = "a"
        [[subgoals]]
        id = "then"
        agent = "a"
        depends_on = ['say "#1"']
        """
    )
    ended = soar.run("check", name, "--graph", "mermaid")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "flowchart LR",
        '    s0["say #quot;#35;1#quot;"]',
        '    s1["then"]',
        "    s0 --> s1",
    ]


@pytest.mark.parametrize("form", ["text", "mermaid"])
def test_nothing_to_draw(tmp_path: Path, form: Any) -> None:
    """F43: an empty plan has an empty drawing."""
    assert len(list(draw(plan(tmp_path), form))) == (form == "mermaid")
