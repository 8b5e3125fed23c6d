"""The command in a pipe: input as it comes, one line of JSON each, for programs and by programs."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("typer")

if TYPE_CHECKING:
    Command = Any


def test_results_come_in_the_order_of_the_inputs(spawn: Command) -> None:
    """The first input may take longest: its line is the first all the same."""
    ended = spawn("-j", "3", "--", "sh", "-c", "sleep 0.{}; echo {}", ":::", "5", "3", "1")
    assert ended.code == 0
    assert ended.column("output") == ["5\n", "3\n", "1\n"]
    assert ended.column("index") == [0, 1, 2]
    assert ended.err == "3 ok · 0:00\n"


def test_unordered_results_come_as_they_end(spawn: Command) -> None:
    """With -u nobody waits for the slow one."""
    wait = "test {} = 2 && touch done; until test -e done; do sleep 0.01; done; echo {}"
    ended = spawn(
        "-u", "-j", "2", "--", "sh", "-c", f"{wait}; test {{}} = 2 || sleep 0.3", ":::", "1", "2"
    )
    assert ended.column("index") == [1, 0]


def test_a_prompt_template_reaches_an_agent(spawn: Command) -> None:
    """Words of a template are one prompt, with the input in it."""
    ended = spawn("--tool", "extract", "Review", "{}", "well", ":::", "a.py", "-n")
    assert [text.splitlines()[1] for text in ended.column("output")] == [
        "Review a.py well",
        "Review -n well",
    ]
    assert ended.column("input") == ["a.py", "-n"]


def test_a_command_without_a_place_for_the_input_reads_it(spawn: Command) -> None:
    """F63: without `{}` the input is on standard input, whatever its size, and in no argument."""
    ended = spawn("-0", "--", "wc", "-c", given=b"x" * 10**6 + b"\0ab\0")
    assert [int(text) for text in ended.column("output")] == [10**6, 2]


@pytest.mark.parametrize("options", [(), ("-a", "-"), ("-a", "list")])
def test_inputs_are_lines(spawn: Command, options: tuple[str, ...]) -> None:
    """From standard input or a file; blank lines are none."""
    spawn.file("list", "a b\n\n  \r\nc\r\nd")
    ended = spawn(*options, "--", "cat", given="a b\n\n  \r\nc\r\nd")
    assert ended.column("output") == ["a b", "c", "d"]


def test_file_names_of_any_bytes_reach_a_command(spawn: Command) -> None:
    """`find -print0` and -0 go together: newlines and bytes that are no UTF-8 stay as they are."""
    ended = spawn("-0", "--", "printf", "%s", "{}", given=b"a\nb\0caf\xe9\0")
    assert ended.column("output") == ["a\nb", "caf\ufffd"]


def test_empty_input_is_an_empty_success(spawn: Command) -> None:
    """Nothing to do is done; also without any agent CLI if that is known beforehand."""
    for words in [("--", "cat"), ("--tool", "extract"), (":::",)]:
        ended = spawn(*words)
        assert (ended.code, ended.out, ended.err) == (0, b"", "0 ok · 0:00\n")


def test_objects_say_how_each_is_run(spawn: Command) -> None:
    """With --jsonl one line is one object, which wins over the options."""
    given = [
        {"prompt": "a", "id": "first", "env": {"WHO": "me"}},
        {"prompt": "b", "command": ["echo", "own", "{}"]},
        {"prompt": "c", "cwd": "/"},
    ]
    ended = spawn(
        "--jsonl",
        *("--", "sh", "-c", 'echo "$WHO $PWD"; cat'),
        given="\n".join(map(json.dumps, given)),
    )
    assert ended.column("id") == ["first", None, None]
    assert ended.column("output") == [f"me {spawn.folder}\na", "own b\n", " /\nc"]


def test_bad_objects_of_a_file_are_all_told_before_anything_starts(spawn: Command) -> None:
    """Each by file and line, with what was meant; nothing runs."""
    spawn.file(
        "in",
        '{"promt": "a"}\n\n{"prompt": "b"}\nx\n{"id": 1, "prompt": ""}\n{"id": 1, "prompt": ""}',
    )
    ended = spawn("--jsonl", "-a", "in", "--", "touch", "started")
    assert (ended.code, ended.out) == (2, b"")
    assert [line.partition(": ")[2] for line in ended.err.splitlines()] == [
        'in:1: has an unknown member "promt". Did you mean "prompt"?',
        'in:1: has no "prompt"',
        "in:4: is no JSON: Expecting value at character 1",
        'in:6: the id "1" is that of in:5',
        "nothing was started",
    ]
    assert not (spawn.folder / "started").exists()


def test_bad_objects_of_a_stream_fail_in_their_place(spawn: Command) -> None:
    """Nobody can look ahead in a stream: the others run, and the line says which one was wrong."""
    ended = spawn("--jsonl", "--", "cat", given='{"prompt": "a"}\nx\n{"prompt": "c"}\n')
    assert ended.code == 1
    assert ended.column("output") == ["a", "", "c"]
    assert ended.column("failure_type") == [None, "invalid_request", None]
    assert ended.lines[1]["error"] == "line 2: is no JSON: Expecting value at character 1"


def test_many_bad_lines_are_counted(spawn: Command) -> None:
    """Nobody reads ten thousand errors."""
    spawn.file("in", "x\n" * 10_000)
    ended = spawn("--jsonl", "-a", "in", "--", "cat")
    assert len(ended.err.splitlines()) == 22
    assert "and 9,980 more" in ended.err


def test_an_argument_that_is_too_long_names_standard_input(spawn: Command) -> None:
    """F63, F34: above 128 KiB `{}` is refused with the way out, before anything starts."""
    spawn.file("in", "ok\n" + "x" * 131_072)
    ended = spawn("-a", "in", "--", "echo", "{}")
    assert ended.code == 2
    assert "in:2: makes an argument of 131,072 bytes, and 131,071 are the most" in ended.err
    assert "standard input" in ended.err


def test_a_failure_is_one_line_and_exit_1(spawn: Command) -> None:
    """F9: what a program says comes out as text, never as an escape sequence."""
    ended = spawn("--", "sh", "-c", r"printf '\033[31mred\n' >&2; exit {}", ":::", "0", "7")
    assert ended.code == 1
    assert ended.column("exit_code") == [0, 7]
    assert ended.column("error") == [None, "exit 7: \x1b[31mred"]
    assert "FAIL  #1 7: exit 7: \\x1b[31mred\n1 ok, 1 failed" in ended.err
    assert b"\x1b" not in ended.out + ended.err.encode()


def test_fail_fast_starts_nothing_after_a_failure(spawn: Command) -> None:
    """With -x the rest is not started, and the summary says so."""
    ended = spawn("-x", "-j", "1", "--", "sh", "-c", "test {} != b", ":::", "a", "b", "c", "d")
    assert ended.code == 1
    assert ended.column("input") == ["a", "b"]
    assert "1 ok, 1 failed, 2 not started" in ended.err


def test_quiet_says_nothing_of_success(spawn: Command) -> None:
    """With -q standard error is empty when all is well, and has the summary when not."""
    assert spawn("-q", "--", "true", ":::", "a").err == ""
    assert spawn("-q", "--", "false", ":::", "a").err == "0 ok, 1 failed · 0:00\n"


def test_retries_and_their_count(spawn: Command) -> None:
    """A success after a failure is flaky, not merely ok."""
    script = "test -e tried || { touch tried; exit 1; }"
    ended = spawn("--retries", "2", "--", "sh", "-c", script, ":::", "a")
    assert ended.column("retries") == [1]
    assert "1 ok (1 flaky)" in ended.err


def test_a_timeout_ends_a_program(spawn: Command) -> None:
    """--timeout is obeyed, and what was said before is kept."""
    ended = spawn("--timeout", "0.3", "--", "sh", "-c", "echo begun; sleep 60", ":::", "a")
    assert ended.column("output") == ["begun\n"]
    assert ended.column("failure_type") == ["timeout"]


def test_a_stream_is_answered_while_it_goes_on(spawn: Command) -> None:
    """Input is read as it comes, and each result is there before the next input is."""
    process = spawn.start("--", "cat", stdin=subprocess.PIPE)
    for text in ("one", "two"):
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["output"] == text
    process.stdin.close()
    assert process.wait(60) == 0


def test_an_endless_producer_is_read_as_it_is_needed(spawn: Command) -> None:
    """F38: of endless input only what runs is drawn, and when the reader leaves all ends with 141.

    F32: without a traceback.
    """
    endless = subprocess.Popen(["yes", "input"], stdout=subprocess.PIPE)
    process = spawn.start("-j", "2", "--", "cat", stdin=endless.stdout)
    endless.stdout.close()
    for _ in range(20):
        assert json.loads(process.stdout.readline())["output"] == "input"
    process.stdout.close()
    assert process.wait(60) == 141
    assert endless.wait(60) == -signal.SIGPIPE
    assert process.stderr.read() == b""


def test_a_reader_that_leaves_ends_agents_that_run(spawn: Command) -> None:
    """F32: `| head`: agents that are still at work are gone at once, exit 141, no traceback."""
    script = "test {} = 1 || { echo $$ > pid; exec sleep 600; }"
    process = spawn.start("-j", "2", "--", "sh", "-c", script, ":::", "1", "2")
    assert process.stdout.readline()
    pid = int(spawn.wait_for("pid"))
    process.stdout.close()
    assert process.wait(60) == 141
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert process.stderr.read() == b""


def test_a_reader_that_does_not_read_stops_no_agent(spawn: Command) -> None:
    """A full pipe holds back only what starts new: everything comes out once somebody reads."""
    count = 40
    process = spawn.start(
        "-j",
        "2",
        "--",
        "sh",
        "-c",
        "head -c 100000 /dev/zero | tr '\\0' x; touch {}.done",
        ":::",
        *map(str, range(count)),
    )
    spawn.file("wait", "")
    for number in range(count):
        while not (spawn.folder / f"{number}.done").exists():
            assert process.poll() is None
            threading.Event().wait(0.01)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert [len(json.loads(line)["output"]) for line in out.splitlines()] == [100_000] * count


def test_results_that_wait_for_the_first_do_not_fill_the_memory(spawn: Command) -> None:
    """Behind a slow first task no more is started than 64 MiB of results can wait for."""
    script = (
        "if test {} = 0; then until test -e go; do sleep 0.02; done;"
        " else touch {}.ran; head -c 8000000 /dev/zero | tr '\\0' x; fi"
    )
    process = spawn.start(
        "-j",
        "4",
        "--",
        "sh",
        "-c",
        script,
        ":::",
        *map(str, range(16)),
        through=("sh", "-c", 'ulimit -v 1048576; exec "$0" "$@"'),
    )
    said = b""
    while b"nothing new starts until #0 ends" not in said:
        line = process.stderr.readline()
        assert line
        said += line
    ran = len(list(spawn.folder.glob("*.ran")))
    assert 8 <= ran <= 13
    (spawn.folder / "go").touch()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(out.splitlines()) == 16


def test_standard_output_that_cannot_be_written_is_exit_74(spawn: Command) -> None:
    """A full disk is told, and nothing goes on for nobody."""
    with open("/dev/full", "wb") as full:
        process = spawn.start("--", "echo", ":::", "a", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 74
    assert b"cannot write" in err
    assert b"Traceback" not in err


def test_closed_streams_are_no_matter(spawn: Command) -> None:
    """Without any standard stream it runs, and its files are not mistaken for them."""
    line = shlex.join(spawn.argv)
    shell = f"{line} --results r -- sh -c 'echo {{}}' ::: a <&- >&- 2>&-"
    subprocess.run(["sh", "-c", shell], cwd=spawn.folder, env=spawn.env, check=True)
    assert (spawn.folder / "r" / "0" / "output").read_text() == "a\n"


def test_the_results_of_one_feed_another(spawn: Command) -> None:
    """Between jq-like programs: answers in, answers out, nothing but data in the pipe."""
    pick = "import json, sys; [print(json.loads(line)['output'].strip()) for line in sys.stdin]"
    program = shlex.join(spawn.argv)
    shell = (
        f"printf '3\\n4\\n' | {program} -- sh -c 'echo $(({{}} * {{}}))'"
        f' | {sys.executable} -c "{pick}" | xargs -n 1 echo got'
    )
    done = subprocess.run(
        ["sh", "-c", shell], cwd=spawn.folder, env=spawn.env, capture_output=True, check=True
    )
    assert done.stdout == b"got 9\ngot 16\n"


def test_results_keep_what_each_said(spawn: Command) -> None:
    """A folder per task, for its owner only, with both streams whole and secrets taken out."""
    spawn.env["MY_TOKEN"] = "hush-hush-hush"
    script = "echo out $MY_TOKEN; echo err >&2"
    ended = spawn("--results", "r/deep", "--", "sh", "-c", script, ":::", "a")
    assert ended.code == 0
    folder = spawn.folder / "r" / "deep" / "0"
    kept = {path.name: path.read_text() for path in folder.iterdir()}
    assert kept == {
        "stdout.log": "out [redacted]\n",
        "stderr.log": "err\n",
        "output": "out [redacted]\n",
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_job_log_grows_by_a_line_per_task(spawn: Command) -> None:
    """GNU parallel's columns, tab separated; a second run appends without a second head."""
    for _ in range(2):
        spawn("--joblog", "log", "--", "sh", "-c", "kill -{} $$", ":::", "9", "0")
    head, *rows = [row.split("\t") for row in (spawn.folder / "log").read_text().splitlines()]
    assert head == [
        "Seq",
        "Host",
        "Starttime",
        "JobRuntime",
        "Send",
        "Receive",
        "Exitval",
        "Signal",
        "Command",
    ]
    assert len(rows) == 4
    killed, *_ = [row for row in rows if row[0] == "1"]
    assert killed[6:] == ["0", "9", "sh -c 'kill -9 $$'"]
    assert stat.S_IMODE((spawn.folder / "log").stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_told_before_anything_starts(spawn: Command) -> None:
    """--results and --joblog: exit 74, with the path."""
    spawn.file("file", "")
    for words in [("--results", "file/x"), ("--joblog", "none/log")]:
        ended = spawn(*words, "--", "touch", "started", ":::", "a")
        assert ended.code == 74
        assert words[1] in ended.err
    assert not (spawn.folder / "started").exists()
