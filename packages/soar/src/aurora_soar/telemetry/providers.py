"""Where spans and metrics go, as OpenTelemetry's own variables say.

A program that has set up OpenTelemetry before, such as `opentelemetry-instrument`, keeps its
providers. Otherwise they are made here, from what is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["CannotExportError", "Providers", "parent_of", "providers"]

_INSTALL = "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"

# By protocol; HTTP is what the specification has as its default.
_OTLP = {
    "": ("otlp_proto_http", "otlp_proto_grpc"),
    "http/protobuf": ("otlp_proto_http",),
    "grpc": ("otlp_proto_grpc",),
}


class CannotExportError(Exception):
    """What the variables ask for is not installed, or is not known; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Providers:
    """Where spans and metrics go.

    Attributes:
        tracers: For spans.
        meters: For metrics.
        close: Sends what has not been sent yet; may take some seconds.
    """

    tracers: TracerProvider
    meters: MeterProvider
    close: Callable[[], None]


def parent_of(environ: Mapping[str, str]) -> Context | None:
    """The trace that `TRACEPARENT` says we are a part of, as build servers set it."""
    if "TRACEPARENT" not in environ:
        return None
    carrier = {name.lower(): environ.get(name, "") for name in ("TRACEPARENT", "TRACESTATE")}
    return TraceContextTextMapPropagator().extract(carrier)


def providers(environ: Mapping[str, str]) -> Providers:
    """The providers that are set up, or those that the variables ask for.

    Raises:
        CannotExportError: They ask for what is not there.
    """
    tracers, meters = trace.get_tracer_provider(), metrics.get_meter_provider()
    if not isinstance(tracers, trace.ProxyTracerProvider):
        return Providers(tracers, meters, lambda: _call("force_flush", tracers, meters))
    made_tracers, made_meters = _tracers(environ), _meters(environ)
    return Providers(
        made_tracers, made_meters, lambda: _call("shutdown", made_tracers, made_meters)
    )


def _call(name: str, *providers: object) -> None:
    """Call what only providers that send something have."""
    for provider in providers:
        method = getattr(provider, name, None)
        if method is not None:
            method()


def _tracers(environ: Mapping[str, str]) -> TracerProvider:
    names = _exporters(environ, "TRACES")
    if not names:
        return NoOpTracerProvider()
    try:
        from opentelemetry.sdk import trace as sdk
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError:
        raise _missing("opentelemetry-sdk") from None
    provider = sdk.TracerProvider(resource=_resource(environ))
    for name in names:
        # Standard output is for results.
        exporter = (
            ConsoleSpanExporter(out=sys.stderr)
            if name == "console"
            else _loaded("opentelemetry_traces_exporter", name, environ, "TRACES")()
        )
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _meters(environ: Mapping[str, str]) -> MeterProvider:
    names = _exporters(environ, "METRICS")
    if not names:
        return NoOpMeterProvider()
    try:
        from opentelemetry.sdk import metrics as sdk
        from opentelemetry.sdk.metrics.export import (
            ConsoleMetricExporter,
            MetricReader,
            PeriodicExportingMetricReader,
        )
    except ImportError:
        raise _missing("opentelemetry-sdk") from None
    readers: list[MetricReader] = []
    for name in names:
        made = (
            ConsoleMetricExporter(out=sys.stderr)
            if name == "console"
            else _loaded("opentelemetry_metrics_exporter", name, environ, "METRICS")()
        )
        # Some, such as Prometheus', are asked instead of sending.
        readers.append(
            made if isinstance(made, MetricReader) else PeriodicExportingMetricReader(made)
        )
    return sdk.MeterProvider(metric_readers=readers, resource=_resource(environ))


def _exporters(environ: Mapping[str, str], signal: str) -> list[str]:
    """The exporters of a signal: those that are named, or OTLP where there is an endpoint."""
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    default = "otlp" if any(environ.get(name) for name in endpoints) else "none"
    named = (environ.get(f"OTEL_{signal}_EXPORTER") or default).split(",")
    return [name.strip() for name in named if name.strip() not in ("", "none")]


def _loaded(group: str, name: str, environ: Mapping[str, str], signal: str) -> Callable[[], Any]:
    """What makes an exporter, as its package registers it."""
    names: tuple[str, ...] = (name,)
    if name == "otlp":
        protocol = (
            environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL")
            or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
            or ""
        )
        if protocol not in _OTLP:
            known = ", ".join(filter(None, _OTLP))
            raise CannotExportError(
                f'OTEL_EXPORTER_OTLP_PROTOCOL is "{protocol}"; there are {known}'
            )
        names = _OTLP[protocol]
    for each in names:
        for point in entry_points(group=group, name=each):
            loaded: Callable[[], Any] = point.load()
            return loaded
    if name == "otlp":
        raise _missing("an OTLP exporter")
    raise CannotExportError(f'OTEL_{signal}_EXPORTER asks for "{name}", which is not installed')


def _missing(what: str) -> CannotExportError:
    return CannotExportError(
        f"OTEL_ variables ask for telemetry, and {what} is missing: {_INSTALL}"
    )


def _resource(environ: Mapping[str, str]) -> Any:
    from opentelemetry.sdk.resources import Resource

    named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Resource.create({} if named else {"service.name": "aurora-soar"})
