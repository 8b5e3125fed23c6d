"""The columns of the live table: their widths, and texts fitted to cells; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from aurora_soar.views.board import Board
from aurora_soar.views.theme import Glyphs
from aurora_spawner import safe_line

__all__ = ["Cells", "Columns", "fitted"]

_TRY = 5
_TIME = 7
_COST = 8

# Narrower than this, these columns would leave no room for what is said.
_WIDTH_WITH_AGENT = 60
_WIDTH_WITH_COST = 50


@dataclass(frozen=True, slots=True)
class Cells:
    """The words of one line, from left to right."""

    glyph: str
    subgoal: str
    agent: str
    attempt: str
    time: str
    cost: str
    said: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The widths of the columns that differ, in cells; 0 for one that is left out."""

    subgoal: int
    agent: int
    cost: int
    last_line: int

    @classmethod
    def of(cls, board: Board, width: int) -> Columns:
        """As wide as the rows need, and as `width` allows."""
        share = width // 5
        names = [row.id for row in board.rows]
        subgoal = _widest("SUBGOAL", [*names, *board.parked, *board.circuits], share)
        agent = _widest("AGENT", [row.agent for row in board.rows], share)
        if width < _WIDTH_WITH_AGENT:
            agent = 0
        has_cost = board.budget_usd is not None or board.spent().usd is not None
        cost = _COST if has_cost and width >= _WIDTH_WITH_COST else 0
        fixed = 2 + subgoal + 2 + (agent + 2 if agent else 0) + _TRY + _TIME + cost + 2
        return cls(subgoal, agent, cost, max(width - fixed, 0))

    def line(self, cells: Cells, style: str, glyphs: Glyphs) -> Text:
        """A line of the table; `style` is for all of it but what is said."""
        parts = [cells.glyph, " ", fitted(cells.subgoal, self.subgoal, glyphs), "  "]
        if self.agent:
            parts += [fitted(cells.agent, self.agent, glyphs), "  "]
        parts += [f"{cells.attempt:>{_TRY}}{cells.time:>{_TIME}}"]
        if self.cost:
            parts += [f"{cells.cost:>{self.cost}}"]
        # The colour says how the subgoal stands; its words stay readable.
        said = fitted(cells.said, self.last_line, glyphs).rstrip()
        return Text.assemble(("".join([*parts, "  "]), style), said, no_wrap=True)

    def wide_line(
        self, glyph: str, name: str, said: str, style: str, width: int, glyphs: Glyphs
    ) -> Text:
        """A line that says one thing about something that is no subgoal."""
        words = fitted(said, width - self.subgoal - 4, glyphs).rstrip()
        head = f"{glyph} {fitted(name, self.subgoal, glyphs)}  "
        return Text.assemble((head, style), words, no_wrap=True)


def fitted(text: str, width: int, glyphs: Glyphs) -> str:
    """Exactly `width` cells: filled up with spaces, or cut, with a mark that says so."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - cell_len(glyphs.ellipsis)) + glyphs.ellipsis


def _widest(title: str, texts: Sequence[str], share: int) -> int:
    widest = max((cell_len(safe_line(text)) for text in texts), default=0)
    return max(min(widest, share), len(title))
