"""Results that survive a crash, kept by what was asked: resume runs only what is missing."""

from aurora_spawner.journal.content import Content, content_of
from aurora_spawner.journal.journal import Journal, Recalled, resumed
from aurora_spawner.journal.surroundings import surroundings
from aurora_spawner.journal.tables import Execution, Identity, LastRun

__all__ = [
    "Content",
    "Execution",
    "Identity",
    "Journal",
    "LastRun",
    "Recalled",
    "content_of",
    "resumed",
    "surroundings",
]
