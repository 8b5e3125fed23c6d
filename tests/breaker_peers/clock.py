"""A clock whose hands move only when told to, in the shape each library reads it.

The wall clock and the monotonic clock are two hands: time that passes moves both, and setting the
wall clock back moves the one alone. Nothing of the system's own clock is touched.
"""

import datetime
from types import SimpleNamespace

EPOCH = 1_700_000_000.0


class Clock:
    """Two hands, in seconds."""

    def __init__(self) -> None:
        self._monotonic = 1000.0
        self._wall = EPOCH

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self._wall

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._monotonic += seconds
        self._wall += seconds

    def set_wall_back(self, seconds: float) -> None:
        """What an administrator or a time server does to a clock that is ahead."""
        self._wall -= seconds

    @property
    def time_module(self) -> SimpleNamespace:
        """In place of the module `time`."""
        return SimpleNamespace(time=self.wall, monotonic=self.monotonic)

    @property
    def datetime_class(self) -> type[datetime.datetime]:
        """In place of the class `datetime.datetime`."""
        wall = self.wall

        class FromThisClock(datetime.datetime):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
                return datetime.datetime.fromtimestamp(wall(), tz)

            @classmethod
            def utcnow(cls) -> datetime.datetime:
                return datetime.datetime.fromtimestamp(wall(), datetime.UTC).replace(tzinfo=None)

        return FromThisClock
