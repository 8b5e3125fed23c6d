"""From a record of the input to something that can be run, or to what is wrong with it; pure.

With `--jsonl` a record is an object:

    {"prompt": "Review a.py", "id": "a", "timeout": "30m", "tool": "claude"}

`prompt` is put into the template like any other input; all other members win over the options.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from aurora_spawner.cli.records import Record
from aurora_spawner.cli.template import CommandTemplate, PromptTemplate
from aurora_spawner.durations import parse_duration
from aurora_spawner.models import Permissions, SpawnTask
from aurora_spawner.policy import PRESETS, Policy
from aurora_spawner.tools import PROGRAM_TOOLS, TOOLS

__all__ = ["Job", "Recipe", "did_you_mean", "known_tool"]


@dataclass(frozen=True, slots=True)
class Job:
    """One input and what is made of it.

    Attributes:
        index: Its position in the input, from 0.
        place: Where it stands, for people.
        id: What the input calls it; None where it says nothing.
        input: The input as text; bytes that are no UTF-8 are lone surrogates in it.
        task: What is run; None if that is impossible.
        problems: Why; each a sentence.
    """

    index: int
    place: str
    id: str | int | None
    input: str
    task: SpawnTask | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the options make of every input.

    Attributes:
        prompt: The template of prompts.
        command: The template of commands; None asks an agent CLI.
        jsonl: Records are objects.
        tool: Which agent CLI answers; None if there is none.
        model: Which model it is to use.
        timeout: Seconds for each attempt; None: the preset's longest.
        policy: How patient to be.
        is_preset: The user has named the policy, whose limits bind whatever the timeout is.
        retries: Further attempts; None: the policy's number for agents, 0 for programs.
        cwd: Folder to run in.
        permissions: What agents may do unasked.
    """

    prompt: PromptTemplate
    command: CommandTemplate | None = None
    jsonl: bool = False
    tool: str | None = None
    model: str | None = None
    timeout: float | None = None
    policy: Policy = PRESETS["default"]
    is_preset: bool = False
    retries: int | None = None
    cwd: str | None = None
    permissions: Permissions = "read-only"

    def job(self, index: int, record: Record) -> Job:
        """What becomes of a record."""
        text = record.data.decode("utf-8", "surrogateescape")
        members, problems = _read(text) if self.jsonl else ({"prompt": text}, [])
        task = None
        if not problems:
            try:
                task = self._task(members)
            except UnicodeError:
                problems.append(
                    "holds what is no UTF-8; only an argument can, so put {} into a command"
                )
            except ValueError as error:
                problems.append(str(error))
        given = str(members.get("prompt", ""))
        return Job(index, record.place, members.get("id"), given, task, tuple(problems))

    def _task(self, members: Mapping[str, Any]) -> SpawnTask:
        given: str = members.get("prompt", "")
        words = members.get("command")
        template = self.command if words is None else CommandTemplate(words)
        command, prompt = (
            (None, self.prompt.fill(given)) if template is None else template.fill(given)
        )
        prompt.encode()
        str(members.get("id", "")).encode()
        timeout = members.get("timeout") or self.timeout or self.policy.max_timeout
        task = SpawnTask(
            prompt,
            agent=members.get("agent"),
            timeout=timeout,
            tool=None if command else members.get("tool", self.tool),
            model=None if command else members.get("model", self.model),
            policy=self._policy(timeout, is_program=command is not None),
            cwd=members.get("cwd", self.cwd),
            command=command,
            env=members.get("env", {}),
            session_id=members.get("session_id"),
            permissions=members.get("permissions", self.permissions),
        )
        task.validate()
        return task

    def _policy(self, timeout: float, *, is_program: bool) -> Policy:
        retries = self.retries
        if retries is None:
            retries = 0 if is_program else self.policy.retry.attempts - 1
        return replace(
            self.policy,
            max_timeout=self.policy.max_timeout if self.is_preset else timeout,
            retry=replace(self.policy.retry, attempts=retries + 1),
        )


def _read(text: str) -> tuple[dict[str, Any], list[str]]:
    """The members of a JSON object, each of the right kind; and what is wrong with the others."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return {}, [f"is no JSON: {error.msg} at character {error.pos + 1}"]
    except (RecursionError, ValueError) as error:
        return {}, [f"is no JSON that can be read: {error}"]
    if not isinstance(found, dict):
        return {}, ['is no object; write {"prompt": "..."}']
    problems = []
    members = {}
    for name, value in found.items():
        try:
            members[name] = _checked(name, value)
        except ValueError as error:
            problems.append(str(error))
    if not {"prompt", "command"} & found.keys():
        problems.append('has no "prompt"')
    return members, problems


def _checked(name: str, value: Any) -> Any:
    """A member's value as a task takes it.

    Raises:
        ValueError: It cannot be that.
    """
    if name not in _KINDS:
        raise ValueError(f'has an unknown member "{name}".{did_you_mean(name, _KINDS)}')
    kind = _KINDS[name]
    if not kind.fits(value):
        raise ValueError(f'"{name}" must be {kind.words}')
    match name:
        case "timeout":
            try:
                return parse_duration(value)
            except ValueError as error:
                raise ValueError(f'"timeout": {error}') from None
        case "tool":
            try:
                return known_tool(value)
            except ValueError as error:
                raise ValueError(f'"tool": {error}') from None
        case "command":
            return tuple(value)
    return value


@dataclass(frozen=True, slots=True)
class _Kind:
    words: str
    types: tuple[type, ...]
    inside: type | None = None

    def fits(self, value: Any) -> bool:
        # To Python a truth value is a number as well.
        known = isinstance(value, self.types) and not isinstance(value, bool)
        if not known or self.inside is None:
            return known
        if isinstance(value, dict):
            return all(isinstance(item, self.inside) for item in value.values())
        # A command without a program is none.
        return bool(value) and all(isinstance(item, self.inside) for item in value)


_TEXT = _Kind("text", (str,))
_KINDS: Mapping[str, _Kind] = {
    "prompt": _TEXT,
    "id": _Kind("text or a whole number", (str, int)),
    "agent": _TEXT,
    "tool": _TEXT,
    "model": _TEXT,
    "cwd": _TEXT,
    "timeout": _Kind('seconds or a duration such as "30m"', (str, int, float)),
    "command": _Kind("a list of words, the program first", (list,), str),
    "env": _Kind("an object of texts", (dict,), str),
    "session_id": _TEXT,
    "permissions": _TEXT,
}


def known_tool(name: str) -> str:
    """The name of a tool that can be chosen: one that brings its program.

    Raises:
        ValueError: No tool has that name, or it is another package's and cannot be loaded.
    """
    if name in TOOLS and name not in PROGRAM_TOOLS:
        return TOOLS[name].name
    known = [tool for tool in TOOLS if tool not in PROGRAM_TOOLS]
    hint = did_you_mean(name, known) or f" There are {', '.join(known)}."
    raise ValueError(f'unknown tool "{name}".{hint}')


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean "known"?`, for the closest known name; empty if none is close."""
    close = get_close_matches(name, list(known), n=1)
    return f' Did you mean "{close[0]}"?' if close else ""
