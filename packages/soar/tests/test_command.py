"""`aurora-soar` from outside: exit codes, outputs, files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import pytest

from aurora_soar.cli import commands

if TYPE_CHECKING:
    Command = Any

# A claude that says which model it was given and what it was asked.
CLAUDE = """
    printf '{"type":"result","subtype":"success","is_error":false,"result":"%s: %s"}\\n' \\
        "$*" "$(tr '\\n' ' ')"
"""

# Two programs, of which the second builds on the first.
CHAIN = """
    name = "chain"
    [agents.first]
    command = ["sh", "-c", "echo one; echo two"]
    [agents.second]
    command = ["cat"]
    [[subgoals]]
    id = "a"
    agent = "first"
    [[subgoals]]
    id = "b"
    agent = "second"
    description = "Repeat it."
    depends_on = ["a"]
"""

FAILING = """
    defaults.retries = 0
    [agents.bad]
    command = ["sh", "-c", "echo half; echo broken >&2; exit 3"]
    [agents.good]
    command = ["echo", "well"]
    [[subgoals]]
    id = "bad"
    [[subgoals]]
    id = "good"
    [[subgoals]]
    id = "after"
    agent = "good"
    depends_on = ["bad"]
"""


def test_a_plan_that_goes_well(soar: Command) -> None:
    """All subgoals have answers: exit 0, the answers in the results, one built on the other."""
    code, results = soar.results(soar.plan(CHAIN))
    assert (code, results["v"], results["exit_code"], results["name"]) == (0, 1, 0, "chain")
    first, second = results["subgoals"]
    assert (first["outcome"], first["output"], first["attempts"]) == ("ok", "one\ntwo\n", 1)
    assert second["output"].startswith("Repeat it.\n\n--- begin a ")
    assert "one\ntwo\n--- end a " in second["output"]
    assert results["totals"] == {
        "subgoals": 2,
        "ok": 2,
        "flaky": 0,
        "by_fallback": 0,
        "failed": 0,
        "blocked": 0,
        "skipped": 0,
        "unfinished": 0,
    }


def test_the_results_are_kept_in_private_files(soar: Command) -> None:
    """F68, F72: the run's folder is private, ignored by git, and holds results and answers."""
    _, results = soar.results(soar.plan(CHAIN), umask=0)
    home = soar.folder / ".aurora"
    assert (home / ".gitignore").read_text() == "*\n"
    (run,) = (home / "runs").iterdir()
    assert run.name == results["run"]
    assert json.loads((run / "results.json").read_text()) == results
    assert (run / "a" / "output.txt").read_text() == "one\ntwo\n"
    assert (run / "a" / "1" / "stdout.log").read_text() == "one\ntwo\n"
    modes = {
        (path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in [home, *home.rglob("*")]
    }
    assert modes == {(True, 0o700), (False, 0o600)}


def test_f64_no_secret_is_kept(soar: Command) -> None:
    """F64: what an agent tells of our environment's secrets is in no file of the run."""
    plan = """
        [agents.leaky]
        command = ["sh", "-c", "echo key $MY_API_KEY; echo $MY_API_KEY >&2"]
        [[subgoals]]
        id = "a"
        agent = "leaky"
    """
    ended = soar.run("run", soar.plan(plan), env={"MY_API_KEY": 'sk-"12345678'})
    assert ended.code == 0
    files = [path for path in (soar.folder / ".aurora").rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not any(b"12345678" in path.read_bytes() for path in files)
    assert sum(b"[redacted]" in path.read_bytes() for path in files) >= 4


def test_a_hostile_subgoal_id_stays_inside(soar: Command) -> None:
    """F61: an id with slashes and newlines becomes a file name inside the run's folder."""
    plan = """
        [agents.say]
        command = ["echo", "well"]
        [[subgoals]]
        id = "../../x\\n\\u001b[31m"
        agent = "say"
    """
    ended = soar.run("run", soar.plan(plan))
    assert ended.code == 0
    assert "\x1b" not in ended.err
    assert {path.name for path in soar.folder.iterdir()} == {
        ".aurora",
        ".local",
        "bin",
        "plan.toml",
    }
    assert len(list((soar.folder / ".aurora" / "runs").glob("*/*/output.txt"))) == 1


def test_a_failed_subgoal(soar: Command) -> None:
    """A failure is exit 1; the summary says what failed, where to look, and what was skipped."""
    ended = soar.run("run", soar.plan(FAILING))
    assert (ended.code, ended.out) == (1, "")
    lines = ended.err.splitlines()
    end = next(n for n, line in enumerate(lines) if line.startswith("FAIL  bad    1/1  0:"))
    assert lines[end].endswith("  exit 3: broken")
    log = lines[end + 1].removeprefix("      log: ")
    assert log.endswith("/bad/1/stderr.log")
    assert (soar.folder / log).read_text() == "broken\n"
    assert lines[end + 2] == "SKIP  after  needs bad"
    assert lines[end + 3].startswith("1 ok, 1 failed, 1 skipped · 0:")


def test_failed_output_is_shown_where_nobody_looks_at_a_table(soar: Command) -> None:
    """In a pipe each change is a line, and a failure brings the end of what was said."""
    ended = soar.run("run", soar.plan(FAILING))
    changes = [line.split(maxsplit=1)[1] for line in ended.err.splitlines() if ":" in line[:3]]
    assert [" ".join(change.split()) for change in changes[:4]].count("START bad bad") == 1
    failed = next(n for n, line in enumerate(ended.err.splitlines()) if " FAIL " in line)
    assert [line.strip() for line in ended.err.splitlines()[failed + 1 : failed + 3]] == [
        "half",
        "broken",
    ]
    assert "\x1b" not in ended.err


def test_wrong_plans_are_told_and_nothing_starts(soar: Command) -> None:
    """Each of the plan's errors is a line on standard error; exit 2, for check as for run."""
    plan = soar.plan(
        """
        [[subgoals]]
        id = "web"
        depend_on = []
        description_file = "missing.md"
        [[subgoals]]
        id = "api"
        description = "x"
        depends_on = ["wbe"]
        """
    )
    told = (
        'plan.toml:4: unknown key "depend_on" in subgoal "web". Did you mean "depends_on"?\n'
        'plan.toml:5: description_file "missing.md" cannot be read: No such file or directory\n'
        'plan.toml:9: subgoal "api" depends on "wbe", which is no subgoal. Did you mean "web"?\n'
    )
    assert soar.run("run", plan) == (2, "", told)
    assert soar.run("check", plan) == (2, "", told)
    assert soar.run("run", "none.toml") == (2, "", "none.toml: there is no such file\n")
    assert not (soar.folder / ".aurora").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tool", "cluade"], 'unknown tool "cluade". Did you mean "claude"?'),
        (["--tool", "command"], 'unknown tool "command"'),
        (["--timeout", "5 apples"], '"5 apples" is no duration'),
        (["--jobs", "0"], "'-j' / '--jobs'"),
        (["--progress", "loud"], "'loud' is not one of"),
        (["--nope"], "--nope"),
    ],
)
def test_wrong_flags(soar: Command, arguments: list[str], told: str) -> None:
    """A flag that makes no sense is exit 2 and a message that says why."""
    ended = soar.run("run", soar.plan(CHAIN), *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_an_unknown_tool_in_the_environment(soar: Command) -> None:
    """AURORA_SPAWN_TOOL is checked before anything starts, like the flag."""
    ended = soar.run("run", soar.plan(CHAIN), env={"AURORA_SPAWN_TOOL": "cluade"})
    assert (ended.code, ended.err) == (
        2,
        'AURORA_SPAWN_TOOL: unknown tool "cluade". Did you mean "claude"?\n',
    )


PERSONAS = """
    defaults.retries = 0
    [agents.reviewer]
    description = "Reviews."
    [[subgoals]]
    id = "review"
    agent = "reviewer"
    description = "Look at it."
    [[subgoals]]
    id = "risks"
    description = "Name them."
"""


def test_no_agent_cli(soar: Command) -> None:
    """Personas without an agent CLI: exit 69 before anything starts, with what was looked for."""
    ended = soar.run("run", soar.plan(PERSONAS))
    assert (ended.code, ended.out) == (69, "")
    assert ended.err.startswith(
        'agents "reviewer", "risks": no agent CLI found on PATH '
        "(looked for claude, codex, gemini, opencode, llm)"
    )
    assert "--tool extract" in ended.err
    assert not (soar.folder / ".aurora").exists()


def test_a_named_tool_that_is_not_there(soar: Command) -> None:
    """A tool named by the plan or by a flag, but not installed: exit 69, nothing starts."""
    named = soar.plan(PERSONAS.replace('"Reviews."', '"Reviews."\n    tool = "codex"'))
    soar.program("claude", CLAUDE)
    ended = soar.run("run", named)
    assert ended.code == 69
    assert ended.err.startswith('agent "reviewer": "codex" is not on PATH (')
    ended = soar.run("run", named, "--tool", "gemini")
    assert ended.code == 69
    assert ended.err.startswith('agents "reviewer", "risks": "gemini" is not on PATH (')
    assert ended.err.count("\n") == 1


def test_personas_go_through_the_agent_cli_on_path(soar: Command) -> None:
    """Persona and adhoc prompts reach the CLI that is found, with the model that was named."""
    soar.program("claude", CLAUDE)
    code, results = soar.results(soar.plan(PERSONAS), "--model", "opus")
    assert code == 0
    review, risks = results["subgoals"]
    assert (review["tool"], risks["tool"]) == ("claude", "claude")
    assert "opus" in review["output"]
    assert "Reviews." in review["output"]
    assert "Look at it." in review["output"]
    assert "act as a specialist: risks" in risks["output"]


def test_the_tool_of_the_command_line_wins(soar: Command) -> None:
    """`--tool` answers for every persona, whatever the plan names; programs stay programs."""
    plan = CHAIN + PERSONAS.replace("defaults.retries = 0", "").replace(
        '"Reviews."', '"Reviews."\n    tool = "claude"'
    )
    code, results = soar.results(soar.plan(plan), "--tool", "extract")
    assert code == 0
    assert [each["tool"] for each in results["subgoals"]] == [
        "command",
        "command",
        "extract",
        "extract",
    ]


def test_without_a_model_the_end_says_how_to_run_with_one(soar: Command) -> None:
    """After `--tool extract` the last line names the agent CLI on PATH, or those looked for."""
    plan = soar.plan(PERSONAS, "a plan.toml")
    ended = soar.run("run", plan, "--tool", "extract")
    assert ended.err.splitlines()[-1] == (
        "With a model: aurora-soar run 'a plan.toml' "
        "(no agent CLI found on PATH; looked for claude, codex, gemini, opencode, llm)"
    )
    soar.program("gemini", "")
    ended = soar.run("run", plan, env={"AURORA_SPAWN_TOOL": "extract"})
    assert ended.err.splitlines()[-1] == (
        "With a model: aurora-soar run 'a plan.toml' --tool gemini"
    )


def test_the_fallback_answers_unless_it_is_not_wanted(soar: Command) -> None:
    """Where an agent failed the plain LLM answers, and is counted; not with `--no-fallback`."""
    # It answers plain questions only.
    soar.program(
        "claude",
        """
        grep -q Reviews && { echo no personas >&2; exit 1; }
        echo '{"type":"result","subtype":"success","is_error":false,"result":"plainly"}'
        """,
    )
    plan = soar.plan(PERSONAS)
    ended = soar.run("run", plan)
    assert ended.code == 0
    assert "FALLBACK  review  " in ended.err
    assert "2 ok (1 by fallback) · " in ended.err
    ended = soar.run("run", plan, "--no-fallback")
    assert ended.code == 1
    assert "1 ok, 1 failed · " in ended.err


def test_retries_and_timeout_of_the_command_line(soar: Command) -> None:
    """`--retries` and `--timeout` hold for every subgoal, whatever the plan says."""
    plan = soar.plan(
        """
        [agents.slow]
        command = ["sleep", "60"]
        [[subgoals]]
        id = "slow"
        timeout = 50
        retries = 2
        """
    )
    code, results = soar.results(plan, "--retries", "0", "--timeout", "0.3s")
    assert code == 1
    assert (results["subgoals"][0]["attempts"], results["subgoals"][0]["outcome"]) == (1, "failed")


def test_a_flaky_subgoal_is_told(soar: Command) -> None:
    """A subgoal that succeeds at its second attempt is ok, and counted as flaky."""
    plan = soar.plan(
        """
        [agents.flaky]
        command = ["sh", "-c", "test -e seen || { touch seen; exit 1; }"]
        [[subgoals]]
        id = "flaky"
        """
    )
    ended = soar.run("run", plan)
    assert ended.code == 0
    assert "RETRY  flaky  1/3 exit 1, next in " in ended.err
    assert "1 ok (1 flaky) · " in ended.err


def test_the_time_limit_of_the_run(soar: Command) -> None:
    """F44: at the global limit the run ends with exit 3; what is unfinished says so."""
    plan = soar.plan(
        """
        limits.global_timeout = "2s"
        [agents.slow]
        command = ["sleep", "60"]
        [agents.quick]
        command = ["echo", "well"]
        [[subgoals]]
        id = "slow"
        [[subgoals]]
        id = "quick"
        """
    )
    code, results = soar.results(plan)
    assert (code, results["exit_code"]) == (3, 3)
    assert [each["outcome"] for each in results["subgoals"]] == ["unfinished", "ok"]
    assert "Global timeout after 2s" in results["subgoals"][0]["error"]


def test_an_empty_plan(soar: Command) -> None:
    """F43: nothing to do is a success."""
    code, results = soar.results(soar.plan(""))
    assert (code, results["subgoals"]) == (0, [])


def test_quiet_and_silent(soar: Command) -> None:
    """`-q` says nothing of success and all of failure; `--progress none` leaves the summary."""
    good, bad = soar.plan(CHAIN), soar.plan(FAILING, "bad.toml")
    assert soar.run("run", good, "-q") == (0, "", "")
    ended = soar.run("run", bad, "-q")
    assert ended.code == 1
    assert ended.err.startswith("FAIL  bad    1/1  0:")
    ended = soar.run("run", good, "--progress", "none")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.startswith("2 ok · 0:")


def test_check_and_dry_run_start_nothing(soar: Command) -> None:
    """Both tell what would run, when, through what and after what, and leave no trace."""
    plan = soar.plan(CHAIN)
    ended = soar.run("check", plan, "-j", "3")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("chain: 2 subgoals, at most 3 at once, time limit ")
    assert "Round 1\n  a  by first  at once  3 attempts of 5:00\n" in ended.out
    assert "Round 2\n  b  by second  after a  3 attempts of 5:00\n" in ended.out
    assert "  first   program  sh -c 'echo one; echo two'\n" in ended.out
    assert soar.run("run", plan, "-n", "-j", "3") == (0, ended.out, "")
    assert not (soar.folder / ".aurora").exists()


def test_check_names_what_is_missing(soar: Command) -> None:
    """A plan that is right, for personas without a CLI: shown in full, and exit 69."""
    text = PERSONAS + '    [agents.risk]\n    description = "Names risks."\n'
    ended = soar.run("check", soar.plan(text))
    assert ended.code == 69
    assert '  risks     adhoc    no agent CLI - Did you mean "risk"?\n' in ended.out
    assert ended.err.startswith('agents "reviewer", "risks": no agent CLI found on PATH')
    ended = soar.run("check", soar.plan(text), "--tool", "extract")
    assert (ended.code, ended.err) == (0, "")


def test_the_reader_of_the_results_goes_away(soar: Command) -> None:
    """F32: with the reader of standard output gone, exit 141 and not a word."""
    read, write = os.pipe()
    os.close(read)
    ended = soar.run("run", soar.plan(CHAIN), "--json", "-q", stdout=write)
    os.close(write)
    assert (ended.code, ended.err) == (141, "")


def test_the_reader_of_the_progress_goes_away(soar: Command, alive: Any) -> None:
    """F32: with the reader of standard error gone, agents are ended; exit 141, results kept."""
    plan = soar.plan(
        """
        [agents.slow]
        command = ["sh", "-c", "echo $$ > pid; exec sleep 60"]
        [[subgoals]]
        id = "slow"
        [agents.next]
        command = ["sh", "-c", "until test -e go; do sleep 0.05 < plan.toml || exit 1; done"]
        [[subgoals]]
        id = "next"
        """
    )
    process = soar.start("run", plan)
    pid = int(soar.wait_for_file("pid"))
    process.stderr.close()
    (soar.folder / "go").touch()
    assert process.wait(60) == 141
    assert process.stdout.read() == b""
    assert not alive(pid)
    (path,) = soar.folder.glob(".aurora/runs/*/results.json")
    assert json.loads(path.read_text())["exit_code"] == 141


def test_a_full_disk_under_the_results(soar: Command) -> None:
    """Results that cannot be written are exit 74 and one line, after the summary."""
    with Path("/dev/full").open("wb") as full:
        ended = soar.run("run", soar.plan(CHAIN), "--json", stdout=full)
    assert ended.code == 74
    assert ended.err.splitlines()[-1] == (
        "aurora-soar: cannot write: [Errno 28] No space left on device"
    )
    assert "Traceback" not in ended.err


def test_a_folder_that_cannot_be_made(soar: Command) -> None:
    """If the runs cannot be kept, exit 74 before anything starts."""
    (soar.folder / ".aurora").write_text("in the way")
    ended = soar.run("run", soar.plan(CHAIN))
    assert ended.code == 74
    assert ended.err == "aurora-soar: cannot write: [Errno 17] File exists: '.aurora'\n"


def test_work_goes_on_when_logs_cannot_be_kept(soar: Command) -> None:
    """F58: a log that cannot be written is told once; the agents finish; exit 74."""
    plan = soar.plan(
        """
        limits.max_concurrent = 1
        [agents.vandal]
        command = ["sh", "-c", "rm -r .aurora/runs/*; echo done"]
        [agents.good]
        command = ["sh", "-c", "touch ran"]
        [[subgoals]]
        id = "vandal"
        [[subgoals]]
        id = "good"
        depends_on = ["vandal"]
        """
    )
    ended = soar.run("run", plan)
    assert ended.code == 74
    assert ended.err.count("cannot write: [Errno 2]") == 2
    assert "the run goes on" in ended.err
    assert "2 ok" in ended.err
    assert (soar.folder / "ran").exists()


def test_a_bug_of_ours_is_one_line(soar: Command) -> None:
    """What we did not foresee is exit 70, one line, and a file with the traceback."""
    (soar.folder / "sitecustomize.py").write_text(
        "import aurora_soar.cli.conductor as conductor\n"
        "def broken(*args, **kwargs): raise KeyError('gears')\n"
        "conductor.execute_agents = broken\n"
    )
    ended = soar.run("run", soar.plan(CHAIN), env={"PYTHONPATH": str(soar.folder)})
    assert ended.code == 70
    last = ended.err.splitlines()[-1]
    assert last.startswith("aurora-soar: a bug of ours: KeyError('gears'); the traceback is in ")
    log = Path(last.rpartition(" ")[2])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_help_opens_with_examples(soar: Command) -> None:
    """`--help` shows three command lines before anything else; no argument shows it too."""
    ended = soar.run("--help")
    assert ended.code == 0
    assert ended.out.index("aurora-soar run plan.toml --tool extract") < ended.out.index("Options")
    assert ended.out.count("  aurora-soar ") == 3
    ended = soar.run("--version")
    assert (ended.code, ended.out.split()[0]) == (0, "aurora-soar")


def test_help_lists_every_command_and_imports_none(soar: Command) -> None:
    """One whole line for each file of commands, and none of those files is read for it."""
    told = "; atexit.register(lambda: print([name for name in sys.modules if 'soar' in name]))"
    soar.code = f"import atexit, sys{told}; {soar.code}"
    ended = soar.run("--help")
    _, _, listed = ended.out.partition("Commands:\n")
    *lines, modules = listed.splitlines()
    files = {module.name for module in iter_modules(commands.__path__)}
    assert {line.split()[0] for line in lines} == files
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)
    assert "aurora_soar.cli.later" in modules
    assert "aurora_soar.cli.commands" not in modules
    assert "aurora_soar.plan" not in modules


