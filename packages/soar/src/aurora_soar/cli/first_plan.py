"""The text of a first plan: each kind of agent once, with comments to go on from; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

__all__ = ["first_plan"]


def first_plan(name: str, clis: Sequence[str], tests: Sequence[str] | None) -> str:
    """A plan in TOML.

    Args:
        name: What the project is called.
        clis: The agent CLIs that are there, the one to be asked first.
        tests: The program that runs the project's tests; None if there is none.
    """
    needed = ["files"] if tests is None else ["files", "tests"]
    return "\n\n".join(
        [
            _head(name),
            *_programs(tests),
            *_personas(clis),
            _FILES,
            *([] if tests is None else [_TESTS]),
            _asked("overview", "What is this project, and how is it laid out?", ["files"]),
            _asked("risks", "Name the three weakest points of this project.", needed, run=True),
            _asked("next", "What should be done next, and why?", ["overview", "risks"]),
        ]
    )


def _head(name: str) -> str:
    kept = " ".join(re.sub(r"[^\w.-]+", " ", name).split()) or "first"
    return f"""\
# Each subgoal starts as soon as what it depends on is done, and gets its answers.
#   aurora-soar check plan.toml      shows what would run
#   aurora-soar config schema        has every key, for editors
name = {json.dumps(kept, ensure_ascii=False)}
defaults = {{ timeout = "10m", retries = 1 }}"""


def _programs(tests: Sequence[str] | None) -> Iterator[str]:
    yield '# An agent is any program. Its exit code decides.\n[agents.lister]\ncommand = ["ls"]'
    if tests is not None:
        yield f"[agents.tester]\ncommand = {json.dumps(list(tests))}"


def _personas(clis: Sequence[str]) -> Iterator[str]:
    reviewer = (
        "# Or it is a persona on an agent CLI. It may only read, unless you run the plan with\n"
        "# --permissions workspace-write.\n"
        "[agents.reviewer]\n"
        'description = "You are a careful reviewer. You are brief, and name files and lines."'
    )
    if not clis:
        yield (
            f"{reviewer}\n"
            '# tool = "claude"    # no agent CLI was found; else the first one on PATH answers'
        )
        return
    first, *others = clis
    if not others:
        yield f'{reviewer}\ntool = "{first}"'
        return
    yield f'{reviewer}\ntool = "{first}"\nfallback = "second-reviewer"    # if {first} fails'
    yield (
        "[agents.second-reviewer]\n"
        'description = "You are a careful reviewer. You are brief, and name files and lines."\n'
        f'tool = "{others[0]}"'
    )


_FILES = """\
[[subgoals]]
id = "files"
agent = "lister\""""

_TESTS = """\
[[subgoals]]
id = "tests"
agent = "tester"
retries = 0"""


def _asked(name: str, question: str, needs: Sequence[str], *, run: bool = False) -> str:
    lines = [
        "[[subgoals]]",
        f'id = "{name}"',
        'agent = "reviewer"',
        f"depends_on = {json.dumps(list(needs))}",
    ]
    if run and len(needs) > 1:
        lines.append('on_dependency_failure = "run"    # it is told what failed')
    lines.append(f'description = "{question}"')
    return "\n".join(lines) + ("\n" if name == "next" else "")
