"""Durations as people write and read them; pure."""

from __future__ import annotations

import math
import re

__all__ = ["about", "format_duration", "parse_duration"]

_NUMBER = r"\d+(?:\.\d+)?"
_FORM = re.compile(
    rf"(?=.)(?:({_NUMBER})h)?\s*(?:({_NUMBER})m)?\s*(?:({_NUMBER})s)?|({_NUMBER})", re.ASCII
)


def parse_duration(value: object) -> float:
    """Seconds, from a number of them or a text such as `90`, `90s`, `30m`, `1h30m`.

    Raises:
        ValueError: It is neither, or not more than 0 seconds.
    """
    seconds = math.nan
    if isinstance(value, str) and (form := _FORM.fullmatch(value.strip())):
        hours, minutes, rest, bare = (float(part or 0) for part in form.groups())
        seconds = hours * 3600 + minutes * 60 + rest + bare
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    if not math.isfinite(seconds):
        shown = f'"{value}"' if isinstance(value, str) else repr(value)
        raise ValueError(f'{shown} is no duration; write seconds, or "90s", "30m", "2h", "1h30m"')
    if seconds <= 0:
        raise ValueError(f"must be more than 0 seconds, not {value}")
    return seconds


def format_duration(seconds: float) -> str:
    """Minutes and seconds, `4:12`, with hours before them where there are any, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """A guess, no finer than it is: `about 40 s`, `about 3 min`, `about 5 h`."""
    if seconds < 55:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    if seconds < 90 * 60:
        return f"about {max(1, round(seconds / 60))} min"
    return f"about {round(seconds / 3600)} h"
