"""What all tools have in common: the registry, and how prompts and models are handed over."""

from __future__ import annotations

import json
import sys
from collections import Counter

import pytest

from aurora_spawner import (
    AGENT_CLIS,
    PROGRAM_TOOLS,
    TOOLS,
    InvalidTaskError,
    Policy,
    SpawnTask,
    UnknownToolError,
    find_agent_cli,
    get_tool,
    missing_agent_cli,
    spawn,
)
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools import Invocation

real = pytest.mark.asyncio(loop_factories=["real"])

# What each CLI says when all went well.
GOOD = {
    "claude": json.dumps({"type": "result", "is_error": False, "result": "fine"}),
    "codex": json.dumps(
        {"type": "item.completed", "item": {"type": "agent_message", "text": "fine"}}
    ),
    "gemini": "\n".join(
        json.dumps(event)
        for event in (
            {"type": "message", "role": "assistant", "content": "fine", "delta": True},
            {"type": "result", "status": "success"},
        )
    ),
    "opencode": json.dumps({"type": "text", "part": {"text": "fine"}}),
    "llm": json.dumps([{"response": "fine"}], indent=2),
}
HEADLESS = {
    "claude": ["-p", "--output-format", "stream-json", "--verbose"],
    "codex": ["exec", "--json", "--skip-git-repo-check"],
    "gemini": ["--output-format=stream-json"],
    "opencode": ["run", "--format=json"],
    "llm": ["--json"],
}
# Permissions, each as the arguments and variables that carry them.
READ_ONLY = {
    "claude": "--permission-mode=default",
    "codex": "--sandbox=read-only",
    "gemini": "--approval-mode=default",
    "opencode": '{"bash": "deny", "edit": "deny", "external_directory": "deny"}',
}
WORKSPACE = {
    "claude": "--permission-mode=acceptEdits",
    "codex": "--sandbox=workspace-write",
    "gemini": "--approval-mode=auto_edit",
    "opencode": '{"bash": "deny", "external_directory": "deny"}',
}
EVERYTHING = {
    "claude": "--permission-mode=bypassPermissions",
    "codex": "--sandbox=danger-full-access",
    "gemini": "--approval-mode=yolo",
    "opencode": "--auto",
}
SESSION = {
    "claude": ["--resume=s-1"],
    "codex": ["resume", "s-1"],
    "gemini": ["--resume=s-1"],
    "opencode": ["--session=s-1"],
    "llm": ["--conversation=s-1"],
}


def invocation(tool: str, prompt: str = "question", **fields: object) -> Invocation:
    given = {"agent": None, "model": None, "command": None, "cwd": None, "env": {}, **fields}
    given.setdefault("policy", Policy())
    return get_tool(tool).invocation(SpawnRequest(prompt=prompt, tool=tool, timeout=60, **given))


class TestRegistry:
    def test_the_shipped_tools(self) -> None:
        """These tools ship, each under its own name, the agent CLIs among them first."""
        assert list(TOOLS) == [*AGENT_CLIS, *PROGRAM_TOOLS, "extract"]
        assert all(get_tool(name).name == name for name in TOOLS)

    def test_an_unknown_name(self) -> None:
        """An unknown tool is an error with the name and the ones there are."""
        with pytest.raises(UnknownToolError) as caught:
            get_tool("hal")
        assert (caught.value.name, caught.value.known) == ("hal", tuple(TOOLS))

    def test_the_first_on_path(self) -> None:
        """The first agent CLI that is found wins; none is found where there is none."""
        assert find_agent_cli(lambda name: None) is None
        assert find_agent_cli(lambda name: f"/bin/{name}") == "claude"
        assert find_agent_cli({"gemini": "/g", "opencode": "/o"}.get) == "gemini"

    def test_never_extract(self) -> None:
        """`extract` and `command` are never found: they are used only when they are named."""
        assert find_agent_cli({"extract": "/e", "command": "/c", "python": "/p"}.get) is None

    def test_what_is_missing(self) -> None:
        """The message for no CLI names what was looked for and the way without a model."""
        assert all(name in missing_agent_cli() for name in AGENT_CLIS)
        assert "--tool extract" in missing_agent_cli()

    def test_each_says_how_to_get_it(self) -> None:
        """Every agent CLI says how it is installed."""
        assert all("install " in TOOLS[name].install for name in AGENT_CLIS)