def test_plain_characters_for_plain_encodings(soar: Command) -> None:
    """A stream whose encoding lacks the glyphs gets ASCII, whatever the plan holds."""
    ended = soar.run("run", soar.plan(CHAIN), env={"PYTHONIOENCODING": "ascii", "LANG": "C"})
    assert ended.code == 0
    assert ended.err.isascii()
    assert "2 ok | 0:" in ended.err


def test_a_forced_table_has_colours_unless_they_are_not_wanted(soar: Command) -> None:
    """`--progress tty` draws in a pipe too; with NO_COLOR nothing is coloured."""
    plan = soar.plan(FAILING)
    ended = soar.run("run", plan, "--progress", "tty", env={"TERM": "xterm"})
    assert "\x1b[31m" in ended.err
    assert "✕ bad" in ended.err
    ended = soar.run("run", plan, "--progress", "tty", env={"TERM": "xterm", "NO_COLOR": "1"})
    assert "\x1b[31m" not in ended.err
    ended = soar.run("run", plan, env={"FORCE_COLOR": "1"})
    assert "\x1b" not in ended.err


def test_what_agents_say_as_they_say_it(soar: Command) -> None:
    """With -v each line of an agent's is shown, made safe (F9); without, a good one's is not."""
    plan = soar.plan(
        r"""
        [agents.a]
        command = ["sh", "-c", "printf 'one\\n\\033[31mtwo\\n'"]
        [[subgoals]]
        id = "a"
        """
    )
    lines = soar.run("run", plan, "-v").err.splitlines()
    assert [line.strip() for line in lines if " a: " in line] == ["a: one", r"a: \x1b[31mtwo"]
    assert "two" not in soar.run("run", plan).err
