"""What makes a task the same task: the digests of its parts, and one key over all of them; pure.

A result is kept for a task whose content is the same, so the content is what decides the
answer and nothing else:

- The prompt, the agent and its persona, the tool, the model, the command, the folder to work in
  and the session to go on with, each as the task names it. A part that the task leaves open (None)
  has no digest, so that parts which a later version adds change no key of a task that does not use
  them.
- What the caller adds, because nobody here can know it: an agent's definition, the check of a
  subgoal, the results that it depends on.
- Not the timeout and the policy: they say how long to wait, and a result that has come does not
  turn wrong by more patience.
- Not the permissions: what was answered with fewer of them needs no more.
- Not the environment: it carries secrets, of which not even a digest belongs on a disk, and they
  change without changing the question. Nor the state of the repository: agents change it all the
  time. Both can be recorded with a run and told when they differ (`Journal.open`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.models import SpawnTask

__all__ = ["Content", "content_of"]

_PARTS = ("prompt", "agent", "persona", "tool", "model", "command", "cwd", "session_id")


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a task, as digests.

    Attributes:
        parts: A SHA-256 in hexadecimal for each part, by the part's name.
        key: One SHA-256 over all of them: two contents have the same key when no part differs.
    """

    parts: Mapping[str, str]
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _digest(dict(self.parts)))

    def changes(self, before: Mapping[str, str]) -> tuple[str, ...]:
        """The names of the parts that differ from `before`, in the order of the task's fields."""
        names = {**self.parts, **before}
        changed = [name for name in names if self.parts.get(name) != before.get(name)]
        return tuple(sorted(changed, key=_rank))


def content_of(task: SpawnTask, more: Mapping[str, str] | None = None) -> Content:
    """Digest a task.

    Args:
        task: A task whose choices are made: where the tool or the model comes from the
            environment or from settings, it has to be put into the task before.
        more: What else decides the answer, by name, as text of any length.

    Raises:
        InvalidTaskError: A name in `more` is the name of a part of the task.
    """
    chosen = {name: getattr(task, name) for name in _PARTS}
    for name, text in (more or {}).items():
        if name in chosen:
            raise InvalidTaskError("more", f'"{name}" is a part of the task itself')
        chosen[name] = text
    return Content({name: _digest(part) for name, part in chosen.items() if part is not None})


def _digest(value: object) -> str:
    """SHA-256 over canonical JSON: sorted keys, no spaces, ASCII (so any text can be encoded)."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
    ).hexdigest()


def _rank(name: str) -> tuple[int, str]:
    return (_PARTS.index(name) if name in _PARTS else len(_PARTS)), name
