"""Circuits that outlive a run."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from aurora_circuit_breaker import CircuitBreaker, StoreDownError, StoreLost
from aurora_soar.agents import AgentInfo
from aurora_soar.circuits import CircuitKey, LocalCircuits, definition_of

HERE = "/repos/here"
THERE = "/repos/there"


def opened(breaker: CircuitBreaker, agent_id: str) -> None:
    breaker.record_failure(agent_id)
    breaker.record_failure(agent_id)
    assert breaker.is_open(agent_id)


def test_a_second_run_knows_what_the_first_one_learned(tmp_path: Path) -> None:
    """Another breaker on the file, as in another process, refuses what the first one opened."""
    opened(LocalCircuits(tmp_path).breaker(HERE, {"coder": "d1"}), "coder")
    second = LocalCircuits(tmp_path).breaker(HERE, {"coder": "d1"})
    assert second.is_open("coder")
    assert second.get_health_status("coder")["agent_id"] == "coder"
    assert list(second.store) == ["coder"]


def test_another_project_and_another_definition_are_untouched(tmp_path: Path) -> None:
    """An agent of the same name elsewhere, or made of something else, begins without a past."""
    circuits = LocalCircuits(tmp_path)
    opened(circuits.breaker(HERE, {"coder": "d1"}), "coder")
    assert not circuits.breaker(THERE, {"coder": "d1"}).is_open("coder")
    assert not circuits.breaker(HERE, {"coder": "d2"}).is_open("coder")
    assert list(circuits.breaker(HERE, {"coder": "d2"}).store) == []


def test_what_an_agent_is() -> None:
    """Persona, settings, tool and model make a definition."""
    coder = AgentInfo("coder", "careful", {"permissions": "read-only"})
    first = definition_of(coder, tool="claude", model=None)
    assert first == definition_of(coder, tool="claude", model=None)
    assert len(first) == 16
    others = {
        definition_of(coder, tool="codex", model=None),
        definition_of(coder, tool="claude", model="large"),
        definition_of(AgentInfo("coder", "hasty", coder.config), tool="claude", model=None),
        definition_of(AgentInfo("coder", "careful"), tool="claude", model=None),
    }
    assert len(others | {first}) == 5


def test_who_is_not_defined_is_known_to_this_run_alone(tmp_path: Path) -> None:
    """Without a definition a circuit ends with its breaker, and stands in no file."""
    circuits = LocalCircuits(tmp_path)
    running = circuits.breaker(HERE, {})
    opened(running, "make")
    assert list(running.store) == ["make"]
    assert circuits.known() == []
    assert not circuits.breaker(HERE, {}).is_open("make")
    circuits.isolate(HERE, "make")
    assert circuits.breaker(HERE, {}).is_open("make")
    assert list(running.store) == ["make"]


def test_a_key_is_read_back_as_it_was_written() -> None:
    """Whatever stands in an id or a path, and nothing else is taken for a key."""
    key = CircuitKey('/a "b"\n', "../x\udcff", "d")
    assert CircuitKey.parse(str(key)) == key
    assert CircuitKey.parse("coder") is None
    assert CircuitKey.parse("[1, 2]") is None
    assert CircuitKey.parse("3") is None


def test_an_isolated_agent_stays_out_whatever_it_is_made_of(tmp_path: Path) -> None:
    """Isolated, also in the middle of a run, nobody in the project runs it until that is undone."""
    circuits = LocalCircuits(tmp_path)
    running = circuits.breaker(HERE, {"coder": "d1"})
    assert not running.is_open("coder")
    LocalCircuits(tmp_path).isolate(HERE, "coder")
    assert running.is_open("coder")
    running.record_success("coder")
    assert running.get_health_status("coder")["state"] == "forced_open"
    assert circuits.breaker(HERE, {"coder": "d2"}).is_open("coder")
    assert not circuits.breaker(THERE, {"coder": "d1"}).is_open("coder")
    (known,) = circuits.known()
    assert (known.key.project, known.key.agent_id, known.is_isolation) == (
        str(HERE),
        "coder",
        True,
    )
    circuits.reset([known.key])
    assert not running.is_open("coder")
    assert circuits.known() == []


def test_what_is_known_is_listed_and_forgotten(tmp_path: Path) -> None:
    """Open circuits and counted failures are listed by project and agent; a reset forgets one."""
    circuits = LocalCircuits(tmp_path)
    opened(circuits.breaker(THERE, {"writer": "d1"}), "writer")
    opened(circuits.breaker(HERE, {"coder": "d1"}), "coder")
    circuits.breaker(HERE, {"coder": "d2"}).record_failure("coder")
    listed = [
        (each.key.project, each.key.agent_id, each.health["state"]) for each in circuits.known()
    ]
    assert listed == [
        (str(HERE), "coder", "open"),
        (str(HERE), "coder", "closed"),
        (str(THERE), "writer", "open"),
    ]
    circuits.reset([circuits.known()[0].key])
    assert [each.health["state"] for each in circuits.known()] == ["closed", "open"]


def test_f68_the_folder_is_the_users_alone(tmp_path: Path) -> None:
    """F68: the folder of the file is made when it is needed, for nobody else to look into."""
    circuits = LocalCircuits(tmp_path / "state" / "aurora")
    assert circuits.known() == []
    assert not circuits.path.parent.exists()
    circuits.breaker(HERE, {}).record_failure("coder")
    assert stat.S_IMODE(circuits.path.parent.stat().st_mode) == 0o700


def test_f52_a_file_that_cannot_be_used_stops_nobody(tmp_path: Path) -> None:
    """F52: the breaker judges by what it sees itself, and tells of the file once."""
    (tmp_path / "state").write_text("no folder")
    events: list[object] = []
    breaker = LocalCircuits(tmp_path / "state").breaker(HERE, {})
    breaker.on_change(lambda event: events.append(event) if isinstance(event, StoreLost) else None)
    opened(breaker, "coder")
    assert len(events) == 1


def test_a_damaged_file_is_told_to_whoever_asks(tmp_path: Path) -> None:
    """To list, reset and isolate, a file that is no database is an error, not an empty list."""
    circuits = LocalCircuits(tmp_path)
    circuits.path.write_text("no database, and long enough to be seen for what it is" * 30)
    for ask in (circuits.known, lambda: circuits.isolate(HERE, "x"), lambda: circuits.reset([])):
        with pytest.raises(StoreDownError, match="not a database"):
            ask()
