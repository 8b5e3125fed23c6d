"""The store of many machines: a Redis server, one script and so one round trip per decision.

`machine.lua` makes the change where the state lives, at the server's time, so that no lock is held
over the network. What it saw comes back, and the same pure function tells here what came of it.

The clock is the server's, without its jumps: it never goes back, and a process that asked within
the last hour notices, by its own monotonic clock, when the server's was set. What nobody was there
to notice counts as time that passed.

All keys share one hash slot, so that a Redis Cluster can run the script.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..codec import from_plain, to_plain
from ..policy import HARD, Rules
from ..state import HEALTHY, HELD, REMEMBERED, Change, Closed, Forced, Open, State
from ..windows import SLICES
from .protocol import SURROGATES, StoreDownError

__all__ = ["RedisStore"]

Argument = TypeVar("Argument")

# Seconds an agent is remembered at least, see `MemoryStore`.
KEEP = 3600.0

# Seconds after which what a process thinks the time is may be wrong by more than the script
# forgives: clocks that are being corrected run off by half a thousandth.
TRUST = 3600.0

# What the script takes from the modules whose rules it repeats.
_CONSTANTS = f"""
local HARD = {{{", ".join(f"{failure_type} = true" for failure_type in sorted(HARD))}}}
local REMEMBERED, HELD, SLICES = {REMEMBERED}, {HELD}, {SLICES}
"""
SCRIPT = _CONSTANTS + Path(__file__).with_name("machine.lua").read_text(encoding="utf-8")


class RedisStore:
    """Keeps states in Redis, for any number of threads, processes and machines.

    Args:
        server: A URL (`redis://host:6379/0`) or a client. A client of your own should have short
            timeouts and no retries: what was tried twice may be counted twice.
        prefix: What the keys begin with, so that several programs can share a server.
        timeout: Seconds to wait for the server, where a URL is given.
        keep: Seconds after which an agent that was left alone is forgotten. Must exceed every
            failure window, and should exceed every lease.
    """

    held = None

    def __init__(
        self,
        server: "str | Redis",
        *,
        prefix: str = "aurora",
        timeout: float = 0.5,
        keep: float = KEEP,
    ) -> None:
        self._client: Redis = (
            Redis.from_url(
                server,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 0),
            )
            if isinstance(server, str)
            else server
        )
        # The braces are Redis's: what stands in them decides about the slot.
        self._circuits = f"{{{prefix}}}:circuit:"
        self._clock = f"{{{prefix}}}:clock"
        self._keep = keep
        self._script = self._client.register_script(SCRIPT)
        # What the clock of the store showed at which moment of ours.
        self._seen: tuple[float, float] | None = None

    def update(
        self, agent_id: str, change: Change[Argument], argument: Argument
    ) -> tuple[State, State, float]:
        """See `Store.update`."""
        before, now, fresh = self._decide(agent_id, change.__name__, argument)
        return before, change(before, now, fresh, argument), now

    def look(self, agent_id: str, /) -> tuple[State, float]:
        """See `Store.look`."""
        state, now, _ = self._decide(agent_id, "look", None)
        return state, now

    def __iter__(self) -> Iterator[str]:
        """The agents of whom something is known at this moment."""
        pattern = "".join(f"\\{c}" if c in "*?[]\\" else c for c in self._circuits) + "*"
        try:
            keys = {_text(key) for key in self._client.scan_iter(match=pattern, count=1000)}
        except (RedisError, OSError) as error:
            raise StoreDownError(str(error) or type(error).__name__) from error
        return iter([key.removeprefix(self._circuits) for key in keys])

    def close(self) -> None:
        """Close the connections; they are opened again when they are needed."""
        self._client.close()

    def _decide(self, agent_id: str, name: str, argument: object) -> tuple[State, float, int]:
        """Have the change of that name made; the state before, the time, the fresh generation."""
        if isinstance(argument, Closed | Open | Forced):
            argument = None if argument == HEALTHY else to_plain(argument)
        try:
            text, now, fresh = self._script(
                keys=[(self._circuits + agent_id).encode("utf-8", SURROGATES), self._clock],
                args=[name, json.dumps(argument, default=_plain), self._keep, self._expected()],
            )
            state = HEALTHY if text is None else from_plain(json.loads(text))
        except (RedisError, OSError) as error:
            raise StoreDownError(str(error) or type(error).__name__) from error
        except (KeyError, TypeError, ValueError) as error:
            raise StoreDownError(f"{agent_id!r} has what is no state: {error!r}") from error
        moment = float(now)
        self._seen = moment, time.monotonic()
        return state, moment, int(fresh)

    def _expected(self) -> str:
        """What the clock of the store should show now; empty if we cannot tell."""
        if self._seen is None:
            return ""
        moment, at = self._seen
        passed = time.monotonic() - at
        return repr(moment + passed) if passed < TRUST else ""


@lru_cache(maxsize=64)
def _plain(rules: Rules) -> dict[str, Any]:
    return asdict(rules)


def _text(key: str | bytes) -> str:
    return key.decode("utf-8", SURROGATES) if isinstance(key, bytes) else key
