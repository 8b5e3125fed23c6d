"""A run in OpenTelemetry: held against the SDK's own exporters, in memory and on a console."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

pytest.importorskip("opentelemetry")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from aurora_soar import CircuitChanged, Outcome, SubgoalStarted, ToolParked, ToolResumed
from aurora_soar.cli.telemetry import telemetry, telemetry_wanted
from aurora_soar.telemetry import CannotExportError, Telemetry, parent_of, providers
from aurora_soar.views import Row
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    FailureType,
    FallbackStarted,
    ProviderLimited,
    RetryScheduled,
    SpawnResult,
)

if TYPE_CHECKING:
    Command = Any
    Run = Any
    RunOf = Any

SECRET = "what the agent said"

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Told(NamedTuple):
    """What OpenTelemetry was told: spans by name, in the order of their ends, and metrics."""

    spans: dict[str, list[ReadableSpan]]
    points: dict[str, list[Any]]

    def span(self, name: str) -> ReadableSpan:
        (span,) = self.spans[name]
        return span


class Listening:
    """A run that tells OpenTelemetry of itself."""

    def __init__(self, run: Run, **more: Any) -> None:
        self.run = run
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider(metric_readers=[self.reader])
        self.telemetry = Telemetry(
            run.board, "k3f9", tracers, meters, wall=lambda: int(run.now * 1e9), **more
        )
        run.saw = lambda event: self.telemetry.saw(event, run.now)
        self.telemetry.start()

    def told(self, exit_code: int = 0) -> Told:
        """End the run; returns what was told of it."""
        self.telemetry.finish(exit_code, self.run.now)
        spans: dict[str, list[ReadableSpan]] = {}
        for span in self.exporter.get_finished_spans():
            spans.setdefault(span.name, []).append(span)
        points: dict[str, list[Any]] = {}
        data = self.reader.get_metrics_data()
        assert data is not None
        for resource in data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points[metric.name] = list(metric.data.data_points)
        return Told(spans, points)


def failed(**more: Any) -> SpawnResult:
    known = {"failure_type": FailureType.RATE_LIMIT, "tool": "claude", "execution_time": 5.0}
    return SpawnResult(False, SECRET, SECRET, 1, stderr=SECRET, **{**known, **more})


def eventful(run_of: RunOf) -> Told:
    """A run in which everything happens."""
    run = run_of(
        Row("api", "coder", tool="claude", model="opus"),
        Row("web", "coder", ("api",), tool="claude"),
        Row("make", "tests", tool="command"),
        Row("late", "coder", ("web",), tool="claude"),
    )
    listening = Listening(run)
    run.happens(SubgoalStarted(0))
    run.hear(0, AttemptStarted(1, 3))
    run.say(0, SECRET)
    run.hear(0, ProviderLimited("claude", 60.0, True, SECRET))
    run.happens(ToolParked("claude", 60, SECRET))
    run.now += 5
    run.hear(0, AttemptFinished(1, 3, failed()))
    run.hear(0, RetryScheduled(1, 2, 60.0, SECRET))
    run.now += 60
    run.happens(ToolResumed("claude"))
    run.hear(0, AttemptStarted(2, 3))
    run.now += 20
    answer = SpawnResult(
        True,
        SECRET,
        None,
        0,
        tool="claude",
        cost_usd=0.5,
        tokens_in=1000,
        tokens_out=200,
        model="claude-opus-4",
        session_id="ses-1",
        tool_version="2.1",
    )
    run.ok(
        0,
        SECRET,
        **{
            name: getattr(answer, name)
            for name in (
                "tool",
                "cost_usd",
                "tokens_in",
                "tokens_out",
                "model",
                "session_id",
                "tool_version",
            )
        },
    )
    run.start(2)
    run.now += 1
    crashed = SpawnResult(False, SECRET, SECRET, 2, tool="command")
    run.hear(2, AttemptFinished(1, 1, crashed))
    run.finish(2, Outcome.FAILED, SECRET, crashed)
    run.start(1)
    run.happens(CircuitChanged("coder", "open", 2, 120))
    run.now += 1
    run.hear(1, AttemptFinished(1, 1, failed(failure_type=FailureType.CRASH)))
    run.hear(1, FallbackStarted(SECRET))
    run.now += 4
    by_llm = SpawnResult(True, SECRET, None, 0, fallback=True, tool="claude", cost_usd=0.25)
    run.finish(1, result=by_llm)
    run.finish(3, Outcome.SKIPPED, SECRET)
    return listening.told(1)


def test_one_span_for_the_run_each_subgoal_each_attempt(run_of: RunOf) -> None:
    """Attempts stand within their subgoals, subgoals within the run, each from start to end."""
    told = eventful(run_of)
    assert {name: len(spans) for name, spans in told.spans.items()} == {
        "invoke_workflow auth-rewrite": 1,
        "subgoal api": 1,
        "subgoal web": 1,
        "subgoal make": 1,
        "subgoal late": 1,
        "invoke_agent coder": 3,
        "invoke_agent": 1,
        "run tests": 1,
    }
    root, api = told.span("invoke_workflow auth-rewrite"), told.span("subgoal api")
    assert root.parent is None
    for name in ("api", "web", "make", "late"):
        assert told.span(f"subgoal {name}").parent == root.context
    first, second, _ = told.spans["invoke_agent coder"]
    assert first.parent == second.parent == api.context
    seconds = [(span.end_time - span.start_time) / 1e9 for span in (first, second, api, root)]
    assert seconds == [5, 20, 85, 91]


def test_a_subgoal_is_linked_to_what_it_builds_on(run_of: RunOf) -> None:
    """Dependencies are links, since none is within the other."""
    told = eventful(run_of)
    assert [link.context for link in told.span("subgoal web").links] == [
        told.span("subgoal api").context
    ]
    assert not told.span("subgoal make").links


def test_attempts_bear_the_names_of_the_conventions(run_of: RunOf) -> None:
    """Operation, provider, agent, models, session and tokens of an attempt, as `gen_ai.*`."""
    _, attempt, _ = eventful(run_of).spans["invoke_agent coder"]
    assert attempt.kind is SpanKind.CLIENT
    assert dict(attempt.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.agent.name": "coder",
        "gen_ai.request.model": "opus",
        "gen_ai.response.model": "claude-opus-4",
        "gen_ai.conversation.id": "ses-1",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 200,
        "aurora.cost_usd": 0.5,
        "aurora.attempt": 2,
        "aurora.attempts": 3,
        "aurora.exit_code": 0,
        "aurora.subgoal.id": "api",
        "aurora.tool": "claude",
        "aurora.tool.version": "2.1",
    }


def test_programs_are_no_models(run_of: RunOf) -> None:
    """An agent that is a program bears no `gen_ai` operation and no provider."""
    attempt = eventful(run_of).span("run tests")
    assert attempt.kind is SpanKind.INTERNAL
    named = {name for name in attempt.attributes or {} if name.startswith("gen_ai.")}
    assert named == {"gen_ai.agent.name"}


def test_what_failed_says_how(run_of: RunOf) -> None:
    """Failures are errors with their type; what was only skipped is none."""
    told = eventful(run_of)

    def error(span: ReadableSpan) -> tuple[bool, Any]:
        is_error = span.status.status_code is StatusCode.ERROR
        return is_error, (span.attributes or {}).get("error.type")

    first, second, third = told.spans["invoke_agent coder"]
    assert error(first) == (True, "rate_limit")
    assert error(second) == error(told.span("subgoal api")) == (False, None)
    assert error(third) == (True, "crash")
    assert error(told.span("subgoal make")) == (True, "crash")
    assert error(told.span("subgoal late")) == (False, None)
    assert error(told.span("invoke_workflow auth-rewrite")) == (True, "failed")


def test_what_happens_on_the_way_is_told_where_it_belongs(run_of: RunOf) -> None:
    """Limits are events of the attempt, retries of the subgoal, parks and circuits of the run."""
    told = eventful(run_of)
    events = {
        name: [event.name for span in spans for event in span.events]
        for name, spans in told.spans.items()
    }
    assert {name: seen for name, seen in events.items() if seen} == {
        "invoke_agent coder": ["provider.limited"],
        "subgoal api": ["retry.scheduled"],
        "invoke_workflow auth-rewrite": ["tool.parked", "tool.resumed", "circuit.open"],
    }


def test_no_text_is_told(run_of: RunOf) -> None:
    """No prompt, answer, line, error or reason is in any span, event or metric."""
    told = eventful(run_of)
    everything = [span.to_json() for spans in told.spans.values() for span in spans]
    assert len(everything) == 10
    assert SECRET not in "".join(everything) + repr(told.points)


def test_metrics(run_of: RunOf) -> None:
    """Durations, tokens, cost, retries, parks and outcomes, each once for each that happened."""
    points = eventful(run_of).points

    def sums(name: str, *by: str) -> dict[tuple[Any, ...], float]:
        totals: dict[tuple[Any, ...], float] = {}
        for point in points[name]:
            key = tuple(point.attributes.get(each) for each in by)
            value = point.sum if hasattr(point, "sum") else point.value
            totals[key] = totals.get(key, 0) + value
        return totals

    assert sums("gen_ai.invoke_agent.duration", "gen_ai.operation.name", "error.type") == {
        ("invoke_agent", "rate_limit"): 5,
        ("invoke_agent", "crash"): 1,
        ("invoke_agent", None): 24,
        (None, "crash"): 1,
        ("invoke_workflow", "failed"): 91,
    }
    assert sums("gen_ai.client.token.usage", "gen_ai.token.type", "gen_ai.provider.name") == {
        ("input", "anthropic"): 1000,
        ("output", "anthropic"): 200,
    }
    assert sums("aurora.cost") == {(): 0.75}
    assert sums("aurora.retries", "gen_ai.agent.name") == {("coder",): 1}
    assert sums("aurora.tool.parked", "aurora.tool") == {("claude",): 60}
    assert sums("aurora.subgoals", "aurora.outcome") == {
        ("ok",): 2,
        ("failed",): 1,
        ("skipped",): 1,
    }


def test_what_was_cut_off_ends_as_cancelled(run_of: RunOf) -> None:
    """A run that is ended leaves no span open, and its attempt says that it was cancelled."""
    run = run_of(Row("api", "coder", tool="claude"))
    listening = Listening(run)
    run.start(0)
    for event in run.board.cut("ended by SIGINT", run.now):
        run.saw(event)
    told = listening.told(130)
    attributes = told.span("invoke_agent coder").attributes or {}
    assert attributes["error.type"] == "cancelled"
    assert (told.span("subgoal api").attributes or {})["error.type"] == "unfinished"


def test_a_run_is_part_of_the_trace_around_it(run_of: RunOf) -> None:
    """With TRACEPARENT the run stands in that trace; without it, in one of its own."""
    run = run_of(Row("api", "coder"))
    told = Listening(run, parent=parent_of({"TRACEPARENT": PARENT})).told()
    root = told.span("invoke_workflow auth-rewrite")
    assert root.parent is not None
    assert f"{root.context.trace_id:x}" in PARENT
    assert f"{root.parent.span_id:x}" in PARENT
    assert parent_of({}) is None


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_METRICS_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_variables_decide(environ: dict[str, str], wanted: bool) -> None:
    """Telemetry is on where an exporter or an endpoint is named, and off where it is forbidden."""
    assert telemetry_wanted(environ) is wanted


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "smoke"}, "smoke"),
        ({"OTEL_METRICS_EXPORTER": "smoke"}, "smoke"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon"},
            "http/protobuf, grpc",
        ),
    ],
)
def test_what_cannot_be_exported_is_said(environ: dict[str, str], said: str) -> None:
    """An exporter or a protocol that is not there is named, and nothing listens."""
    with pytest.raises(CannotExportError, match=said):
        providers(environ)
    notes: list[str] = []
    assert telemetry(environ, notes.append) is None
    assert said in notes[0]


def test_without_the_extra_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the variables ask and the extra is not installed, one line says how to get it."""
    monkeypatch.setitem(sys.modules, "aurora_soar.telemetry", None)
    notes: list[str] = []
    assert telemetry({"OTEL_TRACES_EXPORTER": "console"}, notes.append) is None
    assert notes == ["OTEL_ variables ask for telemetry: pip install 'aurora-soar[otel]'"]


def test_the_command_tells_of_its_run(soar: Command) -> None:
    """With an exporter named, a run's spans come out whole, and standard output keeps to itself."""
    plan = soar.plan(
        """
        [agents.good]
        command = ["echo", "well"]
        [[subgoals]]
        id = "good"
        """
    )
    ended = soar.run(
        "run",
        plan,
        "--json",
        "--progress",
        "none",
        env={"OTEL_TRACES_EXPORTER": "console", "TRACEPARENT": PARENT},
    )
    assert ended.code == 0
    json.loads(ended.out)
    text, decoder, spans = ended.err, json.JSONDecoder(), []
    while "{" in text:
        span, end = decoder.raw_decode(text[text.index("{") :])
        spans.append(span)
        text = text[text.index("{") + end :]
    names = [span["name"] for span in spans]
    assert names == ["run good", "subgoal good", "invoke_workflow " + names[2].split()[-1]]
    assert {span["resource"]["attributes"]["service.name"] for span in spans} == {"aurora-soar"}
    assert {span["context"]["trace_id"][2:] in PARENT for span in spans} == {True}
