"""Secrets taken out of streams."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner.redact import REDACTED, Redactor, redact, secrets_in

SECRETS = st.lists(st.text("ab", min_size=1, max_size=5), max_size=4)


@given(
    secrets=SECRETS,
    text=st.text("abc", max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=8),
)
def test_f64_the_borders_of_chunks_do_not_matter(
    secrets: list[str], text: str, cuts: list[int]
) -> None:
    """F64: however a stream is cut, no secret is shown, and what is shown is the same."""
    data = text.encode()
    borders = [0, *sorted(cuts), len(data)]
    redactor = Redactor(secrets)
    shown = b"".join(redactor.feed(data[start:end]) for start, end in pairwise(borders))
    shown += redactor.feed(b"", final=True)
    for piece in shown.split(REDACTED):
        assert not any(secret.encode() in piece for secret in secrets)
    whole = shown.replace(REDACTED, b"")
    assert len(whole) <= len(data)
    if not any(secret in text for secret in secrets):
        assert shown == data


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_f64_a_secret_across_reads(size: int) -> None:
    """F64: a secret that comes in pieces of any size is taken out."""
    data = b"the key is sk-12345678, keep it"
    redactor = Redactor(["sk-12345678"])
    shown = b"".join(redactor.feed(data[at : at + size]) for at in range(0, len(data), size))
    shown += redactor.feed(b"", final=True)
    assert shown == b"the key is [redacted], keep it"


def test_f64_which_values_are_secret() -> None:
    """F64: variables named like a secret count from 8 characters on, named ones always."""
    environment = {
        "OPENAI_API_KEY": "sk-12345678",
        "github_token": "ghp_abcdefgh",
        "DB_PASSWORD": "short",
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "PIN": "1234",
        "EMPTY": "",
    }
    assert secrets_in(environment) == {"sk-12345678", "ghp_abcdefgh"}
    assert secrets_in(environment, ["PIN", "EMPTY", "ABSENT"]) == {
        "sk-12345678",
        "ghp_abcdefgh",
        "1234",
    }


def test_the_longest_secret_wins() -> None:
    """Where one secret begins with another, the longer one is taken out whole."""
    assert redact("a=abcdefgh12 b=abcdefgh", ["abcdefgh", "abcdefgh12"]) == (
        "a=[redacted] b=[redacted]"
    )


def test_nothing_to_hide_changes_nothing() -> None:
    """Without secrets bytes pass through at once, whatever they are."""
    assert Redactor([]).feed(b"\xff\x00abc") == b"\xff\x00abc"
