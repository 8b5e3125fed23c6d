"""Tells people who look elsewhere that a run is over: on the desktop, or through the terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from aurora_soar.cli.streams import complain
from aurora_soar.config import Configuration
from aurora_spawner import ExitCode, format_duration, safe_line

__all__ = ["notice_of", "noticed", "terminal_notice"]

# Whoever waits less than this, seconds, is still looking; a flag asks for it all the same.
_A_WHILE = 30.0

# Seconds that whoever tells may take.
_PATIENCE = 10.0

_ENDED = {
    ExitCode.OK: "every subgoal has an answer",
    ExitCode.FAILED: "some subgoals have no answer",
    ExitCode.LIMIT: "a limit was reached",
}


def noticed(found: Configuration, name: str, run: Callable[[], int]) -> int:
    """Run something, and tell when it is over where that is wanted; returns its exit code.

    Args:
        found: The settings.
        name: What is run.
        run: Runs it; returns the exit code.
    """
    began = time.monotonic()
    code = run()
    seconds = time.monotonic() - began
    asked = found.origins["notify"].kind == "flag"
    if found.settings.notify and (asked or seconds >= _A_WHILE):
        _tell(found.settings.notify_command, *notice_of(name, code, seconds))
    return code


def notice_of(name: str, code: int, seconds: float) -> tuple[str, str]:
    """Title and text for a run that ended so; nothing in them controls a terminal."""
    known = {int(each): text for each, text in _ENDED.items()}
    return (
        f"aurora-soar {safe_line(name)}",
        f"{known.get(code, f'ended with exit code {code}')}, after {format_duration(seconds)}",
    )


def terminal_notice(title: str, text: str, environment: Mapping[str, str]) -> str:
    """What a terminal is sent: a notification where it has them, else the bell."""
    if "TMUX" in environment or environment.get("TERM", "").startswith("screen"):
        # They pass on the bell, and would swallow the rest.
        return "\a"
    if environment.get("TERM_PROGRAM") in {"iTerm.app", "WezTerm", "ghostty"}:
        return f"\033]9;{title}: {text}\a"
    if environment.get("TERM", "").startswith(("rxvt", "foot")) or "VTE_VERSION" in environment:
        return f"\033]777;notify;{title.replace(';', ',')};{text}\a"
    return "\a"


def _tell(command: Sequence[str] | None, title: str, text: str) -> None:
    desktop = "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if command is None and desktop and (found := shutil.which("notify-send")):
        command = (found, "--app-name=aurora-soar", "--")
    if command is not None:
        try:
            subprocess.run(
                [*command, title, text],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_PATIENCE,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            complain(f"nobody could be told: {error}")
    elif sys.stderr.isatty():
        sys.stderr.write(terminal_notice(title, text, os.environ))
        sys.stderr.flush()
