"""What no process can be started with, and why a start failed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence

from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.process.data import StartError

__all__ = ["NO_RESOURCES", "explain", "validate"]

NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
"""Errors that pass when others have ended."""


def validate(command: Sequence[str], env: Mapping[str, str] | None, cwd: str | None) -> None:
    """Refuse what no process can be started with.

    Raises:
        InvalidTaskError: An empty command, a NUL byte, an unencodable character, or a variable
            name that is empty or holds `=`.
    """
    if isinstance(command, str) or not command or not command[0]:
        raise InvalidTaskError("command", "needs a program, as a sequence of strings")
    for text in command:
        _encodable("command", text)
    if cwd is not None:
        _encodable("cwd", cwd)
    for name, value in (env or {}).items():
        if not name or "=" in name:
            raise InvalidTaskError("env", f"{name!r} cannot be the name of a variable")
        _encodable("env", name)
        _encodable("env", value)


def _encodable(field: str, text: str) -> None:
    try:
        encoded = os.fsencode(text)
    except (UnicodeEncodeError, TypeError) as error:
        raise InvalidTaskError(field, f"{text!r} cannot be passed to a program") from error
    if b"\0" in encoded:
        raise InvalidTaskError(field, f"{text!r} holds a NUL byte")


def explain(
    error: OSError, program: str, cwd: str | None, env: Mapping[str, str] | None
) -> StartError:
    """Tell the ways a start can fail apart, with the way out of each."""
    if cwd is not None and not os.path.isdir(cwd):
        return StartError("missing_cwd", f"cannot start {program}: no folder {cwd}; create it")
    located = os.path.join(cwd, program) if cwd is not None and os.sep in program else program
    # Without a PATH of its own the child is looked up where the system looks.
    path = shutil.which(located, path=None if env is None else env.get("PATH", os.defpath))
    match error.errno:
        case errno.ENOENT if path is None:
            return StartError(
                "not_found",
                f"{program} not found; install it, put its folder on PATH or give its full path",
            )
        case errno.ENOENT:
            return StartError(
                "bad_interpreter",
                f"{path} names an interpreter in its first line that is not there; install it",
            )
        case errno.EACCES | errno.EPERM | errno.ENOTDIR:
            return StartError(
                "not_executable", f"{program} is not executable; try: chmod +x {program}"
            )
        case errno.ENOEXEC:
            return StartError(
                "wrong_format",
                f"{path or program} is no program for this machine; a script needs a first line "
                "such as #!/bin/sh",
            )
        case errno.E2BIG:
            return StartError(
                "too_long",
                f"cannot start {program}: arguments and environment are too large; "
                "pass long text through standard input",
            )
        case number if number in NO_RESOURCES:
            return StartError(
                "no_resources",
                f"cannot start {program}: {error.strerror}; run fewer at once or raise the limit",
            )
        case _:
            return StartError("other", f"cannot start {program}: {error.strerror or error}")
