"""A real Chromium, and pages for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from aurora_soar import (
    AgentOutput,
    BudgetWarned,
    CircuitChanged,
    Outcome,
    RunEvent,
    SubgoalEvent,
    SubgoalFinished,
    SubgoalStarted,
    ToolParked,
    ToolResumed,
)
from aurora_soar.views import Board, Row, Timeline, page, record
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    Event,
    FallbackStarted,
    RetryScheduled,
    SpawnResult,
)

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Nothing of it phones home, and none of its services is started.
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Playwright's loop runs in this thread as long as the browser does: nobody else's tests could use
# asyncio meanwhile. A module's tests run one after the other, and then the browser is closed.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, headless, with a profile of its own."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium on PATH; looked for {', '.join(NAMES)}")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=list(SWITCHES))
        yield chromium
        chromium.close()


class Story:
    """A run told by hand: seconds from its start, and what happens then."""

    def __init__(self, *rows: Row) -> None:
        self.board = Board("auth-rewrite", rows, limit=4, started=0.0, budget_usd=12.0)
        self.timeline = Timeline(self.board.rows, 0.0)
        self._places = {row.id: position for position, row in enumerate(rows)}
        self._now = 0.0

    def at(self, now: float, *events: RunEvent) -> None:
        self._now = now
        for event in events:
            self.board.apply(event, now)
            self.timeline.apply(event, now)

    def hear(self, now: float, name: str, *events: Event) -> None:
        self.at(now, *(SubgoalEvent(self._places[name], event) for event in events))

    def start(self, now: float, name: str) -> None:
        self.at(now, SubgoalStarted(self._places[name]))
        self.hear(now, name, AttemptStarted(1, 3))

    def attempt(self, now: float, name: str, attempt: int, **result: Any) -> None:
        told = {"success": False, "output": "", "error": "exit 1", "exit_code": 1, "tool": "claude"}
        self.board.rows[self._places[name]].log = f".aurora/runs/k3f9/{name}/{attempt}/stderr.log"
        self.hear(now, name, AttemptFinished(attempt, 3, SpawnResult(**(told | result))))

    def end(self, now: float, name: str, outcome: Outcome, error: str | None = None) -> None:
        position = self._places[name]
        said = f"The answer of {name}.\n" * 40
        answer = SpawnResult(error is None, said if error is None else "", error, 0)
        agent = self.board.rows[position].agent
        output = AgentOutput(position, agent, outcome, answer.output, error, answer)
        self.at(now, SubgoalFinished(position, output))

    def page(self) -> str:
        return page(
            record(
                self.board,
                run="k3f9",
                plan="plan.toml",
                started=datetime(2026, 1, 1, 14, 3, 9, tzinfo=UTC),
                seconds=self._now,
                exit_code=1,
                timeline=self.timeline,
                about={
                    "command": "aurora-soar run plan.toml --html page.html",
                    "plan_text": 'name = "auth-rewrite"\n',
                    "environment": {"python": "3.11.7"},
                },
            )
        )


@pytest.fixture(scope="session")
def full_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run in which everything happens that a page can show."""
    story = Story(
        Row("survey", "architect", tool="claude"),
        Row("api", "coder", ("survey",), tool="claude"),
        Row("docs", "writer", tool="claude"),
        Row("web", "coder-b", ("survey",), tool="codex"),
        Row("lint", "linter", tool="command"),
        Row("verify", "tests", ("api", "web"), tool="command"),
        Row("notes", "writer", ("lint",), tool="claude"),
        Row("blocked", "coder-b", tool="codex"),
    )
    for name in ("survey", "docs"):
        story.start(0, name)
    story.start(1, "lint")
    story.attempt(20, "lint", 1, stderr="src/a.py:3: <unused>\n" * 50, tool="command")
    story.end(20, "lint", Outcome.FAILED, "exit 2: 50 problems")
    story.end(20, "notes", Outcome.SKIPPED, "needs lint")
    story.attempt(40, "docs", 1, cost_usd=0.17, tokens_in=900, tokens_out=20)
    story.hear(40, "docs", RetryScheduled(1, 2, 30, "exit 1"))
    story.attempt(62, "survey", 1, success=True, error=None, exit_code=0, cost_usd=0.21)
    story.end(62, "survey", Outcome.OK)
    story.start(62, "api")
    story.start(62, "web")
    story.hear(70, "docs", AttemptStarted(2, 3))
    story.attempt(90, "web", 1, tool="codex")
    story.at(90, CircuitChanged("coder-b", "open", 2, 120))
    story.end(90, "blocked", Outcome.BLOCKED, "Circuit breaker open: 2 failures")
    story.hear(90, "web", FallbackStarted("exit 1", "coder"), AttemptStarted(1, 3))
    story.attempt(101, "docs", 2, success=True, error=None, exit_code=0, model="opus")
    story.end(101, "docs", Outcome.OK)
    story.attempt(150, "api", 1, error="429")
    story.at(150, ToolParked("claude", 400, "429: usage limit"))
    story.hear(150, "api", RetryScheduled(1, 2, 400, "429"))
    story.attempt(160, "web", 1, success=True, error=None, exit_code=0)
    story.end(160, "web", Outcome.OK)
    story.at(560, ToolResumed("claude"), CircuitChanged("coder-b", "half_open", 2))
    story.hear(561, "api", AttemptStarted(2, 3))
    story.at(600, BudgetWarned(9.6, 12.0, "USD"))
    story.attempt(640, "api", 2, success=True, error=None, exit_code=0, cost_usd=0.8)
    story.end(640, "api", Outcome.OK)
    story.start(640, "verify")
    story.end(684, "verify", Outcome.UNFINISHED, "ended by SIGINT")
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(story.page(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of five hundred subgoals in a hundred layers, every seventh of them failed."""
    rows = [
        Row(f"subgoal-{number}", "agent", (f"subgoal-{number - 5}",) if number >= 5 else ())
        for number in range(500)
    ]
    story = Story(*rows)
    for number, row in enumerate(rows):
        story.start(number, row.id)
        is_ok = number % 7 != 3
        error = None if is_ok else "exit 1"
        story.attempt(number + 1, row.id, 1, success=is_ok, error=error, stderr="why\n")
        story.end(number + 1, row.id, Outcome.OK if is_ok else Outcome.FAILED, error)
    path = tmp_path_factory.mktemp("page") / "large.html"
    path.write_text(story.page(), encoding="utf-8")
    return path
