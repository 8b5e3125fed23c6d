"""Settings of the command: what they are, where they stand, which of them holds."""

from aurora_soar.config.files import ConfigError
from aurora_soar.config.resolution import Configuration, IsTrusted, Origin, resolve, trust_nobody
from aurora_soar.config.settings import SETTINGS, Setting, Settings, known_tool

__all__ = [
    "SETTINGS",
    "ConfigError",
    "Configuration",
    "IsTrusted",
    "Origin",
    "Setting",
    "Settings",
    "known_tool",
    "resolve",
    "trust_nobody",
]
