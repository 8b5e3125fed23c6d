"""The page of a run, as text and numbers; a browser looks at it in tests/browser."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_soar import Outcome
from aurora_soar.views import Row, page
from aurora_soar.views.report.axis import Axis
from aurora_soar.views.report.network import BOX_HEIGHT, BOX_WIDTH, lay_out
from aurora_spawner import AttemptFinished, SpawnResult

if TYPE_CHECKING:
    RunOf = Any

HOSTILE = st.text(st.sampled_from("a<>\"'&/={}%\x1b\x9b\u202e\x00\ud800 \n"), max_size=40)
MEBIBYTE = 1024 * 1024


class Elements(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]


def page_of(run_of: RunOf, name: str, said: str) -> str:
    """The page of a run in which everything is called and says the same."""
    run = run_of(Row(f"1{name}", said), Row(f"2{name}", name, (f"1{name}",)))
    run.start(0)
    run.now += 1
    run.board.rows[0].log = f".aurora/{name}".replace("\x00", "")
    run.hear(0, AttemptFinished(1, 3, SpawnResult(False, said, said, 1, stderr=name, tool=name)))
    result = SpawnResult(False, said, said, 1, tool=name)
    run.finish(0, Outcome.FAILED, said, result, files=[f"x{said}", f"y{name}"])
    run.start(1)
    run.now += 1
    run.ok(1, f"{said}x", tool=name, model=said)
    about = {"plan_text": said, "command": name, "environment": {"python": said}}
    return page(run.record(about=about, plan=name))


@settings(max_examples=50)
@given(HOSTILE, HOSTILE)
def test_no_text_becomes_markup(run_of: RunOf, name: str, said: str) -> None:
    """F9, F65: whatever names and agents say, the page has the elements that it has without."""
    text = page_of(run_of, name, said)
    assert text.replace("\n", "").isprintable()
    plain, hostile = Elements(page_of(run_of, "name", "said")), Elements(text)
    # What is blank is not quoted, and what is empty has no link.
    assert set(hostile.tags) <= set(plain.tags)
    assert {(tag, attribute) for tag, attribute, _ in hostile.attributes} <= {
        (tag, attribute) for tag, attribute, _ in plain.attributes
    }
    for _, attribute, value in hostile.attributes:
        assert not attribute.startswith("on")
        if attribute in ("href", "src"):
            assert (value or "").startswith(("#", "./"))


def test_the_page_asks_nobody(run_of: RunOf) -> None:
    """Nothing is loaded: links lead into the page or to a log beside it, and the policy says so."""
    text = page_of(run_of, "name", "said")
    loads = {"link", "img", "iframe", "object", "embed", "base", "form", "audio", "video"}
    assert not loads & set(Elements(text).tags)
    assert "default-src &#39;none&#39;; style-src &#39;sha256-" in text
    assert "url(#" in text
    assert not re.search(r"url\((?!#)|@import|https?:", text)


def test_links_to_logs_start_where_the_page_is(run_of: RunOf) -> None:
    """A log is linked from the page's own folder, with every special character in its place."""
    run = run_of(Row("a", "x"))
    run.start(0)
    run.now += 1
    run.board.rows[0].log = ".aurora/runs/k3f9/a b#?%/1/stderr.log"
    run.fail_attempt(0, 1, "exit 1")
    run.finish(0, Outcome.FAILED, "exit 1")
    text = page(run.record(), seen_from=Path("out/pages"))
    assert 'href="./../../.aurora/runs/k3f9/a%20b%23%3F%25/1/stderr.log"' in text


