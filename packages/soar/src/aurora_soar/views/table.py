"""The live table as lines: fitted to a screen's width and height; pure.

    aurora-soar auth-rewrite            2/6 done · 0 failed · 4:12
      SUBGOAL   AGENT      TRY   TIME  LAST LINE
    ✕ tests     tests      1/1   0:44  exit 2
    ✓ survey    architect  1/3   1:02  wrote survey.md
    ● api       coder      1/3   0:39  editing src/auth/tokens.py
    · verify    tests        –      –  needs api
    running 1/4 · waiting 1

Failed rows come first. If all rows fit, the others keep the order of the plan. If not, those that
something happens to come first, the oldest before the younger, and the footer counts the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from aurora_soar.views.board import Board, Row, State
from aurora_soar.views.theme import STYLES, Glyphs, first_line
from aurora_spawner import format_duration, safe_line

__all__ = ["frame"]

# Header, titles and footer.
_FURNITURE = 3
_TRY = 5
_TIME = 7

# Narrower than this, the agent's column would leave no room for what is said.
_WIDTH_WITH_AGENT = 60

_FAILURES = (State.FAILED, State.BLOCKED, State.UNFINISHED)
# Which rows are worth a line when there are too few: failures, then what is going on.
_RANKS = {
    **dict.fromkeys(_FAILURES, 0),
    State.RETRYING: 1,
    State.FALLBACK: 2,
    State.RUNNING: 2,
    State.WAITING: 3,
    State.OK: 4,
    State.SKIPPED: 5,
}


def frame(board: Board, now: float, *, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    """The whole table, at most `height` lines of at most `width` cells."""
    shown = _chosen(board.rows, max(height - _FURNITURE, 0))
    columns = _Columns.fitted(board.rows, width)
    lines = [
        _header(board, now, width, glyphs),
        _titles(columns, glyphs),
        *(_line(board, row, now, columns, glyphs) for row in shown),
        _footer(board, len(board.rows) - len(shown), width, glyphs),
    ]
    for line in lines:
        # On a screen narrower than the columns without their words.
        line.truncate(width, overflow="crop")
    # On a screen of two lines, the header and the footer say most.
    return lines if height >= len(lines) else [lines[0], lines[-1]][:height]


def _chosen(rows: Sequence[Row], room: int) -> list[Row]:
    """The rows that are shown, in their order."""
    if len(rows) <= room:
        return sorted(rows, key=lambda row: row.state not in _FAILURES)
    ranked = sorted(rows, key=lambda row: (_RANKS[row.state], row.started or 0.0))
    failures = [row for row in ranked if row.state in _FAILURES]
    under_way = sum(row.is_under_way for row in rows)
    # However many failed, half of the lines are left for what is going on.
    pinned = failures[: max(room - under_way, room // 2)]
    return [*pinned, *ranked[len(failures) :]][:room]


@dataclass(frozen=True, slots=True)
class _Columns:
    """The widths of the columns that differ, in cells; 0 for one that is left out."""

    subgoal: int
    agent: int
    last_line: int

    @classmethod
    def fitted(cls, rows: Sequence[Row], width: int) -> _Columns:
        """As wide as the rows need, and as `width` allows."""
        share = width // 5
        subgoal = _widest("SUBGOAL", [row.id for row in rows], share)
        agent = _widest("AGENT", [row.agent for row in rows], share)
        if width < _WIDTH_WITH_AGENT:
            agent = 0
        fixed = 2 + subgoal + 2 + (agent + 2 if agent else 0) + _TRY + _TIME + 2
        return cls(subgoal, agent, max(width - fixed, 0))


def _widest(title: str, texts: Sequence[str], share: int) -> int:
    widest = max((cell_len(safe_line(text)) for text in texts), default=0)
    return max(min(widest, share), len(title))


def _titles(columns: _Columns, glyphs: Glyphs) -> Text:
    return _joined(columns, glyphs, " ", "SUBGOAL", "AGENT", "TRY", "TIME", "LAST LINE", "dim")


def _line(board: Board, row: Row, now: float, columns: _Columns, glyphs: Glyphs) -> Text:
    seconds = row.seconds(now)
    return _joined(
        columns,
        glyphs,
        glyphs.states[row.state],
        safe_line(row.id),
        safe_line(row.agent),
        f"{row.attempt}/{row.attempts}" if row.attempt else glyphs.dash,
        glyphs.dash if seconds is None else format_duration(seconds),
        _said(board, row, now),
        STYLES[row.state],
    )


def _joined(
    columns: _Columns,
    glyphs: Glyphs,
    glyph: str,
    subgoal: str,
    agent: str,
    attempt: str,
    time: str,
    said: str,
    style: str,
) -> Text:
    cells = [glyph, " ", _fitted(subgoal, columns.subgoal, glyphs), "  "]
    if columns.agent:
        cells += [_fitted(agent, columns.agent, glyphs), "  "]
    cells += [f"{attempt:>{_TRY}}{time:>{_TIME}}  "]
    line = Text("".join(cells), style=style, no_wrap=True)
    # The colour says how the subgoal stands; its words stay readable.
    line.append(_fitted(said, columns.last_line, glyphs).rstrip(), style="")
    return line


def _said(board: Board, row: Row, now: float) -> str:
    match row.state:
        case State.WAITING:
            unmet = ", ".join(map(safe_line, board.unmet(row)))
            return f"needs {unmet}" if unmet else "waits for a slot"
        case State.RUNNING:
            return first_line(row.last_line)
        case State.RETRYING:
            left = format_duration(max(row.retry_at - now, 0))
            return f"retry in {left}: {first_line(row.reason)}"
        case State.FALLBACK:
            return f"fallback: {first_line(row.last_line or row.reason)}"
        case State.OK:
            by = "by fallback: " if row.is_fallback else ""
            return by + first_line(row.last_line)
        case _:
            return first_line(row.output.error if row.output else "")


def _header(board: Board, now: float, width: int, glyphs: Glyphs) -> Text:
    totals = board.totals()
    failed = totals.failed + totals.blocked + totals.unfinished
    parts = (
        f"{totals.done}/{len(board.rows)} done",
        f"{failed} failed",
        format_duration(now - board.started),
    )
    right = f" {glyphs.dot} ".join(parts)
    left = _fitted(f"aurora-soar {safe_line(board.name)}", width - cell_len(right) - 2, glyphs)
    return Text(_fitted(f"{left}  {right}", width, glyphs), style="bold", no_wrap=True)


def _footer(board: Board, hidden: int, width: int, glyphs: Glyphs) -> Text:
    totals = board.totals()
    parts = [f"running {totals.running}/{board.limit}"]
    counts = {"retry": totals.retrying, "waiting": totals.waiting, "not shown": hidden}
    parts += [f"{word} {count}" for word, count in counts.items() if count]
    text = _fitted(f" {glyphs.dot} ".join(parts), width, glyphs).rstrip()
    return Text(text, style="dim", no_wrap=True)


def _fitted(text: str, width: int, glyphs: Glyphs) -> str:
    """Exactly `width` cells: filled up with spaces, or cut, with a mark that says so."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - cell_len(glyphs.ellipsis)) + glyphs.ellipsis
