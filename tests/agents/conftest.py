"""The real agent CLIs against a model server of ours; `make agents` runs these, nothing else does.

They need the CLIs, and a network namespace with nothing but loopback: without both they are not
even collected, and with `AURORA_AGENTS` set (it names the place of the CLIs) what is missing fails.
"""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .clis import CLIS, Cli
from .model_server import ModelServer, Script
from .workplace import Workplace

PLACE = os.environ.get("AURORA_AGENTS")

# What a test records about how soon something was known, and how the table says it.
SAYINGS = {"known": "{:.1f}", "goes on": "{:.1f}, goes on"}

if PLACE is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def nowhere_to_go() -> None:
    """Nothing that an agent says can leave this machine."""
    interfaces = [name for _, name in socket.if_nameindex()]
    if interfaces != ["lo"]:
        pytest.exit(f"this is no namespace without a network: it has {interfaces}", returncode=2)
    missing = [cli.name for cli in CLIS if shutil.which(cli.name) is None]
    if missing:
        pytest.exit(f"not installed: {', '.join(missing)}", returncode=2)


@pytest.fixture
def serve() -> Iterator[Callable[[Script], ModelServer]]:
    """Starts servers that follow a script."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(ModelServer(script))


@pytest.fixture
def workplace() -> Iterator[Workplace]:
    """A home and a folder for agents; nobody is left in it after the test, and then it goes."""
    assert PLACE is not None
    # Not below the temporary folder: codex refuses to keep programs there.
    folder = Path(PLACE) / "home" / uuid.uuid4().hex
    place = Workplace(folder)
    yield place
    left = place.left_after(seconds=5)
    for pid in left:
        os.kill(pid, 9)
    shutil.rmtree(folder, ignore_errors=True)
    assert not left, f"left behind: {left}"


@pytest.fixture(params=CLIS, ids=lambda cli: cli.name)
def cli(request: pytest.FixtureRequest) -> Cli:
    """Each of the CLIs."""
    return request.param


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How soon it was known how each CLI failed: a table for the README, in a file too."""
    seconds: dict[str, dict[str, str]] = defaultdict(dict)
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name in SAYINGS:
                tool, mode, after = value
                seconds[mode][tool] = SAYINGS[name].format(after)
    if not seconds or PLACE is None:
        return
    names = [cli.name for cli in CLIS]
    lines = [f"| the provider | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for mode, by_tool in sorted(seconds.items()):
        lines.append(f"| {mode} | {' | '.join(by_tool.get(name, '-') for name in names)} |")
    file = Path(PLACE) / "seconds.md"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    terminalreporter.section(f"seconds until it is known ({file})")
    for line in lines:
        terminalreporter.write_line(line)
