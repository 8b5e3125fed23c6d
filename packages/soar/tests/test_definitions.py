"""Agent definition files: what each format says, what is refused, and whose file counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aurora_soar import AgentInfo
from aurora_soar.definitions import FORMATS, Definition, DefinitionError, Roster, discover

READ = {each.cli: each.read for each in FORMATS}


def read(cli: str, text: str, stem: str = "stem") -> Definition:
    definition = READ[cli](text, stem)
    assert definition is not None
    return definition


def refused(cli: str, text: str, stem: str = "stem") -> str:
    with pytest.raises(DefinitionError) as raised:
        READ[cli](text, stem)
    return f"{raised.value.line}: {raised.value}"


def claude(**keys: str) -> Definition:
    lines = "".join(f"{key}: {value}\n" for key, value in {"name": "a", **keys}.items())
    return read("claude", f"---\n{lines}---\nWho I am.\n")


class World:
    """A home folder, and a repository that we stand deep in."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.top = folder / "repository"
        self.here = self.top / "inner"
        self.here.mkdir(parents=True)
        (self.top / ".git").mkdir()
        self.environment = {"HOME": str(self.home)}

    def file(self, base: Path, name: str, text: str = "---\nname: a\n---\nHello.\n") -> Path:
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def found(self) -> Roster:
        return discover(self.here, self.environment)

    def order(self, name: str = "a") -> list[str]:
        """The files of a name, the one that counts first."""
        roster = self.found()
        return [roster.agents[name].shown, *(each.shown for each in roster.shadowed(name))]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("cli", "stem", "text", "agent"),
    [
        (
            "claude",
            "file",
            "---\nname: critic\ndescription: To judge.\nmodel: opus\n---\n\nBe harsh.\n",
            AgentInfo("critic", "Be harsh.", {"tool": "claude", "model": "opus"}, "To judge."),
        ),
        (
            "claude",
            "file",
            "\n".join(["---", "description: To judge.", "model: inherit", "---"]),
            AgentInfo("file", "To judge.", {"tool": "claude"}, "To judge."),
        ),
        (
            "codex",
            "file",
            'name = "critic"\ndescription = "To judge."\nmodel = "o9"\n'
            'developer_instructions = """\nBe harsh.\n"""\n',
            AgentInfo("critic", "Be harsh.", {"tool": "codex", "model": "o9"}, "To judge."),
        ),
        (
            "gemini",
            "file",
            "---\r\nname: critic\r\nkind: local\r\n---\r\nBe harsh.\r\n",
            AgentInfo("critic", "Be harsh.", {"tool": "gemini"}),
        ),
        (
            "opencode",
            "team/critic",
            "---\nname: another\nmodel: some/model\n---\nBe harsh.",
            AgentInfo("team/critic", "Be harsh.", {"tool": "opencode", "model": "some/model"}),
        ),
        ("opencode", "critic", "Be harsh.", AgentInfo("critic", "Be harsh.", {"tool": "opencode"})),
        (
            "copilot",
            "critic",
            "---\ndescription: To judge.\nmodel: GPT-9\n---\nBe harsh.",
            AgentInfo("critic", "Be harsh.", {}, "To judge."),
        ),
    ],
)
def test_each_format_is_read(cli: str, stem: str, text: str, agent: AgentInfo) -> None:
    """Name, persona, purpose and model are where each CLI has them; the tool is that CLI."""
    assert read(cli, text, stem).agent == agent


def test_a_description_with_colons_is_read_as_the_clis_read_it() -> None:
    """A plain value with a colon in it, which is no YAML, is taken as it stands."""
    said = 'Use it when: asked. <example>user: "x"\\n</example> # not a comment'
    definition = claude(description=said, model="opus")
    assert (definition.purpose, definition.model) == (said, "opus")


