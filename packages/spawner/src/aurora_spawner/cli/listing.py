"""`--list-tools`: who could answer, as a table for people or as lines of JSON; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from aurora_spawner.inventory import FoundTool
from aurora_spawner.terminal import safe_line

__all__ = ["tool_lines", "tool_table"]

_HEAD = ("TOOL", "VERSION", "STATE", "")


def tool_lines(found: Sequence[FoundTool]) -> Iterator[str]:
    """A line of JSON for each tool; fields are only added."""
    for tool in found:
        yield json.dumps({"v": 1, **asdict(tool)})


def tool_table(found: Sequence[FoundTool]) -> Iterator[str]:
    """A line for each tool below a head, columns aligned."""
    rows = [_HEAD, *((tool.name, tool.version or "-", tool.state, tool.remark) for tool in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield safe_line("  ".join(cells).rstrip())
