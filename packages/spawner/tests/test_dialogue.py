"""A process that is told more while it runs."""

from __future__ import annotations

import asyncio

import pytest

from aurora_spawner.detection import Detection
from aurora_spawner.process import Dialogue, Limits, ProcessResult, Stream, run_observed
from aurora_spawner.testing import no_leaks

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


class Partner:
    """Answers each line that a process writes, and hangs up after the last answer."""

    def __init__(self, *answers: bytes) -> None:
        self.dialogue = Dialogue()
        self.heard: list[bytes] = []
        self._answers = list(answers)
        self._deadline = asyncio.get_running_loop().time() + 60

    def saw(self, stream: Stream, data: bytes, now: float) -> Detection | None:
        for line in data.splitlines():
            self.heard.append(line)
            if self._answers:
                self.dialogue.say(self._answers.pop(0))
            if not self._answers:
                self.dialogue.hang_up()
        return None

    def due(self) -> float:
        return self._deadline

    def check(self, now: float) -> Detection | None:
        raise AssertionError("nobody hung up")

    def shift(self, seconds: float) -> None:
        self._deadline += seconds


async def talk(partner: Partner, script: str, stdin: bytes = b"", **limits: float) -> ProcessResult:
    return await run_observed(
        ("sh", "-c", script),
        partner,
        stdin=stdin,
        limits=Limits(**limits),
        dialogue=partner.dialogue,
    )


ECHO = 'while read -r line; do echo "got $line"; done'


async def test_it_is_told_more_as_it_answers() -> None:
    """What is said in answer to a line is read, after what was there from the start; when all is
    said the standard input ends, and with it the process."""
    partner = Partner(b"two\n", b"three\nfour\n", b"")
    with no_leaks():
        ended = await talk(partner, f"{ECHO}; echo end", b"one\n")
    assert partner.heard == [b"got one", b"got two", b"got three", b"got four", b"end"]
    assert (ended.exit_code, ended.stopped) == (0, None)


async def test_more_than_a_pipe_holds() -> None:
    """A megabyte that is said while it runs arrives whole."""
    partner = Partner(b"x" * 1_000_000 + b"\n")
    ended = await talk(partner, "echo ready; wc -c")
    assert partner.heard[-1].strip() == b"1000001"
    assert not ended.unread_input


async def test_it_is_ended_if_it_stays() -> None:
    """Who stays after its standard input has ended is ended after the grace, which is no early
    end."""
    partner = Partner(b"")
    with no_leaks():
        ended = await talk(partner, "echo ready; exec sleep 1000", grace=0.05)
    assert (ended.exit_code, ended.stopped) == (-15, None)


async def test_nobody_reads() -> None:
    """Words to a process that has closed its standard input are lost without harm."""
    partner = Partner(b"x" * 100_000, b"")
    ended = await talk(partner, "exec <&-; echo one; echo two; exit 3")
    assert ended.exit_code == 3


async def test_it_ends_first() -> None:
    """A process that ends while it could be told more leaves nothing behind, and later words go
    nowhere."""
    partner = Partner(b"a\n", b"b\n", b"c\n")
    with no_leaks():
        ended = await talk(partner, "echo one; exit 4")
    partner.dialogue.say(b"late")
    partner.dialogue.hang_up()
    assert ended.exit_code == 4
