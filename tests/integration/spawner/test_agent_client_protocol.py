"""The adapter for the Agent Client Protocol, with an agent made by the protocol's own library.

The library checks every message that it gets against the protocol's schema.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from aurora_spawner import SpawnResult, SpawnTask, spawn

AGENT = Path(__file__).with_name("protocol_agent.py")


def ask(prompt: str, folder: Path, **fields: object) -> SpawnResult:
    command = (sys.executable, str(AGENT))
    task = SpawnTask(prompt, tool="acp", command=command, cwd=str(folder), **fields)
    return asyncio.run(spawn(task))


def test_a_conversation(tmp_path: Path) -> None:
    """An answer in pieces, its session and tokens."""
    result = ask("say hello", tmp_path)
    assert (result.success, result.output) == (True, f"say hello, in {tmp_path}")
    assert (result.session_id, result.tokens_in, result.tokens_out) == ("s1", 3, 4)
    assert (result.tool_version, result.exit_code) == ("1.2.3", 0)


def test_a_session_goes_on(tmp_path: Path) -> None:
    """A session is loaded, and what it tells of its past is no answer."""
    result = ask("say hello", tmp_path, session_id="s0")
    assert (result.output, result.session_id) == (f"say hello, in {tmp_path}", "s0")


@pytest.mark.parametrize(
    ("permissions", "output"),
    [("read-only", "no"), ("workspace-write", "yes"), ("full-access", "yes")],
)
def test_permissions(tmp_path: Path, permissions: str, output: str) -> None:
    """An edit in the folder is refused to who may only read, and let do to the others."""
    assert ask("edit", tmp_path, permissions=permissions).output == output


def test_a_failure(tmp_path: Path) -> None:
    """What the agent raises is the failure."""
    result = ask("fail", tmp_path)
    assert (result.success, result.failure_type) == (False, "rate_limit")
    assert "429" in str(result.error)
