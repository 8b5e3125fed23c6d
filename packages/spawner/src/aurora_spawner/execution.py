"""One request, one result, on this machine: a tool's call, a watch and a process put together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from aurora_spawner.detection import (
    Detection,
    Retrying,
    Watch,
    WatchRules,
    get_early_detection_monitor,
)
from aurora_spawner.events import (
    Event,
    OnEvent,
    OutputLine,
    ProviderLimited,
    Stream,
    Warned,
)
from aurora_spawner.failures import FailureType, classify, retry_after, signal_name
from aurora_spawner.logs import OutputLogs
from aurora_spawner.models import SpawnRequest, SpawnResult
from aurora_spawner.output import Lines
from aurora_spawner.process import Dialogue, Limits, ProcessResult, StartError, run_observed
from aurora_spawner.redact import secrets_in
from aurora_spawner.tools import (
    Answer,
    Invocation,
    Notice,
    Reader,
    Reply,
    Tool,
    Worked,
    get_tool,
)

__all__ = ["execute"]


async def execute(request: SpawnRequest, on_event: OnEvent | None = None) -> SpawnResult:
    """Run one attempt to its end.

    Args:
        request: What to run.
        on_event: Gets every line and warning as it comes; must not raise.

    Raises:
        UnknownToolError: The request names a tool that is not registered.
        InvalidTaskError: The request cannot be put to its tool.
        asyncio.CancelledError: After the process and its group have ended.
    """
    tool = get_tool(request.tool)
    call = tool.invocation(request)
    attempt = _Attempt(request, tool, call, on_event)
    try:
        return await _run(request, tool, call, attempt)
    finally:
        attempt.close()


async def _run(
    request: SpawnRequest, tool: Tool, call: Invocation, attempt: _Attempt
) -> SpawnResult:
    ended = await run_observed(
        call.argv,
        attempt,
        stdin=call.stdin,
        cwd=request.cwd,
        env=_environment(request, call),
        limits=Limits(
            timeout=request.timeout,
            output_bytes=request.policy.output_bytes,
            stderr_bytes=request.policy.stderr_bytes,
            grace=request.policy.grace,
            leftovers=request.policy.leftovers,
            keep=request.policy.keep,
            isolation=request.policy.isolation,
        ),
        dialogue=attempt.dialogue,
    )
    if ended.start_error is not None:
        return _not_started(ended.start_error, tool)
    if ended.stopped is not None:
        get_early_detection_monitor().record(
            request.agent, ended.stopped, ended.stopped_after or 0.0
        )
    return attempt.result(ended)


def _environment(request: SpawnRequest, call: Invocation) -> dict[str, str] | None:
    """What the process gets for its environment; None: ours as it is."""
    added = {**call.env, **request.env}
    if request.inherit is not None:
        ours = {name: os.environ[name] for name in request.inherit if name in os.environ}
        return {**ours, **added}
    return {**os.environ, **added} if added else None


def _not_started(error: StartError, tool: Tool) -> SpawnResult:
    missing = error.kind == "not_found" and tool.executable
    message = f"{error.message} ({tool.install})" if missing else error.message
    # Descriptors and processes become free again; everything else stays as it is.
    passes = error.kind == "no_resources"
    failure_type = FailureType.CRASH if passes else FailureType.NOT_FOUND
    return SpawnResult.failed(message, failure_type, tool=tool.name)


class _Attempt:
    """Looks on while the process runs: an observer made of a watch, the lines and the tool."""

    def __init__(
        self, request: SpawnRequest, tool: Tool, call: Invocation, on_event: OnEvent | None
    ) -> None:
        policy = request.policy
        bound = min(request.timeout, policy.max_timeout)
        self._watch = Watch(
            WatchRules(
                # Silence says nothing about a tool that does not stream: it has all its time.
                timeout=min(policy.timeout, bound) if tool.streams else bound,
                max_timeout=bound,
                idle_limit=policy.idle_limit if tool.streams else None,
                first_output_limit=policy.first_output_limit if tool.streams else None,
                idle_warns=policy.idle_warns,
                terminal=tool.terminal,
                inner_retries=policy.inner_retries,
            ),
            asyncio.get_running_loop().time(),
        )
        self._request = request
        self._tool = tool
        self._reader: Reader = call.reader or tool.reader()
        self.dialogue = Dialogue() if call.reader is not None else None
        self._on_event = on_event
        self._lines: dict[Stream, Lines] = {"stdout": Lines(), "stderr": Lines()}
        self._warnings: list[str] = []
        self._limited = False
        self._logs: OutputLogs | None = None
        if request.log_dir is not None:
            secrets = secrets_in({**os.environ, **request.env})
            self._logs = OutputLogs(request.log_dir, secrets)
        self.due: Callable[[], float] = self._watch.due
        self.shift: Callable[[float], None] = self._watch.shift

    # Observer

    def saw(self, stream: Stream, data: bytes, now: float) -> Detection | None:
        """Output came."""
        if self._logs is not None:
            self._logs.write(stream, data)
        detection = self._watch.saw(stream, data, now)
        self._pass_on_warnings()
        return detection or self._heed(stream, data)

    def check(self, now: float) -> Detection | None:
        """Time has passed."""
        detection = self._watch.check(now)
        self._pass_on_warnings()
        return detection

    def _heed(self, stream: Stream, data: bytes, *, final: bool = False) -> Detection | None:
        """Give lines to who wants them: the tool's reader, and whoever looks on."""
        structured = self._tool.structured
        if not structured and self._on_event is None:
            return None
        take = self._reader.line if stream == "stdout" else self._reader.aside
        stop: Detection | None = None
        for line in self._lines[stream].feed(data, final=final):
            if not structured or stream == "stderr":
                self._emit(OutputLine(stream, line))
            if structured:
                for notice in take(line):
                    stop = self._note(notice) or stop
        return stop

    def _note(self, notice: Notice) -> Detection | None:
        """What a line of a tool means for the attempt."""
        match notice:
            case Detection():
                return notice
            case Warned(text):
                self._warn(text)
            case Retrying(reason, failure_type, wait):
                if failure_type is FailureType.RATE_LIMIT:
                    self._tell_of_limit(reason, wait)
                stop = self._watch.retries(notice)
                self._pass_on_warnings()
                return stop
            case Reply(data, last) if self.dialogue is not None:
                self.dialogue.say(data)
                if last:
                    self.dialogue.hang_up()
            case Worked(tools):
                self._watch.worked(tools)
            case OutputLine():
                self._watch.worked()
                self._emit(notice)
        return None

    def _tell_of_limit(self, reason: str, wait: float | None) -> None:
        if not self._limited:
            self._limited = True
            worked = self._watch.has_worked
            self._emit(ProviderLimited(self._tool.name, wait, worked, reason))

    def _pass_on_warnings(self) -> None:
        while self._watch.warnings:
            self._warn(self._watch.warnings.pop(0))

    def _warn(self, text: str) -> None:
        self._warnings.append(text)
        self._emit(Warned(text))

    def _emit(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def close(self) -> None:
        """Let go of the logs; what they could not keep is a warning."""
        if self._logs is not None:
            self._logs.close()
            self._logs = None

    # Result

    def result(self, ended: ProcessResult) -> SpawnResult:
        """What became of the attempt: our own stop, then the exit, then what the tool says."""
        if self._logs is not None and self._logs.failure is not None:
            self._warn(f"not all output could be logged: {self._logs.failure}")
        for stream in ("stdout", "stderr"):
            self._heed(stream, b"", final=True)
        stderr = ended.stderr.text()
        answer = self._reader.answer(ended.exit_code, ended.stdout.text(), stderr)
        error, failure_type = self._failure(ended, answer, stderr)
        wait = ended.stopped.retry_after if ended.stopped else None
        if error is not None and failure_type is FailureType.RATE_LIMIT:
            wait = wait or retry_after(f"{error}\n{stderr}")
            self._tell_of_limit(error, wait)
        facts = answer.facts
        # A session in which nothing was done is nothing to go on with.
        begun = error is None or self._watch.has_worked or self._request.session_id is not None
        return SpawnResult(
            success=error is None,
            output=answer.text,
            error=error,
            exit_code=ended.exit_code,
            termination_reason=ended.stopped.reason if ended.stopped else None,
            execution_time=ended.duration,
            failure_type=failure_type,
            detection_time=ended.stopped_after,
            tool=self._tool.name,
            stderr=stderr,
            dropped_bytes=ended.stdout.dropped + ended.stderr.dropped,
            warnings=tuple(self._warnings),
            retry_after=wait,
            leaked=ended.leaked,
            leftovers=ended.leftovers,
            cost_usd=facts.cost_usd,
            tokens_in=facts.tokens_in,
            tokens_out=facts.tokens_out,
            session_id=(facts.session_id or self._request.session_id) if begun else None,
            model=facts.model,
            tool_version=facts.tool_version,
            peak_memory=ended.peak_memory,
        )

    def _failure(
        self, ended: ProcessResult, answer: Answer, stderr: str
    ) -> tuple[str | None, FailureType | None]:
        if ended.stopped is not None:
            return ended.stopped.reason, ended.stopped.failure_type
        exit_code = 0 if answer.settled else ended.exit_code
        if exit_code < 0:
            return f"killed by {signal_name(-exit_code)}", FailureType.CRASH
        if answer.error is not None:
            kind = answer.failure_type or classify(f"{answer.error}\n{stderr}", exit_code=exit_code)
            return answer.error, kind
        if exit_code != 0:
            said = stderr.strip().rpartition("\n")[2]
            error = f"exit {exit_code}: {said}" if said else f"exit {exit_code}"
            # A program's own words are about its work; only an agent CLI speaks of its provider.
            text = stderr if self._tool.answers else ""
            return error, classify(text, exit_code=exit_code)
        empty = self._tool.answers and not answer.text.strip()
        if empty and not self._request.policy.allow_empty_output:
            return f"{self._tool.name} answered nothing", FailureType.INFERENCE
        return None, None
