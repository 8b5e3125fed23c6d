"""Callbacks that fail."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aurora_spawner import Quiet


def test_f39_errors_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """F39: what a callback raises is logged once, with its traceback, and it is called again."""
    calls = []

    def broken(*args: object, **kwargs: object) -> None:
        calls.append((args, kwargs))
        raise RuntimeError("broken callback")

    quiet = Quiet(broken)
    with caplog.at_level(logging.WARNING, "aurora_spawner"):
        quiet(1, a=2)
        quiet(3)
    assert calls == [((1,), {"a": 2}), ((3,), {})]
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "broken callback" in str(record.exc_info[1])


def test_each_wrapping_logs_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    """Two broken callbacks are told one time each."""

    def broken() -> None:
        raise RuntimeError

    for quiet in (Quiet(broken), Quiet(broken)):
        quiet()
        quiet()
    assert len(caplog.records) == 2


def test_without_a_callback() -> None:
    """Without a callback it does nothing, and is false."""
    assert not Quiet(None)
    Quiet(None)("anything")
    assert Quiet(print)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_ends_programs_passes(error: type[BaseException]) -> None:
    """An interrupt or a cancellation is no mistake of the callback, and is not swallowed."""

    def interrupted() -> None:
        raise error

    with pytest.raises(error):
        Quiet(interrupted)()
