"""The live table as lines: fitted to a screen's width and height; pure.

    aurora-soar auth-rewrite            2/6 done · 1 failed · 4:12 · $1.84 of $12.00
      SUBGOAL   AGENT      TRY   TIME    COST  LAST LINE
    ✕ tests     tests      1/1   0:44       –  exit 2
    ◷ claude    parked: 429; resumes 14:32:05 (in 4:48); 1 held
    ✕ coder-b   circuit open (2 failures); probe 14:29:10
    ✓ survey    architect  1/3   1:02   $0.21  wrote survey.md
    ● api       coder      1/3   0:39   $0.42  editing src/auth/tokens.py
    · verify    tests        –      –       –  needs api
    running 1/4 · waiting 1         no finish estimate yet (2 of 5 durations)

Failed rows come first, then what holds others up. If all rows fit, the others keep the order of the
plan, and lines to spare show what the running agents said last. If not, those that something
happens to come first: slow ones, then the oldest before the younger; the footer counts the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from rich.cells import cell_len
from rich.text import Text

from aurora_soar.views.board import Board, Row, State
from aurora_soar.views.columns import Cells, Columns, fitted
from aurora_soar.views.estimate import slow_rows
from aurora_soar.views.theme import (
    STYLES,
    Glyphs,
    changed_words,
    circuit_words,
    first_line,
    money,
    spent_words,
)
from aurora_spawner import format_duration, safe_line

__all__ = ["frame"]

# Header, titles and footer.
_FURNITURE = 3

# Agents whose last words fill the lines that are to spare, and lines for each.
_TAILS = 3
_TAIL_LINES = 6

_FAILURES = (State.FAILED, State.BLOCKED, State.UNFINISHED)
# Which rows are worth a line when there are too few: failures, then what is going on. Slow ones
# come before all else that goes on.
_SLOW = 1
_RANKS = {
    **dict.fromkeys(_FAILURES, 0),
    State.RETRYING: 2,
    State.FALLBACK: 3,
    State.RUNNING: 3,
    State.WAITING: 4,
    State.OK: 5,
    State.SKIPPED: 6,
}


def frame(
    board: Board,
    now: float,
    *,
    width: int,
    height: int,
    glyphs: Glyphs,
    when: Callable[[float], str] = format_duration,
    forecast: str = "",
) -> list[Text]:
    """The whole table, at most `height` lines of at most `width` cells.

    Args:
        board: The run.
        now: Seconds, on the board's clock.
        width: Cells of a line.
        height: Lines.
        glyphs: What lines are made of.
        when: The time of day of a moment on the board's clock.
        forecast: What there is to say about the end.
    """
    columns = Columns.of(board, width)
    room = max(height - _FURNITURE, 0)
    notices = _notices(board, now, columns, width, glyphs, when)[: max(room // 3, 1)]
    slow = slow_rows(board, now)
    shown = _chosen(board.rows, slow, max(room - len(notices), 0))
    failures = sum(row.state in _FAILURES for row in shown)
    rows = [_line(board, row, now, columns, slow, glyphs) for row in shown]
    body = [*rows[:failures], *notices, *rows[failures:]]
    hidden = len(board.rows) - len(shown)
    lines = [
        _header(board, now, width, glyphs),
        _titles(columns, glyphs),
        *body,
        *_tails(board.rows, room - len(body), columns, width, glyphs),
        _footer(board, hidden, forecast, width, glyphs),
    ]
    for line in lines:
        # On a screen narrower than the columns without their words.
        line.truncate(width, overflow="crop")
    # On a screen of two lines, the header and the footer say most.
    return lines if height >= len(lines) else [lines[0], lines[-1]][:height]


def _chosen(rows: Sequence[Row], slow: AbstractSet[str], room: int) -> list[Row]:
    """The rows that are shown, failures first."""
    if len(rows) <= room:
        return sorted(rows, key=lambda row: row.state not in _FAILURES)
    ranked = sorted(
        rows,
        key=lambda row: (_SLOW if row.id in slow else _RANKS[row.state], row.started or 0.0),
    )
    failures = [row for row in ranked if row.state in _FAILURES]
    under_way = sum(row.is_under_way for row in rows)
    # However many failed, half of the lines are left for what is going on.
    pinned = failures[: max(room - under_way, room // 2)]
    return [*pinned, *ranked[len(failures) :]][:room]


def _notices(
    board: Board,
    now: float,
    columns: Columns,
    width: int,
    glyphs: Glyphs,
    when: Callable[[float], str],
) -> list[Text]:
    """What holds others up: parked tools, open circuits."""
    said = []
    for tool, (until, reason) in board.parked.items():
        left = format_duration(max(until - now, 0))
        words = f"parked: {first_line(reason)}; resumes {when(until)} (in {left})"
        words += f"; {held} held" if (held := board.held(tool)) else ""
        said.append((glyphs.parked, tool, words, "yellow"))
    for agent, (told, circuit) in board.circuits.items():
        words = f"circuit {circuit_words(circuit)}"
        if circuit.retry_in is not None:
            words += f"; probe {when(told + circuit.retry_in)}"
        is_open = circuit.state == "open"
        glyph = glyphs.states[State.BLOCKED if is_open else State.RETRYING]
        said.append((glyph, agent, words, "red" if is_open else "yellow"))
    return [
        columns.wide_line(glyph, safe_line(name), words, style, width, glyphs)
        for glyph, name, words, style in said
    ]


def _titles(columns: Columns, glyphs: Glyphs) -> Text:
    titles = Cells(" ", "SUBGOAL", "AGENT", "TRY", "TIME", "COST", "LAST LINE")
    line = columns.line(titles, "", glyphs)
    line.stylize("dim")
    return line


def _line(
    board: Board, row: Row, now: float, columns: Columns, slow: AbstractSet[str], glyphs: Glyphs
) -> Text:
    seconds, cost = row.seconds(now), row.spent.usd
    said = _said(board, row, now)
    cells = Cells(
        glyphs.states[row.state],
        safe_line(row.id),
        safe_line(row.agent),
        f"{row.attempt}/{row.attempts}" if row.attempt else glyphs.dash,
        glyphs.dash if seconds is None else format_duration(seconds),
        glyphs.dash if cost is None else money(cost),
        f"slow: {said}" if row.id in slow else said,
    )
    return columns.line(cells, STYLES[row.state], glyphs)


def _said(board: Board, row: Row, now: float) -> str:
    match row.state:
        case State.WAITING:
            unmet = ", ".join(map(safe_line, board.unmet(row)))
            if row.tool in board.parked and not unmet:
                return f"held: {safe_line(row.tool or '')} is parked"
            return f"needs {unmet}" if unmet else "waits for a slot"
        case State.RUNNING:
            return first_line(row.last_line)
        case State.RETRYING:
            left = format_duration(max(row.retry_at - now, 0))
            return f"retry in {left}: {first_line(row.reason)}"
        case State.FALLBACK:
            return f"fallback: {first_line(row.last_line or row.reason)}"
        case State.OK:
            by = "kept" if row.is_kept else "by fallback" if row.is_fallback else ""
            parts = (by, changed_words(row.changed), first_line(row.last_line))
            return ": ".join(filter(None, parts))
        case _:
            return first_line(row.output.error if row.output else "")


def _tails(
    rows: Sequence[Row], room: int, columns: Columns, width: int, glyphs: Glyphs
) -> list[Text]:
    """What the oldest running agents said before their last line, on lines to spare."""
    # The last line of each stands in its row already.
    talking = [row for row in rows if row.is_under_way and len(row.recent) > 1]
    talking = sorted(talking, key=lambda row: row.started or 0.0)[:_TAILS]
    # Two lines for each are the least that tells more than its row does.
    talking = talking[: max((room - 1) // 2, 0)]
    if not talking:
        return []
    share = min((room - 1) // len(talking), _TAIL_LINES)
    lines = [Text("")]
    for row in talking:
        for number, said in enumerate(list(row.recent)[-share:]):
            name = safe_line(row.id) if number == 0 else ""
            line = columns.wide_line(" ", name, first_line(said), "dim", width, glyphs)
            line.stylize("dim")
            lines.append(line)
    return lines


def _header(board: Board, now: float, width: int, glyphs: Glyphs) -> Text:
    totals = board.totals()
    failed = totals.failed + totals.blocked + totals.unfinished
    parts = (
        f"{totals.done}/{len(board.rows)} done",
        f"{failed} failed",
        format_duration(now - board.started),
        spent_words(board.spent(), board.budget_usd),
    )
    right = f" {glyphs.dot} ".join(filter(None, parts))
    left = fitted(f"aurora-soar {safe_line(board.name)}", width - cell_len(right) - 2, glyphs)
    return Text(fitted(f"{left}  {right}", width, glyphs), style="bold", no_wrap=True)


def _footer(board: Board, hidden: int, forecast: str, width: int, glyphs: Glyphs) -> Text:
    totals = board.totals()
    parts = [f"running {totals.running}/{board.limit}"]
    counts = {"retry": totals.retrying, "waiting": totals.waiting, "not shown": hidden}
    parts += [f"{word} {count}" for word, count in counts.items() if count]
    text = fitted(f" {glyphs.dot} ".join(parts), width, glyphs).rstrip()
    room = width - cell_len(text) - 2
    if forecast and room >= cell_len(forecast):
        text += f"  {forecast:>{room}}"
    return Text(text, style="dim", no_wrap=True)
