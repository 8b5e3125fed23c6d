"""Which tools are here."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from aurora_spawner import AGENT_CLIS, TOOLS
from aurora_spawner.cli.listing import tool_lines, tool_table
from aurora_spawner.inventory import FoundTool, take_inventory

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


async def look(fake_path, **settings: object) -> dict[str, FoundTool]:
    return {tool.name: tool for tool in await take_inventory(shutil.which, **settings)}


async def test_nothing_is_here(fake_path) -> None:
    """Without any CLI each is missing and says how to get it, and only `extract` is here."""
    found = await look(fake_path)
    assert [*found] == [*AGENT_CLIS, "extract"]
    for name in AGENT_CLIS:
        missing = FoundTool(name, "missing", tested=TOOLS[name].tested)
        assert found[name] == replace(missing, install=TOOLS[name].install)
    assert found["extract"].state == "built-in"
    assert not any(tool.default for tool in found.values())


async def test_versions(fake_path) -> None:
    """A tool that was tested in its version, one of another version, one that says nothing, one
    that fails: each is told apart, and the first of them answers by default."""
    path = fake_path.script("claude", "echo '2.1.197 (Claude Code)'")
    fake_path.script("codex", "echo noise >&2; echo 'codex-cli 9.9.9-beta.1'")
    fake_path.script("gemini", "echo hello")
    fake_path.script("llm", "echo 0.36; exit 1")
    found = await look(fake_path)
    assert found["claude"] == FoundTool(
        "claude",
        "tested",
        str(path),
        "2.1.197",
        ("2.1.197",),
        TOOLS["claude"].install,
        default=True,
    )
    assert (found["codex"].state, found["codex"].version) == ("untested", "9.9.9-beta.1")
    assert (found["gemini"].state, found["gemini"].version) == ("unknown", None)
    assert (found["llm"].state, found["llm"].version) == ("unknown", None)
    assert [tool.name for tool in found.values() if tool.default] == ["claude"]


async def test_one_that_never_answers(fake_path, gun) -> None:
    """A tool that does not answer is ended after its time, and the others are told all the same."""
    fake_path.script("claude", f"read forever <{gun.path}")
    fake_path.script("codex", "echo 0.169.0")
    found = await look(fake_path, timeout=0.2)
    assert (found["claude"].state, found["codex"].state) == ("unknown", "tested")


async def test_f64_secrets_are_not_passed_on(fake_path) -> None:
    """F64: to tell its version nobody needs a key."""
    fake_path.script("claude", 'echo "1.0+${KEEP:-none}.${API_KEY:-none}"')
    environment = {"API_KEY": "long-enough-secret", "KEEP": "kept"}
    found = await look(fake_path, environment=environment)
    assert found["claude"].version == "1.0+kept.none"


async def test_the_table(fake_path) -> None:
    """The table names each tool, its version and state, and what to do about it."""
    fake_path.script("claude", "echo 1.2.3")
    found = await take_inventory(shutil.which)
    head, *rows = (line.split() for line in tool_table(found))
    assert head == ["TOOL", "VERSION", "STATE"]
    assert [row[:3] for row in rows[:2]] == [
        ["claude", "1.2.3", "untested"],
        ["codex", "-", "missing"],
    ]
    table = "\n".join(tool_table(found))
    assert "; tested: 2.1.197; answers where no --tool is named" in table
    assert "npm install -g @openai/codex" in table
    assert len(list(tool_lines(found))) == len(found)


async def test_a_hostile_version(fake_path) -> None:
    """F9: what a program says of its version cannot reach the terminal as it is."""
    fake_path.script("claude", "printf '\\033]0;x\\007 1.2.3\\033[31m'")
    table = "\n".join(tool_table(await take_inventory(shutil.which)))
    assert "1.2.3" in table
    assert "\x1b" not in table
