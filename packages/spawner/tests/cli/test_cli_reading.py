"""The pure parts that read: command lines, templates, records, objects, durations."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner.cli.arguments import Arguments, resuming, split_arguments
from aurora_spawner.cli.jobs import Job, Recipe
from aurora_spawner.cli.records import LONGEST_RECORD, Record, RecordTooLongError, Splitter
from aurora_spawner.cli.template import LONGEST_ARGUMENT, CommandTemplate, PromptTemplate
from aurora_spawner.durations import about, format_duration, parse_duration
from aurora_spawner.policy import PRESETS, named_policy


def job_of(text: str | bytes, **settings: Any) -> Job:
    data = text.encode() if isinstance(text, str) else text
    recipe = Recipe(**{"prompt": PromptTemplate(), "tool": "extract", **settings})
    return recipe.job(0, Record("line 1", data))


def object_of(**members: Any) -> Job:
    return job_of(json.dumps(members), jsonl=True)


def records(chunks: list[bytes], **options: Any) -> list[tuple[str, bytes]]:
    splitter = Splitter("", **options)
    found = [record for chunk in chunks if chunk for record in splitter.feed(chunk)]
    return [(each.place, each.data) for each in (*found, *splitter.feed(b""))]


def test_marks_part_a_command_line_whatever_follows_them() -> None:
    """Commands and inputs may look like options, and the first mark of a kind counts."""
    words = ["-j", "2", "--", "grep", "-n", "{}", ":::", "-x", "--", ":::"]
    assert split_arguments(words) == Arguments(
        ("-j", "2"), ("grep", "-n", "{}"), ("-x", "--", ":::")
    )
    assert split_arguments(["Review"]) == Arguments(("Review",))


def test_the_line_to_go_on_with_is_the_same_but_for_the_journal() -> None:
    """What resumes a run names its journal, and is quoted for a shell."""
    arguments = split_arguments(["--journal", "a b", "--", "cat", ":::", "x y"])
    assert resuming(arguments, failed=False) == "aurora-spawn --resume 'a b' -- cat ::: 'x y'"
    arguments = split_arguments(["--resume=j", "Review {}"])
    assert resuming(arguments, failed=True) == "aurora-spawn --resume-failed=j 'Review {}'"


def test_a_prompt_template_takes_the_input_where_it_says_or_at_its_end() -> None:
    """`{}` is replaced wherever it stands; without it the input follows after a blank line."""
    assert PromptTemplate("Review {}, only {}").fill("a") == "Review a, only a"
    assert PromptTemplate("Review").fill("a") == "Review\n\na"
    assert PromptTemplate().fill("a") == "a"


def test_a_command_template_puts_the_input_into_argv_or_on_standard_input() -> None:
    """`{}` in any word puts the input there, and then nothing is left for standard input."""
    assert CommandTemplate(["wc", "-c"]).fill("a") == (("wc", "-c"), "a")
    assert CommandTemplate(["cp", "{}", "{}.bak"]).fill("a b") == (("cp", "a b", "a b.bak"), "")


@pytest.mark.parametrize("given_input", ["a\0b", "x" * (LONGEST_ARGUMENT + 1)])
def test_an_argument_that_cannot_hold_the_input_names_the_way_out(given_input: str) -> None:
    """F63, F34: a NUL byte or 128 KiB for an argument is an error that names standard input."""
    job = job_of(given_input, command=CommandTemplate(["echo", "{}"]))
    assert job.task is None
    assert (
        "leave {} out of the command, and it reads the input on standard input" in (job.problems[0])
    )
    assert job_of(given_input, command=CommandTemplate(["cat"])).task is not None


def test_the_longest_argument_is_one_that_linux_takes() -> None:
    """One byte less than what is refused is passed on."""
    command = CommandTemplate(["echo", "{}"])
    assert command.fill("x" * LONGEST_ARGUMENT)[0][1] == "x" * LONGEST_ARGUMENT


def test_bytes_that_are_no_text_fit_into_arguments_only() -> None:
    """A file name of any bytes reaches argv as it is; as a prompt it is a problem that says so."""
    job = job_of(b"caf\xe9", command=CommandTemplate(["cat", "{}"]))
    assert job.task is not None
    assert job.task.command == ("cat", "caf\udce9")
    assert "no UTF-8" in job_of(b"caf\xe9").problems[0]
    assert "no UTF-8" in job_of(b'{"prompt": "\\ud800"}', jsonl=True).problems[0]


@given(
    st.lists(st.binary(max_size=8).filter(lambda data: not {10, 13} & {*data})),
    st.lists(st.integers(0, 100)),
)
def test_records_do_not_depend_on_the_borders_of_chunks(
    pieces: list[bytes], cuts: list[int]
) -> None:
    """However the bytes come, each line that is not blank is one record with its true number."""
    data = b"\n".join(pieces)
    borders = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[a:b] for a, b in pairwise(borders)]
    lines = [
        piece.removeprefix(b"\xef\xbb\xbf" if n == 1 else b"") for n, piece in enumerate(pieces, 1)
    ]
    assert records(chunks) == [
        (f"line {n}", line) for n, line in enumerate(lines, 1) if line.strip()
    ]


def test_lines_lose_their_ends_and_null_records_lose_nothing() -> None:
    """CR LF ends a line and a byte order mark is none of it; between NUL bytes all is data."""
    assert records([b"\xef\xbb\xbfa\r\n\n b"]) == [("line 1", b"a"), ("line 3", b" b")]
    assert records([b"a\r\nb\0c\0"], null=True) == [("record 1", b"a\r\nb"), ("record 2", b"c")]


def test_a_record_without_an_end_is_refused() -> None:
    """What is no list of inputs does not fill the memory."""
    splitter = Splitter("big")
    assert not list(splitter.feed(b"x" * LONGEST_RECORD))
    with pytest.raises(RecordTooLongError, match="big:1: more than"):
        list(splitter.feed(b"x"))


def test_an_object_wins_over_the_options() -> None:
    """Every member that is known reaches the task."""
    job = object_of(
        prompt="p", id=7, agent="a", tool="claude", model="m", cwd="/", timeout="2m", env={"A": "b"}
    )
    task = job.task
    assert task is not None
    assert job.id == 7
    assert (task.prompt, task.agent, task.tool, task.model) == ("p", "a", "claude", "m")
    assert (task.cwd, task.timeout, task.env) == ("/", 120.0, {"A": "b"})


def test_an_object_may_bring_its_own_command() -> None:
    """A command needs no prompt, takes `{}` like any other, and has no tool."""
    task = object_of(command=["echo", "{}"], prompt="p").task
    assert task is not None
    assert (task.command, task.prompt, task.tool) == (("echo", "p"), "", None)
    assert object_of(command=["true"]).task is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "is no JSON: Expecting value at character 1"),
        ("[" * 100_000, "is no JSON"),
        ('["a"]', "is no object"),
        ("{}", 'has no "prompt"'),
        ('{"prompt": 3}', '"prompt" must be text'),
        ('{"prompt": "a", "modle": "m"}', 'an unknown member "modle". Did you mean "model"?'),
        ('{"prompt": "a", "tool": "clade"}', 'unknown tool "clade". Did you mean "claude"?'),
        ('{"prompt": "a", "timeout": "soon"}', '"timeout": "soon" is no duration'),
        ('{"prompt": "a", "timeout": true}', '"timeout" must be seconds or'),
        ('{"prompt": "a", "timeout": -1}', "must be more than 0 seconds"),
        ('{"command": []}', '"command" must be a list of words'),
        ('{"command": ["a", 1]}', '"command" must be a list of words'),
        ('{"prompt": "a", "env": {"A": 1}}', '"env" must be an object of texts'),
    ],
)
def test_a_bad_object_is_told_by_what_is_wrong_with_it(text: str, said: str) -> None:
    """Each mistake has words of its own, with the name that was probably meant."""
    job = job_of(text, jsonl=True)
    assert job.task is None
    assert said in "; ".join(job.problems)


def test_every_mistake_of_an_object_is_told() -> None:
    """Two mistakes are two problems."""
    assert len(object_of(promt="a", timeout=0).problems) == 3


def test_programs_are_tried_once_and_agents_as_their_policy_says() -> None:
    """Retries are for agents, unless they are asked for."""

    def attempts(job: Job) -> int:
        assert job.task is not None
        return named_policy(job.task.policy).retry.attempts

    assert attempts(job_of("a")) == PRESETS["default"].retry.attempts
    assert attempts(job_of("a", command=CommandTemplate(["cat"]))) == 1
    assert attempts(job_of("a", retries=4)) == 5
    assert attempts(job_of("a", command=CommandTemplate(["cat"]), retries=4)) == 5


def test_a_timeout_is_obeyed_and_a_named_policy_bounds_it() -> None:
    """Without a preset the timeout is the whole time; with one it cannot exceed the preset's."""
    free, bound = job_of("a", timeout=1000.0).task, job_of("a").task
    assert free is not None
    assert bound is not None
    assert (free.timeout, named_policy(free.policy).max_timeout) == (1000.0, 1000.0)
    assert (bound.timeout, named_policy(bound.policy).max_timeout) == (300.0, 300.0)
    production = job_of("a", policy=PRESETS["production"], is_preset=True, timeout=1000.0).task
    assert production is not None
    assert named_policy(production.policy).max_timeout == 600.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("0.5", 0.5)]
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    """Bare numbers are seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "nan", "inf", "1x", "m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Zero, negative and endless times are none."""
    with pytest.raises(ValueError, match=r"no duration|more than 0"):
        parse_duration(text)


def test_durations_are_shown_no_finer_than_they_are() -> None:
    """A clock counts seconds; a guess says that it is one."""
    assert [format_duration(each) for each in (0, 62.9, 3723)] == ["0:00", "1:02", "1:02:03"]
    guesses = [about(each) for each in (1, 42, 100, 3600, 7300)]
    assert guesses == ["about 5 s", "about 40 s", "about 2 min", "about 60 min", "about 2 h"]
