"""Settings: who wins, what is refused, and what people are told."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from aurora_soar.config import SETTINGS, ConfigError, Configuration, Settings, resolve
from aurora_soar.trust import Standing
from aurora_spawner import Progress


class World:
    """A home folder, and a repository with a project in it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.repository = folder / "repository"
        self.here = self.repository / "a" / "b"
        self.here.mkdir(parents=True)
        (self.repository / ".git").mkdir()
        self.trusted: set[Path] = set()
        self.environment = {"HOME": str(self.home)}

    def standing_of(self, path: Path, content: bytes) -> Standing:
        assert path.read_bytes() == content
        return Standing.TRUSTED if path in self.trusted else Standing.UNKNOWN

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def user(self, text: str) -> Path:
        return self.write(self.home / ".config" / "aurora" / "config.toml", text)

    def project(self, text: str, name: str = "aurora.toml") -> Path:
        return self.write(self.repository / name, text)

    def resolve(self, **flags: Any) -> Configuration:
        return resolve(
            flags,
            here=self.here,
            environment=self.environment,
            standing_of=self.standing_of,
        )

    def refused(self) -> list[str]:
        with pytest.raises(ConfigError) as raised:
            self.resolve()
        return str(raised.value).replace(str(self.home), "HOME").splitlines()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_who_wins(world: World) -> None:
    """Flag over variable over project over user over default, each with its origin."""
    world.user("jobs = 1\nretries = 1\ntimeout = '1m'\nmodel = 'u'\n")
    world.project("# ours\njobs = 2\nretries = 2\ntimeout = '2m'\n")
    world.environment |= {"AURORA_JOBS": "3", "AURORA_RETRIES": "3"}
    found = world.resolve(jobs=4, tool=None)
    settings = found.settings
    assert (settings.jobs, settings.retries, settings.timeout, settings.model) == (4, 3, 120.0, "u")
    named = {name: origin.name for name, origin in found.origins.items()}
    assert (
        named
        | {
            "jobs": "flag",
            "retries": "AURORA_RETRIES",
            "timeout": "../../aurora.toml:4",
            "model": "~/.config/aurora/config.toml:4",
            "tool": "default",
        }
        == named
    )
    assert (found.decided("jobs"), found.suggested("jobs")) == (4, None)
    assert (found.decided("retries"), found.decided("timeout")) == (3, None)
    assert (found.suggested("timeout"), found.suggested("model")) == (120.0, "u")
    assert (found.decided("tool"), found.suggested("tool")) == (None, None)


def test_without_anything_the_defaults_hold(world: World) -> None:
    """Nobody said anything: every setting has its default, and says so."""
    found = world.resolve()
    assert found.settings.progress is Progress.AUTO
    assert {origin.kind for origin in found.origins.values()} == {"default"}
    for name, setting in SETTINGS.items():
        assert getattr(found.settings, name) == setting.default


def test_the_table_is_complete() -> None:
    """Every setting has help and a way to be decided beside its flag, but permissions."""
    assert list(SETTINGS) == list(Settings.model_fields)
    for setting in SETTINGS.values():
        assert setting.help.endswith(".")
        assert setting.in_user_file or setting.name == "permissions"


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("AURORA_TOOL", "codex", "tool", "codex"),
        ("AURORA_SPAWN_TOOL", "codex", "tool", "codex"),
        ("AURORA_TIMEOUT", "1h30m", "timeout", 5400.0),
        ("AURORA_FALLBACK", "0", "fallback", False),
        ("AURORA_NOTIFY", "yes", "notify", True),
        ("AURORA_BUDGET", "2.5", "budget", 2.5),
        ("AURORA_PROGRESS", "plain", "progress", Progress.PLAIN),
        ("AURORA_PASS_ENV", "A, B,", "pass_env", ("A", "B")),
        ("AURORA_ISOLATION", "worktree", "isolation", "worktree"),
        ("AURORA_JOBS", "", "jobs", None),
    ],
)
def test_variables(world: World, variable: str, text: str, name: str, value: object) -> None:
    """A variable says in text what a file says in TOML; an empty one says nothing."""
    world.environment[variable] = text
    assert getattr(world.resolve().settings, name) == value


def test_the_newer_name_of_a_variable_wins(world: World) -> None:
    """AURORA_TOOL counts before the spawner's AURORA_SPAWN_TOOL."""
    world.environment |= {"AURORA_TOOL": "claude", "AURORA_SPAWN_TOOL": "codex"}
    found = world.resolve()
    assert (found.settings.tool, found.origins["tool"].name) == ("claude", "AURORA_TOOL")


def test_all_that_is_wrong_is_told_at_once(world: World) -> None:
    """Unknown settings with a guess, wrong values, variables: one line each, with their places."""
    world.user("job = 1\n")
    world.project(
        """
        jobs = 0
        fall_back = true
        timeout = "soon"
        fallback = "yes"
        tool = "cluade"
        progress = "loud"
        """
    )
    world.environment |= {"AURORA_RETRIES": "many", "AURORA_TOOL": "cursor"}
    assert world.refused() == [
        '~/.config/aurora/config.toml:1: unknown setting "job". Did you mean "jobs"?',
        '../../aurora.toml:2: unknown setting "fall_back". Did you mean "fallback"?',
        '../../aurora.toml:1: "jobs": must be at least 1, not 0',
        '../../aurora.toml:3: "timeout": "soon" is no duration; '
        'write seconds, or "90s", "30m", "2h", "1h30m"',
        "../../aurora.toml:4: \"fallback\": must be true or false, not 'yes'",
        '../../aurora.toml:5: "tool": unknown tool "cluade". Did you mean "claude"?',
        "../../aurora.toml:6: \"progress\": must be 'auto', 'tty', 'plain' or 'none', not 'loud'",
        'AURORA_TOOL: unknown tool "cursor". '
        "There are claude, codex, gemini, opencode, llm, extract.",
        "AURORA_RETRIES: must be a whole number, not 'many'",
    ]


