"""The pure parts that show: lines of results, their order, counts, names, the bar."""

from __future__ import annotations

import json
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner.cli.folder import ResultsFolder, folder_name
from aurora_spawner.cli.jobs import Job
from aurora_spawner.cli.results import InOrder, result_line
from aurora_spawner.cli.tally import Tally
from aurora_spawner.cli.views import dot_for
from aurora_spawner.cli.words import failure, summary
from aurora_spawner.failures import FailureType
from aurora_spawner.models import SpawnResult, SpawnTask


def a_job(index: int = 0, name: str | None = None, text: str = "a.py") -> Job:
    return Job(index, "line 1", name, text, SpawnTask(text))


def answer(text: str) -> SpawnResult:
    return SpawnResult(success=True, output=text, error=None, exit_code=0)


@given(st.text(st.characters(exclude_categories=())))
def test_a_result_line_is_harmless_and_loses_nothing(text: str) -> None:
    """F9: whatever an agent says is one line without control or format characters, and whoever
    parses it gets back what was said."""
    line = result_line(a_job(), answer(text))
    shown = line.decode()
    assert json.loads(shown)["output"] == text
    assert shown.endswith("\n")
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {category(each) for each in shown[:-1]}


def test_a_result_line_has_the_documented_fields() -> None:
    """Version 1: these names, in this order; only added to."""
    line = result_line(a_job(3, "x"), SpawnResult.failed("no", FailureType.TIMEOUT), kept=True)
    assert json.loads(line) == {
        "v": 1,
        "index": 3,
        "id": "x",
        "input": "a.py",
        "success": False,
        "output": "",
        "error": "no",
        "failure_type": "timeout",
        "exit_code": -1,
        "tool": None,
        "retries": 0,
        "duration_ms": 0,
        "stderr": "",
        "dropped_bytes": 0,
        "warnings": [],
        "leftovers": [],
        "kept": True,
        "cost_usd": None,
        "tokens_in": None,
        "tokens_out": None,
        "session_id": None,
        "model": None,
        "tool_version": None,
    }


@given(st.permutations(range(12)))
def test_lines_come_out_in_order_and_as_early_as_possible(order: list[int]) -> None:
    """After each arrival everything up to the first missing index is out, and nothing else."""
    buffer, out = InOrder(), []
    for count, index in enumerate(order, 1):
        out += buffer.add(index, b"%d" % index)
        arrived = {*order[:count]}
        first_missing = next(n for n in range(13) if n not in arrived)
        assert out == [b"%d" % n for n in range(first_missing)]
    assert buffer.held == 0


def test_what_waits_for_a_line_that_never_comes_is_not_lost() -> None:
    """At the end the rest comes out in order."""
    buffer = InOrder()
    assert list(buffer.add(2, b"c")) == []
    assert list(buffer.add(1, b"b")) == []
    assert buffer.held == 2
    assert list(buffer.rest()) == [b"b", b"c"]
    assert buffer.held == 0


def test_time_left_is_guessed_from_five_durations_on() -> None:
    """No guess from less, and none where nobody knows how much there is."""
    tally, endless = Tally(2, 10, 0.0), Tally(2, None, 0.0)
    for index in range(5):
        assert tally.left(10.0) is None
        for each in (tally, endless):
            each.started(index, index * 2.0)
            each.ended(index, index * 2.0 + 2.0)
            each.count(success=True)
    # Five left, two seconds each, two at once.
    assert tally.left(10.0) == 5.0
    assert endless.left(10.0) is None


def test_a_run_that_hangs_makes_the_guess_longer() -> None:
    """Those that still run count with what they have taken so far."""
    tally = Tally(1, 6, 0.0)
    for index in range(5):
        tally.started(index, 0.0)
        tally.ended(index, 1.0)
        tally.count(success=True)
    tally.started(5, 1.0)
    assert tally.left(2.0) == pytest.approx(6 / 5)
    assert tally.left(101.0) == pytest.approx(105 / 5)


def test_the_summary_counts_everybody_once() -> None:
    """What has a result, what was ended and what never started adds up to the input."""
    tally = Tally(2, 9, 0.0)
    tally.count(success=True, flaky=True)
    tally.count(success=True, kept=True)
    tally.count(success=False)
    tally.started(3, 0.0)
    assert summary(tally, 62.0, "|") == (
        "2 ok, 1 failed, 1 ended by us, 5 not started (1 flaky, 1 kept) | 1:02"
    )


def test_what_an_agent_says_is_shown_on_one_safe_line() -> None:
    """F9, F10: escape sequences become visible, a rewritten line shows its last state."""
    result = SpawnResult.failed("10%\r20%\rout of \x1b[31mmemory\u202e\nmore")
    assert failure(a_job(4, None, "\n a\x07b"), result) == (
        "#4 a\\x07b: out of \\x1b[31mmemory\\u202e"
    )


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        (None, "7"),
        ("a.py", "7-a.py"),
        ("../../etc/passwd", "7-..-..-etc-passwd"),
        ("a\nb\0c", "7-a-b-c"),
        ("é" * 300, "7"),
        ("x" * 300, "7-" + "x" * 60),
        ("-rf", "7-rf"),
    ],
)
def test_a_hostile_id_stays_inside_the_results(
    name: str | None, folder: str, tmp_path: Path
) -> None:
    """F61: every id gives a safe folder name of its own, one level below the results."""
    job = a_job(7, name)
    assert folder_name(job) == folder
    ResultsFolder(str(tmp_path / "r")).write(job, answer("x"))
    assert (tmp_path / "r" / folder / "output").read_text() == "x"


def test_results_are_for_nobody_else_and_follow_no_link(tmp_path: Path) -> None:
    """F68: folders 0700, files 0600, and a link in the place of a file is not written through."""
    results = ResultsFolder(str(tmp_path / "r"))
    results.write(a_job(), answer("x"))
    modes = [oct(path.stat().st_mode)[-3:] for path in sorted((tmp_path / "r").rglob("*"))]
    assert modes == ["700", "600"]
    (tmp_path / "r" / "0" / "output").unlink()
    (tmp_path / "r" / "0" / "output").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic"):
        results.write(a_job(), answer("x"))
    assert not (tmp_path / "victim").exists()


def test_separators_fit_the_encoding() -> None:
    """Where the dot cannot be written there is a bar."""
    assert [dot_for(each) for each in ("utf-8", "ascii", None)] == ["·", "|", "|"]


@pytest.mark.parametrize("width", [20, 30, 60, 80, 200])
@pytest.mark.parametrize("total", [None, 0, 48, 100_000])
def test_the_bar_fits_its_terminal(width: int, total: int | None) -> None:
    """Whatever the width, one line that leaves the last column free, and says how far it is."""
    pytest.importorskip("rich")
    from aurora_spawner.cli.bar import BarView

    tally = Tally(5, total, 0.0)
    for index in range(12 if total != 0 else 0):
        tally.started(index, float(index))
        tally.ended(index, index + 1.5)
        tally.count(success=index % 3 > 0)
    view = BarView(tally, lambda: 30.0, "·", force=True)
    view._console.width = width
    line = view._line()
    assert line.cell_len < width
    assert line.plain.startswith(f"{tally.done}{'' if total is None else f'/{total}'}")
