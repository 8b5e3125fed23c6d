"""Benchmarks beside those of an earlier run: what is compared, and what comes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("compare.py")

Rows = dict[str, dict[str, Any]]

OURS, PEER, OTHER = "aurora", "asyncio", "trio"


def spawning(rows: Rows, **more: Any) -> dict[str, Any]:
    return {
        "python": "3.11.7",
        "quick": True,
        "rows": {"cpu": {"title": "cpu", "figures": rows}},
        **more,
    }


def breaker(rows: Rows) -> dict[str, Any]:
    return {"python": "3.11.7", "quick": True, "figures": rows}


class Bench:
    """A folder of runs and their history."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "history").mkdir()

    def keep(self, record: dict[str, Any], name: str = "spawning") -> None:
        with (self.folder / "history" / f"{name}.jsonl").open("a") as history:
            history.write(json.dumps(record) + "\n")

    def compare(self, *records: dict[str, Any], name: str = "spawning", **env: str) -> Any:
        files = [self.folder / f"{name}-{number}.json" for number in range(len(records))]
        for file, record in zip(files, records, strict=True):
            file.write_text(json.dumps(record))
        environment = {**os.environ, "GITHUB_ACTIONS": "", **env}
        return subprocess.run(
            [sys.executable, SCRIPT, *files, "--history", self.folder / "history"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_slower_machine_is_no_slower_program(bench: Bench) -> None:
    """Where everybody takes ten times as long, nothing has changed."""
    bench.keep(spawning({OURS: {"µs": 10.0}, PEER: {"µs": 30.0}}))
    ended = bench.compare(spawning({OURS: {"µs": 100.0}, PEER: {"µs": 300.0}}))
    assert ended.returncode == 0
    assert ended.stdout == "spawning: 1 figures; the worst is 1.00 times as bad as before\n"


@pytest.mark.parametrize(
    ("figure", "code", "said"),
    [(12.4, 0, ""), (12.6, 0, "warns (above 1.25)  "), (20.1, 1, "FAILS (above 2)  ")],
)
def test_what_got_worse_is_told_and_fails(
    bench: Bench, figure: float, code: int, said: str
) -> None:
    """Above 1.25 times a figure is named, above twice the comparison fails."""
    bench.keep(spawning({OURS: {"µs": 10.0}, PEER: {"µs": 30.0}}))
    ended = bench.compare(spawning({OURS: {"µs": figure}, PEER: {"µs": 30.0}}))
    assert ended.returncode == code
    lines = ended.stdout.splitlines()
    assert len(lines) == (2 if said else 1)
    assert lines[0].startswith(said)
    assert not said or "cpu, aurora, µs:" in lines[0]


def test_github_shows_what_got_worse(bench: Bench) -> None:
    """There the lines are commands of GitHub's."""
    bench.keep(spawning({OURS: {"a": 1.0, "b": 1.0}, PEER: {"a": 1.0, "b": 1.0}}))
    ended = bench.compare(
        spawning({OURS: {"a": 1.5, "b": 3.0}, PEER: {"a": 1.0, "b": 1.0}}), GITHUB_ACTIONS="true"
    )
    assert [line.split("::")[1] for line in ended.stdout.splitlines()[:2]] == ["error", "warning"]


def test_of_a_rate_more_is_better(bench: Bench) -> None:
    """A third of the rate is three times as bad, and three times the rate is fine."""
    bench.keep(breaker({OURS: {"/s, 1 process": 9.0}, PEER: {"/s, 1 process": 9.0}}), "breaker")
    slower = breaker({OURS: {"/s, 1 process": 3.0}, PEER: {"/s, 1 process": 9.0}})
    faster = breaker({OURS: {"/s, 1 process": 27.0}, PEER: {"/s, 1 process": 9.0}})
    assert bench.compare(slower, name="breaker").returncode == 1
    assert bench.compare(faster, name="breaker").returncode == 0


def test_peers_count_that_are_in_both_runs(bench: Bench) -> None:
    """Who came, went, or has a text for a figure changes no ratio; without peers there is none."""
    bench.keep(spawning({OURS: {"µs": 10.0}, PEER: {"µs": 10.0}, OTHER: {"µs": "failed"}}))
    ended = bench.compare(spawning({OURS: {"µs": 10.0}, PEER: {"µs": 10.0}, OTHER: {"µs": 0.1}}))
    assert "1 figures; the worst is 1.00" in ended.stdout
    alone = bench.compare(spawning({OURS: {"µs": 99.0}, OTHER: {"µs": 1.0}}))
    assert "0 figures" in alone.stdout


def test_the_best_of_several_runs_counts(bench: Bench) -> None:
    """A busy moment spoils one run; the figure stands where it came out best."""
    bench.keep(spawning({OURS: {"a": 1.0, "b": 1.0}, PEER: {"a": 1.0, "b": 1.0}}))
    first = spawning({OURS: {"a": 9.0, "b": 1.0}, PEER: {"a": 1.0, "b": 1.0}})
    second = spawning({OURS: {"a": 1.0, "b": 9.0}, PEER: {"a": 1.0, "b": 1.0}})
    assert bench.compare(first).returncode == bench.compare(second).returncode == 1
    assert bench.compare(first, second).returncode == 0


def test_only_the_last_run_of_its_kind_is_compared_with(bench: Bench) -> None:
    """Runs of another size or on another Python say nothing; of the others the last one counts."""
    same = {OURS: {"µs": 10.0}, PEER: {"µs": 10.0}}
    other = {OURS: {"µs": 1.0}, PEER: {"µs": 10.0}}
    bench.keep(spawning(other))
    bench.keep(spawning(same))
    bench.keep(spawning(other, quick=False))
    bench.keep(spawning(other, python="3.13.1"))
    assert "the worst is 1.00" in bench.compare(spawning(same)).stdout
    ended = bench.compare(spawning(same, python="3.12.1"))
    assert ended.returncode == 0
    assert "nothing to compare with" in ended.stdout


@pytest.mark.parametrize("name", ["breaker", "spawning"])
def test_what_is_kept_can_be_compared_with(bench: Bench, name: str) -> None:
    """The last line of each history in the repository is unchanged beside itself."""
    kept = SCRIPT.with_name("history") / f"{name}.jsonl"
    last = json.loads(kept.read_text(encoding="utf-8").splitlines()[-1])
    bench.keep(last, name)
    ended = bench.compare(last, name=name)
    assert "the worst is 1.00" in ended.stdout
    assert int(ended.stdout.split()[1]) >= 10