def test_a_description_that_is_no_yaml_hides_no_other_key() -> None:
    """F71: paragraphs in a description end with the next key; every key beside it is read as it
    stands, also those that could do harm, and a key that comes again does not count."""
    definition = read(
        "claude",
        "---\n"
        "name: architect\n"
        "description: Use it. Examples:\n"
        "\n"
        "<example>\n"
        "Context: A new service: large.\n"
        'user: "name it"\n'
        "name: another\n"
        "</example>\n"
        "tools:\n"
        "  - Read\n"
        "  - Bash\n"
        "hooks:\n"
        "  Stop: [./x.sh]\n"
        "---\n"
        "You design.\n",
    )
    assert definition.name == "architect"
    assert definition.purpose == "Use it. Examples:\n\n<example>"
    assert definition.permissions is None
    assert definition.demands == ('hooks: {"Stop": ["./x.sh"]}',)


def test_what_is_switched_off_is_not_there() -> None:
    """A file that disables its agent defines none."""
    assert READ["claude"]("---\nname: a\ndisabled: true\n---\nx", "a") is None
    assert READ["opencode"]("---\ndisable: true\n---\nx", "a") is None


@pytest.mark.parametrize("cli", ["claude", "gemini", "opencode", "copilot"])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        (
            '!!python/object/apply:os.system ["touch harm"]',
            '3: the YAML tag "tag:yaml.org,2002:python/object/apply:os.system" is refused: '
            "it makes objects",
        ),
        ("!mine x", '3: the YAML tag "!mine" is refused: it makes objects'),
        ("&a [*a]", "3: YAML aliases are refused: write it out"),
        ("[" * 1000, "3: is nested too deeply"),
        ("[1", "4: not valid YAML: expected ',' or ']', but got '<stream end>'"),
    ],
)
def test_f67_yaml_that_is_more_than_data_is_refused(cli: str, value: str, told: str) -> None:
    """F67: tags, aliases and bottomless nesting are refused, with their line; nothing runs."""
    assert refused(cli, f"---\nname: a\nx: {value}\n---\nHello.") == told
    assert not Path("harm").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ('"../../x"', "is one of a folder"),
        ("a/../b", "is one of a folder"),
        ("/a", "is one of a folder"),
        ('"a\\nb"', "has characters that no name may have"),
        ('"a\\e[31m"', "has characters that no name may have"),
        ('"a\\u202eb"', "has characters that no name may have"),
        ("a" * 300, "its name has 300 characters; 100 may be"),
        ("-rf", 'its name "-rf" begins with "-", like an option'),
        ("--tool=x", "like an option"),
        ("7", '"name" must be a text, not 7'),
    ],
)
def test_f61_f62_hostile_names_are_refused(name: str, told: str) -> None:
    """F61, F62: a name leads nowhere, hides nothing, is no option and can be typed."""
    assert told in refused("claude", f"---\nname: {name}\n---\nHello.")


def test_f62_a_model_is_no_option() -> None:
    """F62: a model that begins with a dash is refused, as is one with control characters."""
    assert "like an option" in refused("codex", 'description = "x"\nmodel = "--yolo"\n')
    text = '---\nname: a\nmodel: "a\\nb"\n---\nx'
    assert refused("claude", text) == 'None: "model" has characters that no name may have'


@pytest.mark.parametrize(
    ("cli", "text", "told"),
    [
        ("claude", "Hello.", "1: has no front matter: it must begin with a line with ---"),
        ("claude", "---\nname: a\n", "1: its front matter has no end: a line with --- is missing"),
        ("claude", "---\n- a\n---\nx", "2: its front matter must be keys and values"),
        ("claude", "---\nname: a\n---\n", "None: does not say who the agent is: there is no text"),
        ("claude", '---\nname: a\n---\n"\0', 'None: "the text" has characters that no text may'),
        ("gemini", "---\nkind: remote\n---\nx", "None: is a remote agent (kind: remote)"),
        ("codex", "name = \n", "1: not valid TOML: Invalid value"),
        ("codex", 'name = "a"\n', "None: does not say who the agent is"),
        ("codex", "x = " + "[" * 5000, "None: is nested too deeply"),
        ("opencode", '---\ndescription: "\\ud800"\n---\n', '"description" has characters'),
        ("opencode", "---\nx: 2026-13-45\n---\nx", "not valid YAML: month must be in 1..12"),
        ("opencode", f"---\nx: {'y' * 70_000}\n---\nx", "has more than 65536 characters"),
    ],
)
def test_broken_files_say_what_is_wrong(cli: str, text: str, told: str) -> None:
    """What cannot be an agent is refused in words, with the line where there is one."""
    assert told in refused(cli, text)


