"""The README's examples."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

if TYPE_CHECKING:
    Command = Any

README = Path(__file__).parents[1] / "README.md"

# What differs from run to run: the time of day, the run's id, where Python is, durations.
CHANGING = [
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"runs/\w{4}/", "runs/ID/"),
    (r"^run \w{4}:", "run ID:"),
    (r'"run": "\w{4}"', '"run": "ID"'),
    (r"extract \(.*\)", "extract (PYTHON)"),
    (r"\b0:0\d\b", "0:0N"),
]


def unchanging(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, replacement in CHANGING:
        text = re.sub(pattern, replacement, text)
    return text


def test_the_examples_run(soar: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every plan is written, every command prints what stands below it, every Python block runs."""
    monkeypatch.chdir(soar.folder)
    (soar.folder / "wrong.toml").write_text(
        "[[subgoals]]\n"
        'id = "number"\n'
        'description = "x"\n'
        'depend_on = ["files"]\n'
        "retry = 3\n"
        "[[subgoals]]\n"
        'id = "a"\n'
        'depends_on = ["b"]\n'
        'description = "x"\n'
        "[[subgoals]]\n"
        'id = "b"\n'
        'depends_on = ["a"]\n'
        'description = "x"\n'
    )

    (soar.folder / "survey.toml").write_text(
        "[agents.architect]\n"
        'description = "Security architect: sessions, cookies and tokens."\n'
        "[agents.dba]\n"
        'description = "Databases: schemas, migrations and slow queries."\n'
        "[[subgoals]]\n"
        'id = "survey"\n'
        'description = "Map where cookies and tokens are kept."\n'
        "[[subgoals]]\n"
        'id = "shed"\n'
        'description = "Paint the shed."\n'
    )

    def write_plan(example: Example) -> None:
        soar.plan(example.parsed)

    def run_command(example: Example) -> None:
        line, _, expected = example.parsed.partition("\n")
        ended = soar.run(*line.removeprefix("$ aurora-soar ").split())
        got = ended.out + ended.err
        assert doctest.OutputChecker().check_output(
            unchanging(expected), unchanging(got), doctest.ELLIPSIS
        ), got

    document = Sybil(
        parsers=[
            CodeBlockParser("toml", write_plan),
            CodeBlockParser("console", run_command),
            PythonCodeBlockParser(),
        ]
    ).parse(README)
    examples = list(document.examples())
    assert len(examples) == 10
    for example in examples:
        example.evaluate()
