"""Checks and minimal environments, with real processes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar import AgentInfo, CollectResult, execute_agents
from aurora_soar.environment import MINIMAL, inherited, missing_hint
from aurora_spawner import FailureType


def run(folder: Path, script: str, *, breaker: CircuitBreaker | None = None, **more: Any) -> Any:
    config = {"command": ["sh", "-c", script], "cwd": str(folder), **more.pop("config", {})}
    result: CollectResult = asyncio.run(
        execute_agents(
            [(0, AgentInfo("worker", config=config))],
            [{"id": "x", "description": "Do it.", **more}],
            breaker=breaker or CircuitBreaker(),
            global_timeout=60.0,
        )
    )
    return result.agent_outputs[0]


def test_an_answer_counts_only_if_its_check_passes_and_the_next_attempt_is_told(
    tmp_path: Path,
) -> None:
    """A failed check fails the attempt, counts for no circuit, and its words reach the next one."""
    breaker = CircuitBreaker(failure_threshold=1)
    output = run(
        tmp_path,
        "cat > prompt; echo x >> tries; cat tries",
        check=["sh", "-c", "echo it is short; test $(wc -l < tries) -ge 2"],
        retries=1,
        breaker=breaker,
    )
    assert output.success
    assert output.retries == 1
    told = (tmp_path / "prompt").read_text()
    assert told.startswith("Do it.")
    assert "did not pass its check" in told
    assert "it is short" in told
    assert breaker.get_health_status("worker")["failure_count"] == 0


def test_a_failed_check_says_which_and_how(tmp_path: Path) -> None:
    """The error names the check and its exit code, and its words stand in the error output."""
    output = run(tmp_path, "true", check=["sh", "-c", "echo broken; exit 3"], retries=0)
    assert output.error == "check failed: sh -c 'echo broken; exit 3' (exit 3)"
    assert output.result.failure_type is FailureType.CHECK_FAILED
    assert "broken" in output.result.stderr
    missing = run(tmp_path, "true", check=["no-such-check"], retries=0)
    assert missing.error.startswith("check failed: no-such-check (no-such-check not found")


def test_a_check_has_the_time_of_an_attempt(tmp_path: Path) -> None:
    """A check that hangs is ended like an attempt, and fails it."""
    output = run(tmp_path, "true", check=["sleep", "60"], retries=0, timeout=0.3)
    assert output.error == "check failed: sleep 60 (Timeout after 0.3s)"


def test_a_minimal_environment_holds_what_is_listed_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F69: a child of `env = "minimal"` sees the short list and what is named, and nothing else."""
    monkeypatch.setenv("AURORA_TEST_TOKEN", "t0ken")
    monkeypatch.setenv("AURORA_TEST_OTHER", "other")
    config = {"env": "minimal", "pass_env": ["AURORA_TEST_TOKEN"]}
    output = run(tmp_path, "env", retries=0, config=config)
    seen = {line.partition("=")[0] for line in output.output.splitlines()}
    assert "AURORA_TEST_TOKEN" in seen
    assert "AURORA_TEST_OTHER" not in seen
    # What the shell and we ourselves add.
    ours = {"_", "PWD", "SHLVL", "OLDPWD", "AURORA_SPAWN_COOKIE"}
    assert seen <= MINIMAL | ours | {"AURORA_TEST_TOKEN"}
    everything = run(tmp_path, "env", retries=0)
    assert "AURORA_TEST_OTHER=other" in everything.output


def test_a_child_that_misses_a_variable_is_told_how_to_pass_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F69: a failure that speaks of a variable we have and it has not names the way to pass it."""
    monkeypatch.setenv("AURORA_TEST_TOKEN", "t0ken")
    script = "echo AURORA_TEST_TOKEN is not set >&2; exit 1"
    output = run(tmp_path, script, retries=0, config={"env": "minimal"})
    assert output.error.endswith(
        'its environment is minimal; to pass what it speaks of: pass_env = ["AURORA_TEST_TOKEN"]'
    )
    assert missing_hint(None, "AURORA_TEST_TOKEN", {"AURORA_TEST_TOKEN": "x"}) is None
    assert missing_hint(("HOME",), "NO_SUCH_NAME", {"HOME": "x"}) is None
    assert inherited({"env": "inherit"}) is None
