"""How relevant texts are to a question, by the words that they share: BM25; pure.

S. Robertson and H. Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, Foundations
and Trends in Information Retrieval 3(4), 2009. A word weighs the more, the fewer texts have it;
its second and third time in a text counts less than its first, and a long text has to say it more
often than a short one. Each word of the question counts once.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Relevance", "rare", "relevances"]

# How soon repetition stops to count, and how much a text's length does: the usual values, for which
# nothing has to be learned from examples.
_K1 = 1.2
_B = 0.75

_WORD = re.compile(r"[^\W_]{2,}")

# Words that say nothing of a subject: those of every sentence, and those of every task.
_EMPTY = frozenset(
    _WORD.findall(
        """
    about after all also an and any are as at be been before but by can do does each every for from
    get give had has have how if in into is it its let make many more most must need no not of on
    one only or other our out over please should so some such than that the their them then there
    these they this those to too up use used using very want was we were what when where which while
    who why will with work you your
    act agent expert help specialist subgoal task
    """
    )
)


@dataclass(frozen=True, slots=True)
class Relevance:
    """How relevant a text is.

    Attributes:
        score: 0 or more; comes from no other scale than that of the same texts, see `rare`.
        words: The words of the question that the text has, those that weigh most first; as the
            question has them, in lower case.
    """

    score: float
    words: tuple[str, ...]


def relevances(question: str, texts: Sequence[str]) -> list[Relevance]:
    """How relevant each text is to a question, in the order of the texts."""
    counts = [Counter(map(_stem, _words(text))) for text in texts]
    lengths = [count.total() for count in counts]
    average = sum(lengths) / len(lengths) if any(lengths) else 1.0
    asked = {_stem(word): word for word in reversed(_words(question))}
    having = {stem: sum(stem in count for count in counts) for stem in asked}

    def relevance(count: Counter[str], length: int) -> Relevance:
        fade = _K1 * (1 - _B + _B * length / average)
        weights = {
            asked[stem]: _weight(having[stem], len(texts)) * times * (_K1 + 1) / (times + fade)
            for stem, times in ((stem, count[stem]) for stem in asked)
            if times
        }
        ordered = sorted(weights, key=lambda word: (-weights[word], word))
        return Relevance(sum(weights.values()), tuple(ordered))

    return list(map(relevance, counts, lengths))


def rare(texts: int) -> float:
    """What a word weighs that one of so many texts has, once, if that is of average length."""
    return _weight(1, texts)


def _weight(having: int, texts: int) -> float:
    """The inverse document frequency; with 1 added, so that no word speaks against a text."""
    return math.log(1 + (texts - having + 0.5) / (having + 0.5))


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.casefold()) if word not in _EMPTY]


def _stem(word: str) -> str:
    """A word without its plural (D. Harman, How effective is suffixing?, JASIS 42(1), 1991).

    A `cookie` becomes a `cooky`, as its plural does there.
    """
    if word.endswith(("ies", "ie")) and not word.endswith(("eies", "aies")):
        return f"{word.removesuffix('s')[:-2]}y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")):
        return word[:-1]
    return word