@pytest.mark.parametrize(
    ("cli", "text", "demands"),
    [
        (
            "claude",
            "---\npermissionMode: bypassPermissions\nhooks: {Stop: [./x.sh]}\n---\nx",
            ['permissionMode: "bypassPermissions"', 'hooks: {"Stop": ["./x.sh"]}'],
        ),
        ("claude", "---\npermissionMode: plan\ntools: Bash\n---\nx", []),
        ("claude", "---\nmcpServers: [db]\n---\nx", ['mcpServers: ["db"]']),
        (
            "codex",
            'description = "x"\nsandbox_mode = "danger-full-access"\n'
            '[mcp_servers.x]\ncommand = "./x"\n',
            ['sandbox_mode: "danger-full-access"', 'mcp_servers: {"x": {"command": "./x"}}'],
        ),
        ("codex", 'description = "x"\nsandbox_mode = "read-only"\n', []),
        ("gemini", "---\nmcp_servers: {x: {command: y}}\n---\nx", None),
        ("opencode", "---\npermission: {bash: {'*': allow}}\n---\nx", None),
        ("opencode", "---\npermission: allow\n---\nx", None),
        ("opencode", "---\npermission: {edit: deny, read: allow, grep: allow}\n---\nx", []),
        ("copilot", "---\nmcp-servers: {x: {command: y}}\n---\nx", None),
    ],
)
def test_f71_what_could_do_harm_is_told(cli: str, text: str, demands: list[str] | None) -> None:
    """F71: commands and wider permissions are named, and none of them gets into the agent."""
    definition = read(cli, text)
    assert {*definition.agent.config} <= {"tool", "model", "permissions"}
    assert definition.permissions != "full-access"
    if demands is None:
        assert len(definition.demands) == 1
    else:
        assert list(definition.demands) == demands


@pytest.mark.parametrize(
    ("definition", "permissions"),
    [
        (claude(), None),
        (claude(tools="Read, Grep"), "read-only"),
        (claude(tools="Read, Bash(git:*)"), None),
        (claude(tools="'*'"), None),
        (claude(disallowedTools="Write, Edit, MultiEdit, NotebookEdit, Bash"), "read-only"),
        (claude(permissionMode="plan"), "read-only"),
        (read("codex", 'description = "x"\nsandbox_mode = "workspace-write"'), "workspace-write"),
        (read("codex", 'description = "x"\nsandbox_mode = "danger-full-access"'), None),
        (read("gemini", "---\ntools: [read_file]\n---\nx"), "read-only"),
        (read("gemini", "---\ntools: [read_file, replace]\n---\nx"), None),
        (read("opencode", "---\npermission: {edit: deny, bash: deny}\n---\nx"), "read-only"),
        (read("opencode", "---\npermission: deny\n---\nx"), "read-only"),
        (read("opencode", "---\ntools: {write: false, edit: false}\n---\nx"), None),
    ],
)
def test_what_an_agent_confines_itself_to_holds_here_too(
    definition: Definition, permissions: str | None
) -> None:
    """A file can narrow what its agent may do: one without any tool that writes only reads."""
    assert definition.agent.config.get("permissions") == permissions


def test_nearer_files_win_then_the_order_of_the_clis(world: World) -> None:
    """A project's files come before those at home, nearer ones before those farther up, and among
    equals claude, codex, gemini, opencode, copilot."""
    text = 'name = "a"\ndescription = "x"\n'
    world.file(world.home, ".claude/agents/a.md")
    world.file(world.home, ".config/opencode/agent/a.md")
    world.file(world.home, ".copilot/agents/a.agent.md")
    world.file(world.top, ".claude/agents/z.md")
    world.file(world.here, ".github/agents/a.agent.md")
    world.file(world.here, ".opencode/agents/a.md")
    world.file(world.here, ".opencode/agent/a.md")
    world.file(world.here, ".gemini/agents/a.md")
    world.file(world.here, ".codex/agents/a.toml", text)
    assert world.order() == [
        ".codex/agents/a.toml",
        ".gemini/agents/a.md",
        ".opencode/agent/a.md",
        ".opencode/agents/a.md",
        ".github/agents/a.agent.md",
        "../.claude/agents/z.md",
        "~/.claude/agents/a.md",
        "~/.config/opencode/agent/a.md",
        "~/.copilot/agents/a.agent.md",
    ]