class TestInvocation:
    @pytest.mark.parametrize("tool", AGENT_CLIS)
    def test_headless(self, tool: str) -> None:
        """Each CLI is called headless, for output that a program can read."""
        program, *arguments = invocation(tool).argv
        assert program == tool
        assert arguments[: len(HEADLESS[tool])] == HEADLESS[tool]

    @pytest.mark.parametrize("tool", [*AGENT_CLIS, "extract"])
    def test_f63_the_prompt_is_never_an_argument(self, tool: str) -> None:
        """F63: the prompt goes through standard input as UTF-8, and no argument holds it."""
        call = invocation(tool, prompt="sëcret prompt", model="m")
        assert call.stdin == "sëcret prompt".encode()
        assert not any("cret" in part for part in call.argv)

    @pytest.mark.parametrize("tool", AGENT_CLIS)
    @pytest.mark.parametrize("model", ["gpt-x", "a/b", "--yolo", "-p"])
    def test_f62_a_model_is_never_an_option(self, tool: str, model: str) -> None:
        """F62: the model is passed on as one `--model=VALUE`, so that a dash in front of it makes
        no option of it."""
        added = Counter(invocation(tool, model=model).argv) - Counter(invocation(tool).argv)
        assert list(added.elements()) == [f"--model={model}"]

    @pytest.mark.parametrize("tool", AGENT_CLIS)
    def test_no_model_no_option(self, tool: str) -> None:
        """Without a model the CLI chooses."""
        assert not any("model" in part for part in invocation(tool).argv)

    def test_codex_reads_standard_input_and_may_not_write(self) -> None:
        """Codex is told to read its prompt from standard input, in a sandbox that only reads."""
        argv = invocation("codex", model="m").argv
        assert argv[-1] == "-"
        assert "--sandbox=read-only" in argv

    @pytest.mark.parametrize(
        ("permissions", "carried"),
        [
            ("read-only", READ_ONLY),
            ("workspace-write", WORKSPACE),
            ("full-access", EVERYTHING),
        ],
    )
    @pytest.mark.parametrize("tool", sorted(READ_ONLY))
    def test_permissions(self, tool: str, permissions: str, carried: dict[str, str]) -> None:
        """Each CLI gets its own words for what it may do, and for nothing wider."""
        call = invocation(tool, permissions=permissions)
        said = [*call.argv, *call.env.values()]
        assert carried[tool] in said
        others = {mode[tool] for mode in (READ_ONLY, WORKSPACE, EVERYTHING)} - {carried[tool]}
        assert not others & set(said)

    @pytest.mark.parametrize("tool", sorted(READ_ONLY))
    def test_it_may_only_read_by_default(self, tool: str) -> None:
        """Without a word a CLI is called in its mode that only reads, or asks and gets no."""
        assert invocation(tool) == invocation(tool, permissions="read-only")

    @pytest.mark.parametrize("tool", AGENT_CLIS)
    def test_a_session_to_go_on_with(self, tool: str) -> None:
        """The session is named in the CLI's own way, with everything else as it was."""
        added = Counter(invocation(tool, session_id="s-1").argv) - Counter(invocation(tool).argv)
        assert list(added.elements()) == SESSION[tool]

    @pytest.mark.parametrize("tool", ["command", "extract"])
    def test_no_session_to_go_on_with(self, tool: str) -> None:
        """Who has no sessions refuses one, instead of beginning anew unasked."""
        with pytest.raises(InvalidTaskError, match="session_id"):
            invocation(tool, command=("cat",), session_id="s-1")

    def test_retries_are_turned_off(self) -> None:
        """Where the policy wants none, a CLI that can be told so is told."""
        call = invocation("claude", policy=Policy(inner_retries=False))
        assert call.env == {"CLAUDE_CODE_MAX_RETRIES": "0"}
        assert invocation("claude").env == {}

    def test_command(self) -> None:
        """`command` is the task's own program, as it is."""
        call = invocation("command", command=("make", "test"))
        assert (call.argv, call.stdin) == (("make", "test"), b"question")

    @pytest.mark.parametrize("command", [None, ()])
    def test_command_needs_one(self, command: tuple[str, ...] | None) -> None:
        """The tool `command` without a command is misuse."""
        with pytest.raises(InvalidTaskError, match="command"):
            invocation("command", command=command)

    def test_extract_runs_this_python(self) -> None:
        """`extract` runs in this Python, and modules of the agent's folder cannot shadow ours."""
        argv = invocation("extract").argv
        assert argv[:2] == (sys.executable, "-P")


class TestEndToEnd:
    @real
    @pytest.mark.parametrize("tool", AGENT_CLIS)
    async def test_f63_a_prompt_of_a_megabyte(self, fake_path, tool: str) -> None:
        """F63: a prompt of 1 MB arrives whole through standard input, with the persona before it,
        and no argument or variable holds it."""
        cli = fake_path.cli(tool, GOOD[tool])
        prompt = "sëcret €\0 " * 100_000
        task = SpawnTask(prompt, agent="reviewer", persona="You review.", model="big-one")
        result = await spawn(task, tool=tool)
        assert (result.success, result.output, result.tool) == (True, "fine", tool)
        assert cli.stdin == f"You review.\n\n{prompt}".encode()
        assert "--model=big-one" in cli.argv
        assert not any("cret" in text for text in (*cli.argv, *cli.env.values()))

    @real
    @pytest.mark.parametrize("tool", AGENT_CLIS)
    async def test_found_on_path(self, fake_path, tool: str) -> None:
        """The CLI that is on PATH answers for a task that names no tool."""
        cli = fake_path.cli(tool, GOOD[tool])
        result = await spawn(SpawnTask("hello"))
        assert (result.success, result.tool) == (True, tool)
        assert cli.called

    @real
    @pytest.mark.parametrize("tool", AGENT_CLIS)
    async def test_a_cli_that_ends_without_a_word(self, fake_path, tool: str) -> None:
        """Whatever a CLI prints, exit 0 without an answer is a failure with some words."""
        fake_path.cli(tool, "a stray log line\n")
        result = await spawn(SpawnTask("hello"), tool=tool)
        assert not result.success
        assert result.error

    @real
    @pytest.mark.parametrize("tool", AGENT_CLIS)
    async def test_an_exit_code_counts_beside_the_answer(self, fake_path, tool: str) -> None:
        """An answer and an exit code other than 0 is a failure that keeps the answer."""
        fake_path.cli(tool, GOOD[tool], stderr="Connection error.", exit_code=1)
        result = await spawn(SpawnTask("hello"), tool=tool)
        assert (result.success, result.exit_code, result.output) == (False, 1, "fine")
        assert result.failure_type == "connection"
        assert "Connection error." in result.error
