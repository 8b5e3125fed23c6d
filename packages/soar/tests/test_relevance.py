"""How relevant texts are to a question."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_soar.relevance import rare, relevances

WORDS = st.lists(st.sampled_from(["cookie", "token", "schema", "docs", "audit"]), max_size=6)


def test_the_score_is_that_of_the_formula() -> None:
    """A score is BM25's, with k1 = 1.2 and b = 0.75, worked out by hand here."""
    first, second = relevances("token audit", ["token token schema", "audit"])
    # Of two texts one has the word; the lengths are 3 and 1, on average 2.
    weight = math.log(1 + 1.5 / 1.5)
    assert first.score == pytest.approx(weight * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2)))
    assert second.score == pytest.approx(weight * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 1 / 2)))
    assert (first.words, second.words) == (("token",), ("audit",))


def test_a_rare_word_of_average_length_is_the_measure() -> None:
    """`rare` is the score of one word that one text of average length has once."""
    scores = [each.score for each in relevances("token", ["token schema", "audit docs"])]
    assert scores == [pytest.approx(rare(2)), 0.0]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Map COOKIES", "the Cookie"),
        ("two queries", "a query"),
        ("which databases", "one database"),
        ("classes", "Classes"),
        ("Prüfe die Straßen", "STRASSEN"),
    ],
)
def test_case_and_plural_make_no_difference(question: str, text: str) -> None:
    """A word is found in its other number, and in capitals."""
    (found,) = relevances(question, [text])
    assert found.score > 0


def test_words_that_say_nothing_count_nothing() -> None:
    """What every sentence or every task has is no word in common."""
    (found,) = relevances("You are to do the work of an expert", ["the expert agent does work"])
    assert (found.score, found.words) == (0.0, ())


def test_the_words_that_weigh_most_come_first() -> None:
    """The words in common are told by their weight: what only one text has, before the others."""
    found = relevances("Token and widget audit", ["token widget", "token", "audit docs token"])
    assert found[0].words == ("widget", "token")


@given(WORDS, st.lists(WORDS, max_size=5))
def test_more_of_the_question_never_hurts(question: list[str], texts: list[list[str]]) -> None:
    """Scores are never negative, and zero exactly where no word is shared."""
    joined = [" ".join(text) for text in texts]
    for found, text in zip(relevances(" ".join(question), joined), texts, strict=True):
        assert (found.score > 0) == bool(set(question) & set(text)) == bool(found.words)
