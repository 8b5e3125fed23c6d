"""What an agent is asked: its subgoal, and what it was told to build on; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ANSWER_BUDGET", "Told", "build_prompt"]

ANSWER_BUDGET = 48_000
"""Characters of other subgoals' answers in one prompt: some 12,000 tokens, which leaves most of
every model's window to the work itself."""

# What an answer says first and what it says last matter most; agents conclude at the end.
_HEAD = 0.25


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a subgoal that another one depends on.

    Attributes:
        name: What it is called.
        text: Its answer, or how it failed.
        kept_at: A file that holds all of it; None if there is none.
    """

    name: str
    text: str
    kept_at: str | None = None


def build_prompt(
    description: str,
    needs: Sequence[Told],
    *,
    nonce: str,
    background: str = "",
    budget: int = ANSWER_BUDGET,
) -> str:
    """The subgoal's description and as few words around it as possible.

    Args:
        description: What is to be done.
        needs: What it is to build on. Each is fenced:

                --- begin NAME NONCE ---
                the answer, or: failed: the error
                --- end NAME NONCE ---
        nonce: A fresh word that no output can know, so that none can imitate the fence.
        background: What stands before everything; empty for nothing.
        budget: Characters that all answers may take together; longer ones lose their middle, and
            a line says how much is left out and where all of it is.
    """
    parts = [background, description]
    shares = _shares([len(each.text.rstrip()) for each in needs], budget)
    for each, share in zip(needs, shares, strict=True):
        said = _cut(each.text.rstrip(), share, each.kept_at)
        parts.append(f"--- begin {each.name} {nonce} ---\n{said}\n--- end {each.name} {nonce} ---")
    return "\n\n".join(part for part in parts if part)


def _shares(lengths: Sequence[int], budget: int) -> list[int]:
    """An even share for each, and what short ones leave goes to the long ones."""
    shares = [0] * len(lengths)
    left = budget
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for done, index in enumerate(order):
        shares[index] = min(lengths[index], left // (len(order) - done))
        left -= shares[index]
    return shares


def _cut(text: str, length: int, kept_at: str | None) -> str:
    if len(text) <= length:
        return text
    head = int(length * _HEAD)
    tail = text[len(text) - (length - head) :] if length > head else ""
    where = f"; all of it: {kept_at}" if kept_at else ""
    return f"{text[:head]}\n[... {len(text) - length} characters left out{where} ...]\n{tail}"
