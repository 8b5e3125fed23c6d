"""Bounded output and lines, for any chunks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner.output import Capture, Lines

chunked = st.lists(st.binary(max_size=40), max_size=30)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=200)


def lines_of(chunks: list[bytes]) -> list[str]:
    """The lines of chunks, the last one ended."""
    lines = Lines()
    found = [line for chunk in chunks for line in lines.feed(chunk)]
    return found + lines.feed(b"", final=True)


@given(chunked, st.integers(0, 100))
def test_head_and_tail_are_kept(chunks: list[bytes], limit: int) -> None:
    """F4: of any chunks the first quarter and the last three quarters of the limit are kept, and
    the rest is counted exactly."""
    capture = Capture(limit)
    for chunk in chunks:
        capture.feed(chunk)
    whole = b"".join(chunks)
    head = limit // 4
    surplus = max(len(whole) - limit, 0)
    assert bytes(capture) == whole[:head] + whole[head + surplus :]
    assert capture.dropped == surplus


@given(chunked, st.integers(0, 100))
def test_looking_changes_nothing(chunks: list[bytes], limit: int) -> None:
    """What is kept does not depend on whether somebody looked in between."""
    watched, alone = Capture(limit), Capture(limit)
    for chunk in chunks:
        watched.feed(chunk)
        alone.feed(chunk)
        _ = watched.dropped, bytes(watched), watched.text()
    assert (bytes(watched), watched.dropped) == (bytes(alone), alone.dropped)


@given(chunked)
def test_text_within_the_limit_is_plain_decoding(chunks: list[bytes]) -> None:
    """F7: text that fits is the bytes decoded, with U+FFFD for what is no UTF-8, and no remark."""
    capture = Capture(10_000)
    for chunk in chunks:
        capture.feed(chunk)
    assert capture.text() == b"".join(chunks).decode("utf-8", "replace")


def test_a_gap_says_its_size() -> None:
    """F4: where bytes were dropped the text says how many, between head and tail."""
    capture = Capture(8)
    capture.feed(b"abcdefghijkl")
    assert capture.text() == "ab\n[... 4 bytes left out ...]\nghijkl"


@given(st.lists(texts), st.randoms(use_true_random=False))
def test_lines_do_not_depend_on_chunks(lines: list[str], random) -> None:
    """F8: the lines are the same wherever reads cut them, inside a character too."""
    expected = [part for line in lines for part in line.split("\n")]
    data = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(random.randint(0, len(data)) for _ in range(10))
    borders = [0, *cuts, len(data)]
    assert lines_of([data[a:b] for a, b in pairwise(borders)]) == expected


@given(chunked)
def test_lines_lose_nothing(chunks: list[bytes]) -> None:
    """F5, F7: joined again the lines are the text, carriage returns at their ends apart."""
    text = b"".join(chunks).decode("utf-8", "replace")
    expected = [line.removesuffix("\r") for line in text.split("\n")]
    if expected[-1] == "" and not text.endswith("\r"):
        expected.pop()
    assert lines_of(chunks) == expected


def test_a_line_is_told_when_it_is_complete() -> None:
    """A line is handed on with its newline, not before and not later."""
    lines = Lines()
    assert lines.feed(b"one") == []
    assert lines.feed(b"\ntwo\r\nthr") == ["one", "two"]
    assert lines.feed(b"ee", final=True) == ["three"]


def test_a_long_line_stays_whole() -> None:
    """F5: a line of 300 kB in many reads is one line."""
    assert lines_of([b"x" * 1000] * 300) == ["x" * 300_000]


def test_output_without_newlines_comes_in_pieces() -> None:
    """F4: a line beyond 1 MiB is handed on in pieces, and nothing of it is lost."""
    lines = Lines()
    pieces = [piece for _ in range(80) for piece in lines.feed(b"x" * 65536)]
    assert len(pieces) >= 4
    assert max(map(len, pieces)) <= 2**20 + 65536
    assert "".join([*pieces, *lines.feed(b"", final=True)]) == "x" * 80 * 65536
