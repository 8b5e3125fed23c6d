"""Tasks, results, events, errors."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

import aurora_spawner
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    FailureType,
    FallbackStarted,
    InvalidTaskError,
    OutputLine,
    Policy,
    RetryScheduled,
    SpawnError,
    SpawnResult,
    SpawnTask,
    UnknownToolError,
    Warned,
    outcome_of,
    status_of,
    testing,
    tools,
)

GOOD = SpawnResult(success=True, output="yes", error=None, exit_code=0, execution_time=1.23)
BAD = SpawnResult(success=False, output="", error="exit 1", exit_code=1)


class TestTask:
    def test_defaults(self) -> None:
        """A prompt is enough: a plain LLM call with 300 seconds."""
        task = SpawnTask("hello")
        assert (task.agent, task.timeout) == (None, 300)
        task.validate()

    def test_frozen(self) -> None:
        """Tasks and results cannot be changed."""
        for value, field in ((SpawnTask("hello"), "prompt"), (GOOD, "output")):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(value, field, "other")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("timeout", 0),
            ("timeout", -1),
            ("timeout", float("nan")),
            ("timeout", float("inf")),
            ("timeout", None),
            ("policy", "hasty"),
            ("command", ()),
            ("prompt", b"bytes"),
            ("prompt", None),
        ],
    )
    def test_f37_misuse_is_refused(self, field: str, value: object) -> None:
        """F37: a task that cannot be run is refused, and the error names the field."""
        task = dataclasses.replace(SpawnTask("hello"), **{field: value})
        with pytest.raises(InvalidTaskError, match=field) as caught:
            task.validate()
        assert caught.value.field == field

    def test_a_policy_by_value(self) -> None:
        """A task may bring a policy of its own."""
        SpawnTask("hello", policy=Policy("own", timeout=3)).validate()


class TestResult:
    def test_failed(self) -> None:
        """A failure without a process says why, with exit code -1, and is a crash by default."""
        result = SpawnResult.failed("no luck", tool="claude")
        assert result == SpawnResult(
            success=False,
            output="",
            error="no luck",
            exit_code=-1,
            failure_type=FailureType.CRASH,
            tool="claude",
        )

    def test_failed_by_an_exception(self) -> None:
        """An exception is told by its text, or by its name where it has none."""
        assert SpawnResult.failed(ValueError("text")).error == "text"
        assert SpawnResult.failed(ValueError()).error == "ValueError"

    def test_the_seeds_signature(self) -> None:
        """The first nine fields can be given by position and have the promised defaults."""
        result = SpawnResult(True, "out", None, 0)
        assert (result.fallback, result.original_agent, result.retry_count) == (False, None, 0)
        assert (result.termination_reason, result.execution_time) == (None, 0.0)


class TestEvents:
    @pytest.mark.parametrize(
        ("event", "status"),
        [
            (RetryScheduled(1, 2, 2.04, "exit 1"), "Retry 1/2 in 2.0s"),
            (FallbackStarted("exit 1"), "Fallback to LLM"),
            (AttemptStarted(1, 3), None),
            (AttemptFinished(1, 3, BAD), None),
            (OutputLine("stdout", "hello"), None),
            (Warned("careful"), None),
        ],
    )
    def test_status(self, event: aurora_spawner.Event, status: str | None) -> None:
        """Retries and the fallback have a status for progress callbacks; the rest has none."""
        assert status_of(event) == status

    def test_outcome(self) -> None:
        """The last status of a task is its time, or its error."""
        assert outcome_of(GOOD) == "Completed (1.2s)"
        assert outcome_of(BAD) == "Failed: exit 1"


class TestErrors:
    def test_the_tree(self) -> None:
        """Every error of misuse is a SpawnError and a ValueError, and carries its fields."""
        invalid = InvalidTaskError("timeout", "too short")
        unknown = UnknownToolError("hal", ["claude", "codex"])
        for error in (invalid, unknown):
            assert isinstance(error, SpawnError)
            assert isinstance(error, ValueError)
        assert str(invalid) == "timeout: too short"
        assert (unknown.name, unknown.known) == ("hal", ("claude", "codex"))
        assert "hal" in str(unknown)
        assert "claude, codex" in str(unknown)


class TestPackage:
    @pytest.mark.parametrize("module", [aurora_spawner, testing, tools])
    def test_what_is_promised_is_there(self, module: object) -> None:
        """Everything in an `__all__` can be imported, and stands there once."""
        assert len(module.__all__) == len(set(module.__all__))
        assert all(hasattr(module, name) for name in module.__all__)

    def test_it_needs_nothing_but_the_standard_library(self) -> None:
        """Importing the package loads no module of another distribution."""
        program = (
            "import sys; before = set(sys.modules); import aurora_spawner; "
            "tops = {name.partition('.')[0] for name in set(sys.modules) - before}; "
            "print(sorted(tops - sys.stdlib_module_names))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "['aurora_spawner']"


class TestSessionAndPermissions:
    @pytest.mark.parametrize("session", ["--yolo", "-r", "", "a b", "../x", "x" * 201, "a\n"])
    def test_f62_a_session_is_never_an_option(self, session: str) -> None:
        """F62: what cannot be the id of a session is refused before anything starts."""
        with pytest.raises(InvalidTaskError, match="session_id"):
            SpawnTask("q", session_id=session).validate()

    @pytest.mark.parametrize("session", ["0199a213-81c0-7800-8aa1-bbab2a035a53", "ses_4f", "01J"])
    def test_what_tools_call_their_sessions(self, session: str) -> None:
        """Ids as tools give them are accepted."""
        SpawnTask("q", session_id=session).validate()

    def test_unknown_permissions(self) -> None:
        """Permissions that nobody defined are refused, with those that there are."""
        with pytest.raises(InvalidTaskError, match="read-only, workspace-write, full-access"):
            SpawnTask("q", permissions="root").validate()

    def test_the_careful_one_by_default(self) -> None:
        """Without a word an agent may only read."""
        assert SpawnTask("q").permissions == "read-only"

    def test_unknown_is_none(self) -> None:
        """What a tool does not tell is None in the result, never 0."""
        result = SpawnResult.failed("boom")
        told = (result.cost_usd, result.tokens_in, result.tokens_out, result.session_id)
        assert (*told, result.model, result.tool_version) == (None,) * 6
