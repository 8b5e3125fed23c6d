"""What it costs to look for error patterns in output."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from spawning.harness import Contestant, Figures, Row, Verdict, metered
from spawning.peers import OURS

__all__ = ["ROW"]

COST = "ms/MB"
BY_LINE = "(?i) regex per line"
CHUNK = 64 * 1024

PHRASES = (
    "rate limit",
    "too many requests",
    "quota exceeded",
    "429",
    "unauthorized",
    "invalid api key",
    "authentication failed",
    "permission denied",
    "forbidden",
    "model not found",
    "invalid model",
    "connection refused",
    "connection reset",
    "network unreachable",
    "service unavailable",
    "internal server error",
    "bad gateway",
    "overloaded",
    "context length exceeded",
    "out of credits",
)

ROW = Row(
    f"scanning: {len(PHRASES)} error patterns in 16 MB of log without one, in chunks of 64 KiB",
    columns=(COST,),
    baseline=BY_LINE,
    sizes={"megabytes": 16},
    quick={"megabytes": 4},
    rounds=5,
)


def _chunks(megabytes: int) -> list[bytes]:
    """Log-like text without any of the phrases, the same every time."""
    draw = random.Random(7)
    words = ["INFO", "Reading", "src/auth/tokens.py", "tests", "ok", "wrote", "17", "lines", "in"]
    lines = [" ".join(draw.choices(words, k=draw.randint(4, 16))) for _ in range(2000)]
    block = "\n".join(lines).encode()
    text = block * (megabytes * 1_000_000 // len(block) + 1)
    return [text[start : start + CHUNK] for start in range(0, megabytes * 1_000_000, CHUNK)]


def job(scanner: Callable[[], Callable[[bytes], object]], megabytes: int) -> Figures:
    """Scan it all."""
    chunks = _chunks(megabytes)
    scan = scanner()
    with metered() as cost:
        for chunk in chunks:
            scan(chunk)
        spent = cost()
    return {COST: spent.cpu * 1e3 / (len(chunks) * CHUNK / 1e6)}


def by_line() -> Callable[[bytes], object]:
    """Split into lines and try every pattern on each."""
    patterns = [re.compile(f"(?i){re.escape(phrase)}") for phrase in PHRASES]

    def scan(chunk: bytes) -> None:
        for line in chunk.decode("utf-8", "replace").splitlines():
            for pattern in patterns:
                if pattern.search(line):
                    raise AssertionError(line)

    return scan


def by_chunk() -> Callable[[bytes], object]:
    """Lower the chunk and look for every phrase in it; a phrase on a border is missed."""
    needles = [phrase.encode() for phrase in PHRASES]

    def scan(chunk: bytes) -> None:
        lowered = chunk.lower()
        for needle in needles:
            if needle in lowered:
                raise AssertionError(needle)

    return scan


def ours() -> Callable[[bytes], object]:
    """The watch, with the phrases as patterns that would stop."""
    from aurora_spawner.detection import Pattern, Watch, WatchRules
    from aurora_spawner.failures import FailureType

    phrases = [Pattern(phrase.encode(), phrase, FailureType.CRASH) for phrase in PHRASES]
    watch = Watch(WatchRules(timeout=60.0, max_timeout=60.0, terminal=phrases), 0.0)

    def scan(chunk: bytes) -> None:
        assert watch.saw("stderr", chunk, 1.0) is None

    return scan


ROW.add(
    Contestant(BY_LINE, partial(job, by_line)),
    Contestant("lowered chunk + find", partial(job, by_chunk)),
    Contestant(OURS, partial(job, ours), modules=("aurora_spawner",)),
)


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """At most 12 ms/MB."""
    cost = figures[OURS][COST]
    yield Verdict("at most 12 ms/MB", f"{cost:.1f} ms/MB", cost <= 12.0)


ROW.judge = judge
