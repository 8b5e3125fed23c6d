"""Calls other people's callbacks: what they raise is logged once and ignored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec

__all__ = ["Quiet"]

_P = ParamSpec("_P")
_log = logging.getLogger("aurora_spawner")


class Quiet(Generic[_P]):
    """A callback that cannot hurt its caller. Without one to wrap, it does nothing and is false."""

    __slots__ = ("_callback", "_failed")

    def __init__(self, callback: Callable[_P, object] | None) -> None:
        self._callback = callback
        self._failed = False

    def __bool__(self) -> bool:
        return self._callback is not None

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> None:
        if self._callback is None:
            return
        try:
            self._callback(*args, **kwargs)
        except Exception:
            if not self._failed:
                self._failed = True
                _log.warning("a callback failed; its errors are ignored", exc_info=True)
