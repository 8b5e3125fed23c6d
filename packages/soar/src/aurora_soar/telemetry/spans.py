"""A run as OpenTelemetry spans and metrics: one span for the run, each subgoal, each attempt.

Needs the extra `otel`, which is OpenTelemetry's API; where spans go is the caller's provider's
affair. Names follow the semantic conventions for generative AI, version 0.1.0, where they have
one: the run is an `invoke_workflow`, an attempt an `invoke_agent`. What they have no name for
begins with `aurora.`.

No text that a person or an agent wrote is in any of it, but ids and names: no prompt, no answer,
no error message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    set_span_in_context,
)

from aurora_soar.events import (
    CircuitChanged,
    RunEvent,
    SubgoalEvent,
    SubgoalFinished,
    SubgoalStarted,
    ToolParked,
    ToolResumed,
)
from aurora_soar.results import AgentOutput, Outcome
from aurora_soar.views import Board, Row
from aurora_spawner import (
    PROGRAM_TOOLS,
    AttemptFinished,
    AttemptStarted,
    Event,
    FallbackStarted,
    ProviderLimited,
    RetryScheduled,
    SpawnResult,
    failure_type_of,
)

__all__ = ["Telemetry"]

_SCOPE = "aurora_soar"

# Providers as the conventions call them; a tool that serves several is named itself.
_PROVIDERS = {"claude": "anthropic", "codex": "openai", "gemini": "gcp.gen_ai"}

# The buckets that the conventions ask for, and for durations further ones: agents take minutes.
_TOKEN_BUCKETS = [float(4**power) for power in range(14)]
_SECOND_BUCKETS = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0]

_Attributes = dict[str, str | bool | int | float]


@dataclass(slots=True)
class _Attempt:
    """An attempt under way: its span, what is known of it, and when it began, seconds."""

    span: Span
    known: _Attributes
    began: float


class Telemetry:
    """Makes spans and metrics of what happens.

    Args:
        board: The run; it notes each event before this does.
        run: The run's id.
        tracers: Where spans go.
        meters: Where metrics go.
        parent: The context of a trace that the run is a part of; None: it is a trace of its own.
        ended: Called when all of the run is told.
        wall: What time it is, nanoseconds since 1970.
    """

    def __init__(
        self,
        board: Board,
        run: str,
        tracers: TracerProvider,
        meters: MeterProvider,
        *,
        parent: Context | None = None,
        ended: Callable[[], None] = lambda: None,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self._board = board
        self._run = run
        self._tracer = tracers.get_tracer(_SCOPE)
        self._parent = parent
        self._ended = ended
        self._wall = wall
        self._root: Span | None = None
        self._subgoals: dict[int, Span] = {}
        self._attempts: dict[int, _Attempt] = {}
        meter = meters.get_meter(_SCOPE)
        self._durations = meter.create_histogram(
            "gen_ai.invoke_agent.duration",
            unit="s",
            description="Duration of a run or of an attempt of an agent.",
            explicit_bucket_boundaries_advisory=_SECOND_BUCKETS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens that an attempt read and wrote.",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )
        self._cost = meter.create_counter(
            "aurora.cost", unit="{USD}", description="What attempts cost, as far as they told."
        )
        self._retries = meter.create_counter(
            "aurora.retries", unit="{retry}", description="Retries that were scheduled."
        )
        self._parked = meter.create_histogram(
            "aurora.tool.parked",
            unit="s",
            description="For how long a provider's limit parked a tool.",
            explicit_bucket_boundaries_advisory=_SECOND_BUCKETS,
        )
        self._outcomes = meter.create_counter(
            "aurora.subgoals", unit="{subgoal}", description="Subgoals that ended, by outcome."
        )

    def start(self) -> None:
        """The run begins."""
        name = self._board.name
        self._root = self._tracer.start_span(
            f"invoke_workflow {name}",
            self._parent,
            attributes={
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.agent.name": name,
                "aurora.run.id": self._run,
                "aurora.run.subgoals": len(self._board.rows),
                "aurora.run.max_concurrent": self._board.limit,
            },
            start_time=self._wall(),
        )

    def saw(self, event: RunEvent, now: float) -> None:
        """Something happened, and the board knows of it; `now` is on the board's clock."""
        match event:
            case SubgoalStarted(position):
                self._open(position)
            case SubgoalEvent(position, inner):
                self._heard(position, self._board.rows[position], inner, now)
            case SubgoalFinished(position, output):
                self._finished(position, output, now)
            case ToolParked(tool, seconds):
                self._parked.record(seconds, {"aurora.tool": tool})
                self._noted("tool.parked", {"aurora.tool": tool, "aurora.seconds": seconds})
            case ToolResumed(tool):
                self._noted("tool.resumed", {"aurora.tool": tool})
            case CircuitChanged(agent_id, state):
                self._noted(f"circuit.{state}", {"gen_ai.agent.name": agent_id})
            case _:
                pass

    def finish(self, exit_code: int, now: float) -> None:
        """The run has ended."""
        if self._root is None:
            return
        root, self._root = self._root, None
        totals = self._board.totals()
        succeeded = totals.ok == len(self._board.rows)
        root.set_attributes(
            {
                "aurora.exit_code": exit_code,
                "aurora.run.ok": totals.ok,
                "aurora.run.failed": totals.failed,
                "aurora.run.blocked": totals.blocked,
                "aurora.run.skipped": totals.skipped,
                "aurora.run.unfinished": totals.unfinished,
                **_spent(self._board.spent().fields()),
            }
        )
        known: _Attributes = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.agent.name": self._board.name,
        }
        if not succeeded:
            known["error.type"] = "failed"
        self._durations.record(now - self._board.started, known)
        self._end(root, None if succeeded else "failed")
        self._ended()

    # Subgoals

    def _open(self, position: int) -> Span:
        """The span of a subgoal, linked to those that it builds on."""
        if position not in self._subgoals:
            row = self._board.rows[position]
            places = {each.id: place for place, each in enumerate(self._board.rows)}
            needed = [self._subgoals.get(places.get(name, -1)) for name in row.needs]
            self._subgoals[position] = self._tracer.start_span(
                f"subgoal {row.id}",
                self._within(self._root),
                links=[Link(span.get_span_context()) for span in needed if span is not None],
                attributes={"aurora.subgoal.id": row.id, "gen_ai.agent.name": row.agent},
                start_time=self._wall(),
            )
        return self._subgoals[position]

    def _finished(self, position: int, output: AgentOutput, now: float) -> None:
        span = self._open(position)
        row = self._board.rows[position]
        attempt = self._attempts.get(position)
        if attempt is not None:
            # The plain LLM's, which has no end of its own; otherwise one that was cut off.
            answered = output.result if output.success and output.fallback else None
            self._attempt_ended(position, answered, now)
        outcome = str(output.outcome)
        span.set_attributes(
            {
                "aurora.outcome": outcome,
                "aurora.attempts": row.attempt,
                "aurora.flaky": row.is_flaky,
                "aurora.fallback": row.is_fallback,
                "aurora.kept": row.is_kept,
                **_spent(row.spent.fields()),
            }
        )
        self._outcomes.add(1, {"aurora.outcome": outcome})
        error = None
        if not output.success:
            kind = failure_type_of(output.result) if output.result is not None else None
            error = str(kind or output.outcome)
        # Nothing went wrong with what never started.
        self._end(span, None if output.outcome is Outcome.SKIPPED else error)

    # Attempts

    def _heard(self, position: int, row: Row, event: Event, now: float) -> None:
        match event:
            case AttemptStarted(attempt, attempts):
                self._attempt_began(
                    position,
                    row,
                    row.stand_in or row.agent,
                    now,
                    {"aurora.attempt": attempt, "aurora.attempts": attempts},
                )
            case AttemptFinished(result=result):
                self._attempt_ended(position, result, now)
            case ProviderLimited(retry_after=retry_after) if position in self._attempts:
                seconds = {} if retry_after is None else {"aurora.seconds": retry_after}
                self._attempts[position].span.add_event("provider.limited", seconds, self._wall())
            case RetryScheduled(delay=delay):
                self._retries.add(1, {"gen_ai.agent.name": row.stand_in or row.agent})
                self._open(position).add_event(
                    "retry.scheduled", {"aurora.seconds": delay}, self._wall()
                )
            case FallbackStarted(agent=None):
                self._attempt_began(position, row, None, now, {"aurora.fallback": True})
            case _:
                pass

    def _attempt_began(
        self, position: int, row: Row, agent: str | None, now: float, more: Mapping[str, int | bool]
    ) -> None:
        known: _Attributes = {} if agent is None else {"gen_ai.agent.name": agent}
        is_model = row.tool not in PROGRAM_TOOLS
        if is_model:
            known["gen_ai.operation.name"] = "invoke_agent"
        if row.tool is not None:
            known["aurora.tool"] = row.tool
            if is_model:
                known["gen_ai.provider.name"] = _PROVIDERS.get(row.tool, row.tool)
        if is_model and row.model is not None and row.stand_in is None:
            known["gen_ai.request.model"] = row.model
        verb = "invoke_agent" if is_model else "run"
        span = self._tracer.start_span(
            verb if agent is None else f"{verb} {agent}",
            self._within(self._open(position)),
            kind=SpanKind.CLIENT if is_model else SpanKind.INTERNAL,
            attributes={**known, "aurora.subgoal.id": row.id, **more},
            start_time=self._wall(),
        )
        self._attempts[position] = _Attempt(span, known, now)

    def _attempt_ended(self, position: int, result: SpawnResult | None, now: float) -> None:
        """An attempt ended; without a result it was cut off, or its end is not known."""
        attempt = self._attempts.pop(position, None)
        if attempt is None:
            return
        error = "cancelled" if result is None else failure_type_of(result)
        known = dict(attempt.known)
        if error is not None:
            known["error.type"] = str(error)
        if result is not None:
            self._count(attempt.span, known, result)
        self._durations.record(now - attempt.began, known)
        self._end(attempt.span, None if error is None else str(error))

    def _count(self, span: Span, known: _Attributes, result: SpawnResult) -> None:
        """What an attempt told of itself."""
        if result.model is not None:
            known["gen_ai.response.model"] = result.model
            span.set_attribute("gen_ai.response.model", result.model)
        told = {
            "gen_ai.conversation.id": result.session_id,
            "aurora.tool.version": result.tool_version,
            "aurora.termination_reason": "early" if result.termination_reason else None,
        }
        span.set_attributes({key: value for key, value in told.items() if value is not None})
        span.set_attribute("aurora.exit_code", result.exit_code)
        fields = {
            "cost_usd": result.cost_usd,
            "tokens_in": result.tokens_in,
            "tokens_out": result.tokens_out,
        }
        span.set_attributes(_spent(fields))
        plain = {key: value for key, value in known.items() if key != "error.type"}
        for kind, tokens in (("input", result.tokens_in), ("output", result.tokens_out)):
            if tokens is not None:
                self._tokens.record(tokens, {**plain, "gen_ai.token.type": kind})
        if result.cost_usd is not None:
            self._cost.add(result.cost_usd, plain)

    # Spans

    def _within(self, span: Span | None) -> Context | None:
        return self._parent if span is None else set_span_in_context(span, self._parent)

    def _noted(self, name: str, attributes: Mapping[str, str | float]) -> None:
        if self._root is not None:
            self._root.add_event(name, attributes, self._wall())

    def _end(self, span: Span, error: str | None) -> None:
        """End a span; an error's message is none of it, for it may quote an agent."""
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR))
        span.end(self._wall())


def _spent(fields: Mapping[str, float | int | None]) -> _Attributes:
    """What was spent, as far as it is known."""
    names = {
        "cost_usd": "aurora.cost_usd",
        "tokens_in": "gen_ai.usage.input_tokens",
        "tokens_out": "gen_ai.usage.output_tokens",
    }
    return {names[key]: value for key, value in fields.items() if value is not None}
