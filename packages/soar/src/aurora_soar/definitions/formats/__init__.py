"""The formats of agent definition files: one reader each, text in, definition out."""

from aurora_soar.definitions.formats.claude import read_claude
from aurora_soar.definitions.formats.codex import read_codex
from aurora_soar.definitions.formats.copilot import read_copilot
from aurora_soar.definitions.formats.gemini import read_gemini
from aurora_soar.definitions.formats.opencode import read_opencode

__all__ = ["read_claude", "read_codex", "read_copilot", "read_gemini", "read_opencode"]
