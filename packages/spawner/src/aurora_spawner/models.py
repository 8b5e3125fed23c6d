"""What goes in and what comes out: plain, frozen data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.failures import FailureType
from aurora_spawner.policy import Policy, named_policy, positive_seconds

__all__ = ["Permissions", "SpawnRequest", "SpawnResult", "SpawnTask"]

Permissions: TypeAlias = Literal["read-only", "workspace-write", "full-access"]
"""What an agent may do without anybody to ask: read, change files in its folder, or everything.

Each tool maps them to its own modes. `full-access` runs what the model says, outside of any
sandbox: it is for machines that can be thrown away.
"""

# What tools call their sessions: UUIDs, and words such as `ses_4f`. Never an option (F62).
_SESSION = re.compile(r"[A-Za-z0-9][\w.:-]{0,199}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SpawnTask:
    """One thing for one agent to do.

    Attributes:
        prompt: What is asked; reaches the tool through standard input.
        agent: Who is asked; None is a plain LLM call without a persona.
        timeout: Seconds an attempt may take, whatever the policy says.
        tool: Which agent CLI answers; None: see `spawn`.
        model: Which model the tool is to use; None: the tool's own choice.
        policy: A preset's name or a `Policy`; None is `default`.
        cwd: Folder the tool works in; None is the current one.
        persona: Who the agent is, in words; put before the prompt.
        command: Program and arguments for the tool `command`: the agent is this program.
        env: Variables added to the inherited environment.
        inherit: Names of the variables that are inherited, those that are not set left out; None:
            all of ours.
        log_dir: Folder for all that the agent says, secrets left out; None keeps no logs.
        session_id: The tool's session to go on with, as an earlier result told it; None begins
            a new one.
        permissions: What the agent may do unasked. Programs (`command`) are not bound by it.
    """

    prompt: str
    agent: str | None = None
    timeout: float = 300.0
    tool: str | None = None
    model: str | None = None
    policy: Policy | str | None = None
    cwd: str | None = None
    persona: str | None = None
    command: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    inherit: tuple[str, ...] | None = None
    log_dir: str | None = None
    session_id: str | None = None
    permissions: Permissions = "read-only"

    def validate(self) -> None:
        """Find misuse before anything starts.

        Raises:
            InvalidTaskError: The timeout, the policy, the command, the session, the permissions
                or the prompt cannot be used.
        """
        positive_seconds("timeout", self.timeout)
        named_policy(self.policy)
        if self.command is not None and not self.command:
            raise InvalidTaskError("command", "is empty; it needs at least a program")
        if self.permissions not in get_args(Permissions):
            known = ", ".join(get_args(Permissions))
            raise InvalidTaskError("permissions", f'"{self.permissions}" is none of {known}')
        if self.session_id is not None and not _SESSION.fullmatch(self.session_id):
            raise InvalidTaskError("session_id", f"{self.session_id!r} cannot be a session's id")
        if not isinstance(self.prompt, str):
            raise InvalidTaskError("prompt", f"must be text, not {type(self.prompt).__name__}")
        try:
            self.prompt.encode()
        except UnicodeEncodeError as error:
            raise InvalidTaskError("prompt", f"cannot be encoded: {error}") from error


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """A task with every choice made: plain data that a runner can ship to another machine.

    Attributes:
        prompt: The whole text for standard input, persona included.
        tool: Name of the tool; an adapter is named, not pickled.
        agent: As in `SpawnTask`.
        model: As in `SpawnTask`.
        command: As in `SpawnTask`.
        cwd: As in `SpawnTask`.
        env: As in `SpawnTask`.
        inherit: As in `SpawnTask`.
        timeout: Upper bound for the attempt, seconds.
        policy: The policy itself.
        log_dir: As in `SpawnTask`.
        session_id: As in `SpawnTask`.
        permissions: As in `SpawnTask`.
    """

    prompt: str
    tool: str
    agent: str | None
    model: str | None
    command: tuple[str, ...] | None
    cwd: str | None
    env: Mapping[str, str]
    timeout: float
    policy: Policy
    log_dir: str | None = None
    session_id: str | None = None
    permissions: Permissions = "read-only"
    inherit: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SpawnResult:
    """What became of one task.

    Attributes:
        success: Whether the agent did what was asked, as its tool tells it.
        output: The answer: decoded text, at most the policy's `output_bytes` of it.
        error: For people; None exactly when `success`.
        exit_code: 0-255, or minus the signal number; -1 also when no process was started.
        fallback: The plain LLM answered instead of the agent.
        original_agent: Who was asked first, where a fallback answered.
        retry_count: Attempts of the agent after its first.
        termination_reason: Why the attempt was ended early; None if it ended by itself.
        execution_time: Seconds on the monotonic clock, from launch to reap.
        failure_type: The kind of failure; None on success.
        detection_time: Seconds from launch until an early end was decided.
        tool: Which tool answered.
        stderr: What the tool said on standard error, bounded like `output`.
        dropped_bytes: Bytes of output left out of `output` and `stderr`.
        warnings: What was noticed without ending the attempt.
        retry_after: Seconds that the provider asked to wait; None if it did not.
        leaked: Processes that the agent left held its pipes after it had exited.
        leftovers: The programs that the agent left running, as `name (pid)`: killed, or let live
            as the policy says.
        cost_usd: US dollars, as the tool reckons them. Here and below None is unknown, never 0.
        tokens_in: Tokens that the model read, those from the provider's cache included.
        tokens_out: Tokens that the model wrote, its reasoning included.
        session_id: The tool's session, for `SpawnTask.session_id`; None also where the agent had
            done nothing in it, so that there is nothing to go on with.
        model: The model that answered, as the tool names it.
        tool_version: The tool's version, where its output tells it.
        peak_memory: See `ProcessResult`.
    """

    success: bool
    output: str
    error: str | None
    exit_code: int
    fallback: bool = False
    original_agent: str | None = None
    retry_count: int = 0
    termination_reason: str | None = None
    execution_time: float = 0.0
    failure_type: FailureType | None = None
    detection_time: float | None = None
    tool: str | None = None
    stderr: str = ""
    dropped_bytes: int = 0
    warnings: tuple[str, ...] = ()
    retry_after: float | None = None
    leaked: bool = False
    leftovers: tuple[str, ...] = ()
    cost_usd: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    session_id: str | None = None
    model: str | None = None
    tool_version: str | None = None
    peak_memory: int | None = None

    @classmethod
    def failed(
        cls,
        error: str | BaseException,
        failure_type: FailureType = FailureType.CRASH,
        *,
        tool: str | None = None,
    ) -> SpawnResult:
        """The result where no process ran: exit code -1, no output."""
        return cls(
            success=False,
            output="",
            error=str(error) or type(error).__name__,
            exit_code=-1,
            failure_type=failure_type,
            tool=tool,
        )