def test_f71_permissions_are_for_the_command_line_alone(world: World) -> None:
    """F71: neither a file, the user's own included, nor a variable widens what agents may do."""
    world.user('permissions = "full-access"\n')
    world.project('permissions = "workspace-write"\n')
    assert world.refused() == [
        '~/.config/aurora/config.toml:1: "permissions" is for the command line alone: '
        "--permissions",
        '../../aurora.toml:1: "permissions" is for the command line alone: --permissions',
    ]
    world.user("")
    world.project("")
    world.environment["AURORA_PERMISSIONS"] = "full-access"
    found = world.resolve()
    assert found.settings.permissions == "read-only"
    assert found.notes == ("AURORA_PERMISSIONS is not read: use --permissions",)
    assert world.resolve(permissions="full-access").settings.permissions == "full-access"


def test_f71_what_a_project_says_of_files_and_secrets_waits_for_trust(world: World) -> None:
    """F71: an untrusted project's file is used for what is harmless; the rest is named."""
    path = world.project('jobs = 2\nhtml = "run.html"\npass_env = ["AWS_KEY"]\n')
    found = world.resolve()
    assert (found.settings.jobs, found.settings.html, found.settings.pass_env) == (2, None, ())
    assert found.notes == (
        '../../aurora.toml:2: "html" is not used until you trust the file: '
        "aurora-soar trust ../../aurora.toml",
        '../../aurora.toml:3: "pass_env" is not used until you trust the file: '
        "aurora-soar trust ../../aurora.toml",
    )
    world.trusted.add(path)
    found = world.resolve()
    assert found.settings.html == str(world.repository / "run.html")
    assert (found.settings.pass_env, found.notes) == (("AWS_KEY",), ())


def test_f71_a_program_that_tells_is_the_users_own(world: World) -> None:
    """F71: a project never names a program to run when a run is over, trusted or not."""
    world.user('notify_command = ["say", "done"]\n')
    assert world.resolve().settings.notify_command == ("say", "done")
    world.trusted.add(world.project('notify_command = ["sh", "-c", "curl evil"]\n'))
    assert world.refused() == [
        '../../aurora.toml:1: "notify_command" is for your own file alone: '
        "HOME/.config/aurora/config.toml"
    ]


def test_the_nearest_file_counts(world: World) -> None:
    """Nearest upwards, up to the top of the repository; aurora.toml before pyproject.toml."""
    world.write(world.repository.parent / "aurora.toml", "jobs = 9\n")
    assert world.resolve().settings.jobs is None
    world.project("[project]\nname = 'x'\n\n[tool.aurora]\njobs = 2\n", "pyproject.toml")
    found = world.resolve()
    assert (found.settings.jobs, found.origins["jobs"].name) == (2, "../../pyproject.toml:5")
    world.project("jobs = 3\n")
    assert world.resolve().settings.jobs == 3
    world.write(world.here.parent / "pyproject.toml", "[tool.ruff]\n")
    assert world.resolve().settings.jobs == 3
    world.write(world.here / "pyproject.toml", "[tool.aurora]\nretries = 0\n")
    found = world.resolve()
    assert (found.settings.jobs, found.settings.retries) == (None, 0)


def test_outside_of_a_repository_nothing_above_is_read(tmp_path: Path) -> None:
    """Where there is no repository, a file of somebody's in a folder above decides nothing."""
    folder = tmp_path / "a"
    folder.mkdir()
    (tmp_path / "aurora.toml").write_text("jobs = 9\n")
    found = resolve({}, here=folder, environment={"HOME": "/nowhere"})
    assert found.settings.jobs is None
    (folder / "aurora.toml").write_text("jobs = 1\n")
    found = resolve({}, here=folder, environment={"HOME": "/nowhere"})
    assert found.origins["jobs"].name == "aurora.toml:1"


def test_a_misspelt_variable_is_named_and_others_are_left_alone(world: World) -> None:
    """A variable that nearly is one of ours is told; somebody else's AURORA_ variables are not."""
    world.environment |= {"AURORA_JOB": "3", "AURORA_HOSTED_ZONE": "x"}
    assert world.resolve().notes == ('AURORA_JOB is not known. Did you mean "AURORA_JOBS"?',)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("aurora.toml", "jobs = \n", "../../aurora.toml:1: not valid TOML: Invalid value"),
        ("pyproject.toml", "[tool]\naurora = 3\n", "must be a table: [tool.aurora]"),
    ],
)
def test_a_broken_file(world: World, name: str, text: str, told: str) -> None:
    """A file that is no TOML, or no table, is told with its line."""
    world.project(text, name)
    (line,) = world.refused()
    assert told in line
