"""`extract`, the tool without a model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner.tools.extract import extract

prompts = st.text(st.characters(codec="utf-8"), max_size=300)


def test_it_chooses_what_belongs_to_the_question() -> None:
    """Lines that share rare words with the question come before others."""
    noise = [f"filler line about nothing number {n}" for n in range(30)]
    prompt = ["Who painted the ceiling?", *noise, "The ceiling was painted by Michelangelo."]
    assert "Michelangelo" in extract("\n".join(prompt), limit=3)


def test_it_says_what_it_is() -> None:
    """The first line says that no model answered, and how many lines of how many follow."""
    assert extract("one line\n\ntwo lines\n", limit=1).splitlines()[0] == (
        "[extract: no model; the 1 most relevant of 2 lines]"
    )


@given(prompts, st.integers(0, 20))
def test_lines_of_the_prompt_in_their_order(prompt: str, limit: int) -> None:
    """Whatever the prompt, at most `limit` of its lines come, unchanged but for blanks at their
    ends, in their order, and never an error."""
    lines = [line.strip() for line in prompt.splitlines() if line.strip()]
    head, *chosen = extract(prompt, limit).split("\n")
    assert head.startswith("[extract: no model; ")
    assert len(chosen) == min(limit, len(lines))
    remaining = iter(lines)
    assert all(line in remaining for line in chosen)


@given(prompts)
def test_it_is_deterministic(prompt: str) -> None:
    """The same prompt gets the same answer."""
    assert extract(prompt) == extract(prompt)
