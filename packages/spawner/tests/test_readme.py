"""The README's examples."""

from pathlib import Path

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run():
    """Every Python block of the README runs, in order, and what it asserts holds."""
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(README)
    examples = list(document.examples())
    assert len(examples) >= 8
    for example in examples:
        example.evaluate()
