"""What a run tells OpenTelemetry; needs the extra `otel`."""

from aurora_soar.telemetry.providers import CannotExportError, Providers, parent_of, providers
from aurora_soar.telemetry.spans import Telemetry

__all__ = ["CannotExportError", "Providers", "Telemetry", "parent_of", "providers"]