def test_why_a_file_counts_is_told(world: World) -> None:
    """Each shadowed file comes with the rule that it lost by."""
    for base, name in (
        (world.here, ".claude/agents/a.md"),
        (world.here, ".claude/agents/b.md"),
        (world.here, ".gemini/agents/a.md"),
        (world.top, ".claude/agents/a.md"),
        (world.home, ".claude/agents/a.md"),
    ):
        world.file(base, name)
    roster = world.found()
    assert [roster.agents["a"].wins_because(each) for each in roster.shadowed("a")] == [
        "it is read later",
        "claude comes before gemini",
        "it is farther away",
        "a project's agents come before yours",
    ]


def test_what_lies_above_the_repository_is_anybodys(world: World) -> None:
    """Above the top of the repository, or of the folder outside of one, nothing is looked for."""
    world.file(world.top.parent, ".claude/agents/a.md")
    assert not world.found().agents
    world.file(world.top, ".claude/agents/a.md")
    (world.top / ".git").rmdir()
    assert not world.found().agents


def test_at_home_files_are_the_users_own(world: World) -> None:
    """Where the project is the home folder its files are no project's, and need no trust."""
    path = world.file(world.home, ".claude/agents/a.md", "---\nname: a\nhooks: [x]\n---\nx")
    (found,) = discover(world.home, world.environment).all
    assert (found.path, found.scope, found.waits_for_trust) == (path, "home", False)
    world.file(world.here, ".claude/agents/b.md", "---\nname: b\nhooks: [x]\n---\nx")
    assert world.found().agents["b"].waits_for_trust


def test_variables_of_the_clis_move_their_folders(world: World, tmp_path: Path) -> None:
    """`CLAUDE_CONFIG_DIR` and `CODEX_HOME` name the folder that counts in the place of home's."""
    world.file(world.home, ".claude/agents/a.md")
    world.file(tmp_path / "moved", "agents/b.md", "---\nname: b\n---\nx")
    world.environment["CLAUDE_CONFIG_DIR"] = str(tmp_path / "moved")
    assert [*world.found().agents] == ["b"]


def test_folders_in_folders_and_what_is_no_definition(world: World) -> None:
    """Folders below are looked into; other endings and hidden files are not."""
    world.file(world.here, ".claude/agents/team/deep.md", "---\nname: deep\n---\nx")
    world.file(world.here, ".claude/agents/readme.txt")
    world.file(world.here, ".claude/agents/.hidden.md")
    world.file(world.here, ".github/agents/notes.md")
    world.file(world.here, ".opencode/agents/team/plotter.md", "x")
    assert [*world.found().agents] == ["deep", "team/plotter"]
    assert not world.found().broken


def test_a_broken_file_is_named_and_the_others_are_found(world: World) -> None:
    """Whatever is wrong with a file, it is told with its place, and discovery goes on."""
    folder = world.here / ".claude/agents"
    world.file(world.here, ".claude/agents/good.md", "---\nname: good\n---\nx")
    world.file(world.here, ".claude/agents/bad.md", "---\nname: [\n---\nx")
    (folder / "bytes.md").write_bytes(b"---\nname: a\n---\n\xff")
    (folder / "large.md").write_bytes(b"x" * (1024 * 1024 + 1))
    (folder / "dangling.md").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.md")
    roster = world.found()
    assert [*roster.agents] == ["good"]
    assert {each.stem: str(each).partition(": ")[::2] for each in roster.broken} == {
        "bad": (
            ".claude/agents/bad.md:3",
            "not valid YAML: expected the node content, but found '<stream end>'",
        ),
        "bytes": (".claude/agents/bytes.md:4", "is not UTF-8 text"),
        "dangling": (".claude/agents/dangling.md", "cannot be read: No such file or directory"),
        "large": (".claude/agents/large.md", "is larger than 1024 KiB"),
        "pipe": (".claude/agents/pipe.md", "is no file"),
    }
