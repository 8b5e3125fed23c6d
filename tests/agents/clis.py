"""The agent CLIs, each set up to talk to a model server on loopback and to nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

KEY = "dummy-key-of-the-tests"


@dataclass(frozen=True)
class Cli:
    """One of them.

    Attributes:
        name: Of the tool, in the spawner.
        model: What to ask the server for.
        settle: Writes its settings into a home; returns the variables that it needs.
    """

    name: str
    model: str | None
    settle: Callable[[str, Path], Mapping[str, str]]

    def environment(self, url: str, home: Path) -> dict[str, str]:
        """Variables for a run with that server and that home, which is made."""
        home.mkdir(parents=True, exist_ok=True)
        return {"HOME": str(home), **self.settle(url, home)}


def _claude(url: str, home: Path) -> Mapping[str, str]:
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        # Else it refuses full access to root.
        "IS_SANDBOX": "1",
    }


def _codex(url: str, home: Path) -> Mapping[str, str]:
    settings = f"""\
model = "gpt-test"
model_provider = "test"
check_for_update_on_startup = false

[model_providers.test]
name = "test"
base_url = "{url}/v1"
env_key = "TEST_API_KEY"
wire_api = "responses"

[analytics]
enabled = false
"""
    folder = home / "codex"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(settings, encoding="utf-8")
    return {"CODEX_HOME": str(folder), "TEST_API_KEY": KEY}


def _gemini(url: str, home: Path) -> Mapping[str, str]:
    folder = home / ".gemini"
    folder.mkdir(exist_ok=True)
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return {
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_API_KEY": KEY,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }


def _opencode(url: str, home: Path) -> Mapping[str, str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": KEY},
        "models": {"m": {"name": "m", "limit": {"context": 100_000, "output": 8_000}}},
    }
    settings = {"provider": {"fake": provider}, "autoupdate": False, "share": "disabled"}
    return {
        "OPENCODE_CONFIG_CONTENT": json.dumps(settings),
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
    }


def _llm(url: str, home: Path) -> Mapping[str, str]:
    models = f"- model_id: fake\n  model_name: fake\n  api_base: {url}/v1\n  api_key_name: test\n"
    (home / "extra-openai-models.yaml").write_text(models, encoding="utf-8")
    (home / "keys.json").write_text(json.dumps({"test": KEY}), encoding="utf-8")
    return {"LLM_USER_PATH": str(home)}


CLAUDE = Cli("claude", None, _claude)
CODEX = Cli("codex", None, _codex)
GEMINI = Cli("gemini", "gemini-2.5-flash", _gemini)
OPENCODE = Cli("opencode", "fake/m", _opencode)
LLM = Cli("llm", "fake", _llm)

CLIS = (CLAUDE, CODEX, GEMINI, OPENCODE, LLM)
