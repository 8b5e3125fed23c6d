"""A check that a piece of code leaves nothing behind: no child, descriptor, timer or task.

    with no_leaks():
        asyncio.run(main())

    with no_leaks():  # in a coroutine as well
        await spawn(task)

The check is strict: what waits for a garbage collection, or for a callback that has not run yet,
counts as left behind. What the supervisor holds as long as the program lives does not count.
Timers are seen in event loops that keep them where asyncio's own do.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aurora_spawner.supervisor import own_descriptors
from aurora_spawner.testing.proc import children

__all__ = ["LeakError", "no_leaks"]


class LeakError(AssertionError):
    """Something was left behind.

    Attributes:
        leaks: One line on each thing.
    """

    def __init__(self, leaks: tuple[str, ...]) -> None:
        super().__init__("\n  ".join(["left behind:", *leaks]))
        self.leaks = leaks


@contextmanager
def no_leaks() -> Iterator[None]:
    """Check that what is there after the block was there before it.

    Looks at the children of this process, at its descriptors, and at the timers and tasks of every
    event loop that is open in it, whatever thread it runs in. Without /proc (macOS) children are
    not seen.

    Raises:
        LeakError: Something is new. If the block raises an exception, that one goes on, and what
            is new is told in a note.
    """
    before = {thing.key: thing for thing in _everything()}
    try:
        yield
    except BaseException as error:
        if leaks := _new(before):
            error.add_note(str(LeakError(leaks)))
        raise
    if leaks := _new(before):
        raise LeakError(leaks)


@dataclass(frozen=True, slots=True)
class _Thing:
    """What can be left behind.

    Attributes:
        key: Unlike that of any other, as long as `held` is not freed.
        text: What it is, for people.
        held: What `key` holds the address of.
    """

    key: tuple[object, ...]
    text: str
    held: object = None


def _new(before: dict[tuple[object, ...], _Thing]) -> tuple[str, ...]:
    return tuple(thing.text for thing in _everything() if thing.key not in before)


def _everything() -> Iterator[_Thing]:
    yield from _processes()
    yield from _descriptors()
    for loop in _open_loops():
        yield from _timers(loop)
        yield from _tasks(loop)


def _processes() -> Iterator[_Thing]:
    for child in children():
        ended = " (a zombie)" if child.ended else ""
        text = f"process {child.pid}{ended}: {child.command()}"
        yield _Thing(("process", child.pid, child.started), text)


def _descriptors() -> Iterator[_Thing]:
    own = own_descriptors()
    for descriptor in map(int, os.listdir("/dev/fd")):
        # Numbers are used again; so what it leads to belongs to the key.
        try:
            status = os.fstat(descriptor)
            target = f"device {status.st_dev}, inode {status.st_ino}"
            if os.path.exists("/proc/self/fd"):
                target = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            # The listing's own, or one that a thread or the garbage collector has just closed.
            continue
        if descriptor not in own:
            yield _Thing(("descriptor", descriptor, target), f"descriptor {descriptor}: {target}")


def _open_loops() -> Iterator[asyncio.AbstractEventLoop]:
    # There is no list of event loops. `isinstance` would ask proxies, which may well object.
    for candidate in gc.get_objects():
        if issubclass(type(candidate), asyncio.AbstractEventLoop) and not candidate.is_closed():
            yield candidate


def _timers(loop: asyncio.AbstractEventLoop) -> Iterator[_Thing]:
    scheduled: list[asyncio.TimerHandle] = list(getattr(loop, "_scheduled", ()))
    for timer in scheduled:
        if not timer.cancelled():
            left = timer.when() - loop.time()
            yield _Thing(("timer", id(timer)), f"timer, due in {left:.3g} s: {timer!r}", timer)


def _tasks(loop: asyncio.AbstractEventLoop) -> Iterator[_Thing]:
    tasks: set[asyncio.Task[Any]] = asyncio.all_tasks(loop)
    for task in tasks:
        yield _Thing(("task", id(task)), f"task {task.get_name()}: {task.get_coro()!r}", task)
