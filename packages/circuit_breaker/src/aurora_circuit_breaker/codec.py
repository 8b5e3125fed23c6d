"""States as plain data, for whoever keeps them outside of this process: JSON writes them exactly.

A dictionary with the fields of the state, and `is`: `closed`, `open` or `forced`. Minus infinity,
which JSON does not know, is None.
"""

from math import inf
from typing import Any

from .policy import FailureType
from .state import Closed, Forced, Open, Probe, State
from .windows import Slice

Plain = dict[str, Any]

_NAMES: dict[type[State], str] = {Closed: "closed", Open: "open", Forced: "forced"}


def to_plain(state: State) -> Plain:
    """Write a state as plain data."""
    fields = {name: None if value == -inf else value for name, value in state._asdict().items()}
    return {"is": _NAMES[type(state)], **fields}


def from_plain(plain: Plain) -> State:
    """Read what `to_plain` wrote, also after JSON made lists of its tuples.

    Raises:
        KeyError, TypeError, ValueError: It was written by something else.
    """
    kind = plain["is"]
    if kind == "forced":
        return Forced(bool(plain["open"]), int(plain["generation"]))
    times = tuple(map(float, plain["times"]))
    types = tuple(map(FailureType, plain["types"]))
    generation = int(plain["generation"])
    if kind == "open":
        return Open(
            times=times,
            types=types,
            total=int(plain["total"]),
            retry_at=float(plain["retry_at"]),
            length=float(plain["length"]),
            probes=tuple(Probe(float(until), int(permit)) for until, permit in plain["probes"]),
            generation=generation,
        )
    if kind == "closed":
        return Closed(
            times=times,
            types=types,
            soft_at=_moment(plain["soft_at"]),
            touched=_moment(plain["touched"]),
            limited_until=_moment(plain["limited_until"]),
            calls=tuple(Slice(*map(int, part)) for part in plain["calls"]),
            generation=generation,
        )
    raise ValueError(f"no state is {kind!r}")


def _moment(seconds: float | None) -> float:
    return -inf if seconds is None else float(seconds)
