"""Asks a slow store from a coroutine: in a thread, so that the event loop goes on.

Only asyncio; the module is imported when it is first needed, since asyncio takes its time to load.
"""

import asyncio
from collections.abc import Callable


async def enter(ask: Callable[[], None], give_back: Callable[[], None]) -> None:
    """Run `ask` in a thread. A cancelled caller gets nothing: what it got is given back."""
    # Whoever of the two sides puts its name in first was faster.
    first: dict[str, str] = {}

    def run() -> None:
        ask()
        if first.setdefault("side", "thread") == "caller":
            give_back()

    loop = asyncio.get_running_loop()
    asked = loop.run_in_executor(None, run)
    try:
        await asyncio.shield(asked)
    except asyncio.CancelledError:
        if first.setdefault("side", "caller") == "thread":
            loop.run_in_executor(None, give_back)
        else:
            asked.add_done_callback(_ignore_refusal)
        raise


async def leave(tell: Callable[[], None]) -> None:
    """Run `tell` in a thread, to its end even if the caller is cancelled meanwhile."""
    await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, tell))


def _ignore_refusal(asked: "asyncio.Future[None]") -> None:
    """Look at the error of somebody who is gone, so that asyncio does not complain about it."""
    if not asked.cancelled():
        asked.exception()
