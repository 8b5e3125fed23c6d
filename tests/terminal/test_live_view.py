"""The live view in a real terminal, large and small, and while its size changes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Terminal = Any

HEADER = re.compile(r"aurora-soar.* \d+/\d+ done · \d+ failed · \d+:\d\d$")


def write_plan(folder: Path, *, failing: int, running: int, waiting: int) -> str:
    """A plan whose agents fail at once, run until told otherwise, or wait for those."""
    # Whoever is forgotten by a broken run goes with its folder.
    wait = "until test -e go; do sleep 0.1 < plan.json || exit 1; done"
    talk = f"for n in 1 2 3 4; do echo word $n of $$; done; {wait}; echo at last"
    bad = ["sh", "-c", "echo broken >&2; exit 3"]
    subgoals = [
        # Each an agent of its own: together they would open a circuit.
        *({"id": f"bad-{n}"} for n in range(failing)),
        *({"id": f"run-{n}", "agent": "patient"} for n in range(running)),
        *({"id": f"wait-{n}", "agent": "patient", "depends_on": ["run-0"]} for n in range(waiting)),
    ]
    plan = {
        "name": "terminal",
        "limits": {"max_concurrent": failing + running + 1},
        "defaults": {"retries": 0},
        "agents": {
            **{f"bad-{n}": {"command": bad} for n in range(failing)},
            "patient": {"command": ["sh", "-c", talk]},
        },
        "subgoals": subgoals,
    }
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return "plan.json"


def is_whole(lines: list[str], width: int, height: int) -> bool:
    """Whether the screen holds one table, header to footer, and nothing else."""
    return (
        len(lines) <= height
        and all(len(line) < width for line in lines)
        and bool(HEADER.match(lines[0]))
        and sum(line.startswith("aurora-soar") for line in lines) == 1
        and lines[-1].startswith("running ")
        and sum(line.startswith("running ") for line in lines) == 1
    )


def test_two_hundred_subgoals_on_a_small_screen(terminal: Terminal) -> None:
    """At 80x24 failures stand on top, running ones below, and the footer counts the rest."""
    plan = write_plan(terminal.folder, failing=5, running=7, waiting=188)
    terminal.start("run", plan, width=80, height=24)
    lines = terminal.wait_for(
        lambda lines: is_whole(lines, 80, 24) and "5 failed" in lines[0] and "word" in lines[13]
    )
    named = [line.split()[1] for line in lines[2:14]]
    assert sorted(named[:5]) == [f"bad-{n}" for n in range(5)]
    assert sorted(named[5:]) == [f"run-{n}" for n in range(7)]
    assert "exit 3: broken" in lines[2]
    assert re.fullmatch(r"running 7/13 · waiting 188 · not shown \d+  +done in about .*", lines[-1])
    (terminal.folder / "go").touch()
    lines = terminal.wait_for(lambda lines: lines[-1] == "code 1")
    assert "195 ok, 5 failed" in "\n".join(lines)


def test_a_changing_size_leaves_nothing_behind(terminal: Terminal) -> None:
    """Through 200x50, 60x15 and 80x24 there is one table, fitted, and no row of an older one."""
    plan = write_plan(terminal.folder, failing=1, running=4, waiting=30)
    terminal.start("run", plan, width=200, height=50, before="echo before")
    lines = terminal.wait_for(lambda lines: lines[-1].startswith("running 4/6"))
    # What stood there before is left alone, until the first change of size.
    assert lines[0] == "before"
    assert len([line for line in lines if "needs run-0" in line]) == 30, "\n".join(lines)
    # Lines to spare show what the agents said last.
    tails = [line.split() for line in lines if re.match(r" {2,}(run-\d )? *word", line)]
    assert len(tails) >= 4
    for width, height in ((60, 15), (200, 50), (80, 24), (60, 15)):
        terminal.resize(width, height)
        lines = terminal.wait_for(lambda lines: is_whole(lines, width, height))  # noqa: B023
        shown = [line.split()[1] for line in lines[2:-1] if re.match(r"[✕●·] ", line)]
        assert shown[0] == "bad-0"
        assert len(set(shown)) == len(shown)
        assert ("AGENT" in lines[1]) == (width - 1 >= 60)
        assert len(shown) == min(35, height - 4)
    terminal.press("C-c")
    (terminal.folder / "go").touch()
    terminal.wait_for(lambda lines: lines[-1] == "code 130")


def test_colours_are_left_out_where_they_are_not_wanted(terminal: Terminal) -> None:
    """The table is coloured on a terminal; NO_COLOR leaves glyphs and words, TERM=dumb lines."""
    plan = write_plan(terminal.folder, failing=1, running=0, waiting=0)
    for before, coloured in (("true", True), ("export NO_COLOR=1", False)):
        terminal.start("run", plan, width=80, height=24, before=before)
        lines = terminal.wait_for(lambda lines: lines[-1] == "code 1")
        assert any(line.startswith("✕ bad-0") for line in lines)
        # What is bold or dim is no colour.
        shown = "\n".join(terminal.screen(colours=True))
        assert bool(re.search(r"\x1b\[[\d;]*3[1-6]", shown)) == coloured
        terminal.close()
    terminal.start("run", plan, width=80, height=24, before="export TERM=dumb")
    lines = terminal.wait_for(lambda lines: lines[-1] == "code 1")
    assert re.match(r"\d\d:\d\d:\d\d      START  bad-0  bad-0", lines[0])
    assert not any(line.startswith("aurora-soar") for line in lines)


def test_a_terminal_that_is_closed_takes_its_agents_along(terminal: Terminal) -> None:
    """F27: where the command is all that runs in a terminal, closing that ends every agent."""
    plan = write_plan(terminal.folder, failing=0, running=2, waiting=0)
    terminal.start("run", plan, width=80, height=24, alone=True)
    rows = re.compile(r"● .* word 4 of (\d+)")
    lines = terminal.wait_for(lambda lines: sum(map(bool, map(rows.match, lines))) == 2)
    pids = [int(found[1]) for found in map(rows.match, lines) if found]
    terminal.close()
    terminal.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    # The agents go first.
    terminal.wait_until(lambda: list(terminal.folder.glob(".aurora/runs/*/results.json")))
    (results,) = terminal.folder.glob(".aurora/runs/*/results.json")
    assert json.loads(results.read_text())["exit_code"] == 129
