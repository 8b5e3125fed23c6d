"""Settings of the command: what they are, where they stand, which of them holds."""

from aurora_soar.config.files import ConfigError, project_file
from aurora_soar.config.resolution import (
    Configuration,
    Origin,
    StandingOf,
    demands,
    resolve,
    trust_nobody,
)
from aurora_soar.config.settings import SETTINGS, Setting, Settings, known_tool

__all__ = [
    "SETTINGS",
    "ConfigError",
    "Configuration",
    "Origin",
    "Setting",
    "Settings",
    "StandingOf",
    "demands",
    "known_tool",
    "project_file",
    "resolve",
    "trust_nobody",
]