@pytest.mark.parametrize("said", ["x" * 99 + "\n", "<&\x1b[31m" * 20 + "\n"])
def test_five_hundred_subgoals_stay_under_eight_mebibytes(run_of: RunOf, said: str) -> None:
    """F4: with half a megabyte of output each, hostile or not, the page keeps to its bound."""
    rows = [Row(f"subgoal-{n}", "agent", (f"subgoal-{n - 5}",) * (n >= 5)) for n in range(500)]
    run = run_of(*rows, limit=5)
    output = said * (500_000 // len(said))
    for position in range(500):
        run.start(position)
        run.now += 1
        if position % 3:
            run.ok(position, output, tool="claude")
        else:
            result = SpawnResult(False, output, "exit 1", 1, stderr=output)
            run.hear(position, AttemptFinished(1, 3, result))
            run.finish(position, Outcome.FAILED, "exit 1", result)
    size = len(page(run.record()).encode())
    assert 4 * MEBIBYTE < size < 8 * MEBIBYTE


def test_changed_files_are_named_up_to_twenty(run_of: RunOf) -> None:
    """What a subgoal changed in its worktree stands beside its answer: branch and files."""
    run = run_of(Row("one", "x"), Row("many", "x"), Row("none", "x"))
    run.finish(0, files=["src/a.py"])
    run.finish(1, files=[f"f{number}" for number in range(22)])
    run.finish(2)
    html = page(run.record())
    assert "1 file changed in <code>b</code>: <code>src/a.py</code></p>" in html
    assert "22 files changed in <code>b</code>: <code>f0</code>, <code>f1</code>, " in html
    assert "<code>f19</code> and 2 more</p>" in html
    assert html.count("changed in") == 2


def test_an_empty_run_has_a_page(run_of: RunOf) -> None:
    """F43: a run without subgoals has a page that says so."""
    assert "Nothing to do" in page(run_of().record(exit_code=0))


WORK = st.lists(
    st.tuples(st.integers(0, 10**7), st.integers(0, 10**6)).map(lambda each: (each[0], sum(each))),
    max_size=20,
)


@given(st.integers(0, 2 * 10**7), WORK, st.lists(st.integers(0, 2 * 10**7), min_size=2))
def test_the_axis_keeps_the_order_of_time(
    total: int, work: list[tuple[int, int]], moments: list[int]
) -> None:
    """Later is never further left, all of the run fits, and labels do not run into each other."""
    axis = Axis(total, [(min(start, total), min(end, total)) for start, end in work])
    places = [axis.place(moment) for moment in sorted(moments)]
    assert places == sorted(places)
    assert axis.place(0) == 0
    assert axis.place(max(total, 1)) == pytest.approx(100)
    ticks = [tick.x for tick in axis.ticks()]
    assert all(second - first > 5 for first, second in itertools.pairwise(ticks))
    assert len(ticks) <= 13


def test_long_idle_stretches_are_collapsed() -> None:
    """Hours in which nobody works take a sliver of the page, and say how long they were."""
    minute = 60_000
    axis = Axis(200 * minute, [(0, 5 * minute), (3 * minute, 9 * minute), (191 * minute, 10**9)])
    (gap,) = axis.gaps()
    assert gap.label == "3:02:00"
    assert gap.width < 5
    assert axis.place(9 * minute) == pytest.approx(48)
    assert axis.place(100 * minute) == pytest.approx(50)


@given(
    st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=30).map(
        lambda lists: [
            sorted({each % position for each in needs}) if position else []
            for position, needs in enumerate(lists)
        ]
    )
)
def test_in_the_graph_all_lies_right_of_what_it_needs(needs: list[list[int]]) -> None:
    """Boxes lie within the drawing and never on each other; every edge goes to the right."""
    network = lay_out(needs, [])
    boxes = {box.position: box for box in network.boxes}
    for position, needed_ones in enumerate(needs):
        assert all(boxes[each].x + BOX_WIDTH < boxes[position].x for each in needed_ones)
    for box in boxes.values():
        assert 0 <= box.x <= network.width - BOX_WIDTH
        assert 0 <= box.y <= network.height - BOX_HEIGHT
    for column in {box.x for box in boxes.values()}:
        tops = sorted(box.y for box in boxes.values() if box.x == column)
        assert all(b - a >= BOX_HEIGHT for a, b in itertools.pairwise(tops))
    assert len(network.curves) == sum(map(len, needs))
