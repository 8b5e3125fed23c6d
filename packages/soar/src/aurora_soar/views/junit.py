"""A run as JUnit XML, for whatever shows test results; pure.

A subgoal is a test case, and its agent is its class. The form is that of Maven Surefire, as most
readers know it: a failure with its reason, `flakyFailure` for the failed attempts before a success,
`rerunFailure` for those before a failure. What was cut or blocked is an error, not a failure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from aurora_soar.views.excerpt import excerpt, safe_text
from aurora_spawner import safe_line

__all__ = ["junit"]

# What a reader is shown of one subgoal's words, characters; the rest is in the run's folder.
_SHOWN = 16 * 1024

# What XML 1.0 cannot carry, not even as a reference; everything else that is no character to see
# has been made visible by then.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_NO_ANSWER = {"failed": "failure", "blocked": "error", "unfinished": "error", "skipped": "skipped"}


def junit(record: Mapping[str, Any]) -> str:
    """The XML of a run.

    Args:
        record: What became of everything, see `record`.
    """
    subgoals = record["subgoals"]
    outcomes = [_NO_ANSWER.get(each["outcome"]) for each in subgoals]
    counts = {
        "name": _line(record["name"]),
        "tests": str(len(subgoals)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
        "time": _seconds(record["duration_ms"]),
    }
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", counts, timestamp=record["started"])
    for subgoal in subgoals:
        _case(suite, subgoal)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _case(suite: ElementTree.Element, subgoal: Mapping[str, Any]) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=_line(subgoal["id"]),
        classname=_line(subgoal["agent"]),
        time=_seconds(subgoal["duration_ms"] or 0),
    )
    failed = [
        stretch
        for stretch in subgoal["history"]
        if stretch["kind"] == "attempt" and stretch["outcome"] == "failed"
    ]
    verdict = _NO_ANSWER.get(subgoal["outcome"])
    if verdict == "skipped":
        ElementTree.SubElement(case, "skipped", message=_line(subgoal["error"]))
    elif verdict is not None:
        said = failed.pop()["tail"] if failed else ""
        attributes = {"message": _line(subgoal["error"]), "type": subgoal["outcome"]}
        ElementTree.SubElement(case, verdict, attributes).text = _text(said)
    again = "flakyFailure" if verdict is None else "rerunFailure"
    for attempt in failed:
        attributes = {"message": _line(attempt["error"]), "type": "failed"}
        ElementTree.SubElement(case, again, attributes).text = _text(attempt["tail"])
    if subgoal["output"]:
        ElementTree.SubElement(case, "system-out").text = _text(subgoal["output"])


def _text(text: str) -> str:
    shown = excerpt(text, _SHOWN)
    if not shown.dropped:
        return _carried(shown.head)
    gap = f"[{shown.dropped} characters left out]"
    return _carried("\n".join((shown.head, gap, shown.tail)))


def _line(text: str | None) -> str:
    return _carried(safe_line(safe_text(text or "").replace("\n", " ")))


def _carried(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"
