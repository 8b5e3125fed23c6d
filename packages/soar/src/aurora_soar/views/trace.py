"""A run as a trace for Perfetto (https://ui.perfetto.dev) or chrome://tracing; pure.

The form is Chrome's trace event JSON: times are microseconds, a subgoal is a thread, each of its
stretches is a slice, dependencies are flows, circuits and parked tools are instants.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aurora_spawner import safe_line

__all__ = ["trace"]

_RUN = 1
"""The one process of the trace. Thread 0 is the run itself, subgoals count from 1."""

_AT_WORK = frozenset({"attempt", "fallback"})


def trace(record: Mapping[str, Any]) -> str:
    """The JSON of a run's trace.

    Args:
        record: What became of everything, see `record`.
    """
    events = [*_names(record), *_slices(record), *_flows(record), *_load(record), *_changes(record)]
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}) + "\n"


def _names(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield _meta("process_name", 0, name=f"aurora-soar {safe_line(record['name'])}")
    yield _meta("thread_name", 0, name="run")
    for thread, subgoal in enumerate(record["subgoals"], 1):
        yield _meta("thread_name", thread, name=safe_line(subgoal["id"]))
        yield _meta("thread_sort_index", thread, sort_index=thread)


def _meta(kind: str, thread: int, **values: Any) -> dict[str, Any]:
    return {"ph": "M", "pid": _RUN, "tid": thread, "name": kind, "args": values}


def _slices(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for thread, subgoal in enumerate(record["subgoals"], 1):
        for stretch in subgoal["history"]:
            kind = stretch["kind"]
            known = {
                key: value
                for key, value in stretch.items()
                if key not in ("kind", "start_ms", "end_ms", "tail") and value is not None
            }
            yield {
                "ph": "X",
                "pid": _RUN,
                "tid": thread,
                "name": f"attempt {stretch['attempt']}" if kind == "attempt" else kind,
                "cat": kind,
                "ts": stretch["start_ms"] * 1000,
                "dur": (stretch["end_ms"] - stretch["start_ms"]) * 1000,
                "args": {"agent": safe_line(subgoal["agent"]), **known},
            }


def _flows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """From the last slice of work of each subgoal to the first one of those that built on it."""
    at_work = {
        subgoal["id"]: (thread, [each for each in subgoal["history"] if each["kind"] in _AT_WORK])
        for thread, subgoal in enumerate(record["subgoals"], 1)
    }
    number = 0
    for subgoal in record["subgoals"]:
        thread, work = at_work[subgoal["id"]]
        for needed in subgoal["depends_on"]:
            source, before = at_work[needed]
            if not work or not before:
                continue
            number += 1
            flow = {"pid": _RUN, "name": "depends_on", "cat": "dependency", "id": number}
            # Inside of the slice: on its very end, a reader would look for the next one.
            leaves = max(before[-1]["end_ms"] * 1000 - 1, before[-1]["start_ms"] * 1000)
            yield {**flow, "ph": "s", "tid": source, "ts": leaves}
            yield {**flow, "ph": "f", "bp": "e", "tid": thread, "ts": work[0]["start_ms"] * 1000}


def _load(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """How many agents run, whenever that changes."""
    steps: dict[int, int] = {}
    for subgoal in record["subgoals"]:
        for stretch in subgoal["history"]:
            if stretch["kind"] in _AT_WORK:
                steps[stretch["start_ms"]] = steps.get(stretch["start_ms"], 0) + 1
                steps[stretch["end_ms"]] = steps.get(stretch["end_ms"], 0) - 1
    running = 0
    for moment in sorted(steps):
        running += steps[moment]
        args = {"agents": running}
        yield {"ph": "C", "pid": _RUN, "name": "running", "ts": moment * 1000, "args": args}


def _changes(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for change in record["changes"]:
        about = change.get("agent") or change.get("tool") or ""
        yield {
            "ph": "i",
            "s": "p",
            "pid": _RUN,
            "tid": 0,
            "name": f"{change['type']} {safe_line(about)}".rstrip(),
            "cat": change["type"].partition(".")[0],
            "ts": change["at_ms"] * 1000,
            "args": {key: value for key, value in change.items() if key not in ("at_ms", "type")},
        }
