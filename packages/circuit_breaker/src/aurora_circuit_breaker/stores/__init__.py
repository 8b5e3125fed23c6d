"""Where the states of circuits live.

A store has one verb that changes anything, `update(agent_id, change, argument)`. It owns the clock
and the generation numbers, because both must be one for everybody who shares it.
"""

from .fallback import FallbackStore
from .memory import MemoryStore
from .protocol import Store, StoreDownError

__all__ = ["FallbackStore", "MemoryStore", "Store", "StoreDownError"]
