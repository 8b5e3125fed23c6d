"""Reads a plan file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aurora_soar.agents import AgentInfo
from aurora_soar.plan.borrowing import borrow, with_borrowed
from aurora_soar.plan.lines import Lines, json_lines, toml_lines
from aurora_soar.plan.model import Plan
from aurora_soar.plan.problems import Fault, PlanError, Problem
from aurora_soar.plan.validation import validate
from aurora_soar.plan.yaml import YamlError, parse_yaml

__all__ = ["load_plan"]

_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load_plan(
    path: str | Path,
    agents: Mapping[str, AgentInfo] = MappingProxyType({}),
    refused: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """The plan in a file: TOML, or JSON or YAML if its name says so.

    Descriptions that stand in files of their own are read too.

    Args:
        path: The file.
        agents: Agents that the plan may name without having them, by name; its own win.
        refused: Agents that it must not name so, each with what is to be said after its name.

    Raises:
        PlanError: The file cannot be read or is no valid plan; says everything that is wrong.
    """
    path = Path(path)
    text = _read(path)
    data, lines = _parse(path, text)
    data.setdefault("name", path.stem)
    files = _DescriptionFiles(path.parent)
    borrowed, faults = borrow(data, agents, refused)
    plan, more = validate(with_borrowed(data, borrowed))
    faults += [*more, *files.read(data)]
    if plan is None or faults:
        raise PlanError([Problem(str(path), lines[each.path], each.text) for each in faults])
    return files.filled_in(plan).borrowing(borrowed)


def _read(path: Path) -> str:
    try:
        # Some editors put a mark of byte order first.
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _refused(path, None, "there is no such file") from None
    except OSError as error:
        raise _refused(path, None, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _refused(path, line, "is not UTF-8 text") from None


def _parse(path: Path, text: str) -> tuple[dict[str, Any], Lines]:
    try:
        match path.suffix:
            case ".json":
                data, lines = json.loads(text), None
            case ".yaml" | ".yml":
                data, lines = parse_yaml(text)
            case _:
                return tomllib.loads(text), toml_lines(text)
    except tomllib.TOMLDecodeError as error:
        raise _refused(path, *_place(str(error), text)) from None
    except json.JSONDecodeError as error:
        problem = f"not valid JSON: {error.msg} (column {error.colno})"
        raise _refused(path, error.lineno, problem) from None
    except YamlError as error:
        raise _refused(path, error.line, str(error)) from None
    except RecursionError:
        raise _refused(path, None, "is nested too deeply") from None
    if not isinstance(data, dict):
        raise _refused(path, None, 'must be an object: { "subgoals": [...] }')
    return data, lines or json_lines(text)


def _place(message: str, text: str) -> tuple[int, str]:
    """The line that a TOML error names, and the rest of its words."""
    place = _TOML_PLACE.search(message)
    problem = f"not valid TOML: {_TOML_PLACE.sub('', message)}"
    if place and place[1]:
        return int(place[1]), f"{problem} (column {place[2]})"
    return len(text.splitlines()) or 1, f"{problem} (end of the file)"


def _refused(path: Path, line: int | None, text: str) -> PlanError:
    return PlanError([Problem(str(path), line, text)])


class _DescriptionFiles:
    """The descriptions that stand in files of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts: dict[str, str] = {}

    def read(self, data: Mapping[str, Any]) -> Iterator[Fault]:
        """Read every file that is named, of a wrong plan too; tell of those that cannot be."""
        subgoals = data.get("subgoals")
        for position, subgoal in enumerate(subgoals if isinstance(subgoals, list) else ()):
            name = subgoal.get("description_file") if isinstance(subgoal, dict) else None
            if not isinstance(name, str) or not name:
                continue
            path = self._folder / name
            try:
                self._texts[name] = path.read_text(encoding="utf-8-sig")
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                yield Fault(
                    ("subgoals", position, "description_file"),
                    f'description_file "{path}" cannot be read: {reason}',
                )

    def filled_in(self, plan: Plan) -> Plan:
        """The plan with each description in its place."""
        subgoals = tuple(
            subgoal.model_copy(update={"description": self._texts[subgoal.description_file]})
            if subgoal.description_file
            else subgoal
            for subgoal in plan.subgoals
        )
        return plan.model_copy(update={"subgoals": subgoals})
