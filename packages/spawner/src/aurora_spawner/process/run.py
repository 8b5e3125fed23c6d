"""Runs a program to its end, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aurora_spawner.detection import Watch, WatchRules
from aurora_spawner.policy import positive_seconds
from aurora_spawner.process.child import Child
from aurora_spawner.process.data import Limits, Observer, ProcessResult
from aurora_spawner.process.dialogue import Dialogue
from aurora_spawner.process.start import NO_RESOURCES, explain, validate

__all__ = ["run_observed", "run_process"]

_DEFAULT = Limits()

# Seconds between tries to start when descriptors or processes have run out, 6.35 together: others
# end meanwhile, so that fewer run at once.
_RESOURCE_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

# The shell is process 1 of the namespace, which every signal but KILL from outside passes by; it
# stays because of its second command, and its end is the end of everything inside.
_IN_NAMESPACE = (
    *("unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child=KILL"),
    *("--mount-proc", "--", "sh", "-c", '"$@"; exit $?', "sh"),
)


async def run_process(
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    limits: Limits = _DEFAULT,
) -> ProcessResult:
    """Run a program to its end, within limits, and leave nothing of it behind.

    Args:
        command: The program and its arguments; no shell is involved.
        stdin: All of its standard input.
        cwd: Folder to run in; None is the current one.
        env: Its whole environment; None inherits ours.
        limits: Time and output.

    Returns:
        What became of it, also when it could not be started.

    Raises:
        InvalidTaskError: The command, the environment or a limit cannot be used at all.
        asyncio.CancelledError: After the process and its group have ended.
    """
    timeout = positive_seconds("timeout", limits.timeout)
    watch = Watch(WatchRules(timeout, timeout), asyncio.get_running_loop().time())
    return await run_observed(command, watch, stdin=stdin, cwd=cwd, env=env, limits=limits)


async def run_observed(
    command: Sequence[str],
    observer: Observer,
    *,
    stdin: bytes = b"",
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    limits: Limits = _DEFAULT,
    dialogue: Dialogue | None = None,
) -> ProcessResult:
    """Like `run_process`, but `observer` alone decides when the process has had its time.

    With a `dialogue` standard input stays open behind `stdin`, until that is over.
    """
    validate(command, env, cwd)
    limits.validate()
    argv = [*_IN_NAMESPACE, *command] if limits.isolation == "pid-namespace" else command
    child = Child(observer, stdin, limits, dialogue)
    try:
        for pause in _RESOURCE_PAUSES:
            try:
                child.launch(argv, cwd, env)
                break
            except OSError as error:
                if error.errno not in NO_RESOURCES:
                    raise
                await asyncio.sleep(pause)
        else:
            child.launch(argv, cwd, env)
    except OSError as error:
        return ProcessResult(
            exit_code=-1,
            stdout=child.captures["stdout"],
            stderr=child.captures["stderr"],
            start_error=explain(error, command[0], cwd, env),
        )
    return await child.ended()
