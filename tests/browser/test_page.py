"""The page of a run in a real browser: looked at, reached from the keyboard, read to by axe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

WCAG_AA = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],  # naming everything that is right takes most of the time
}

Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens a file in a tab of its own; what the console says there is a failure."""
    contexts = []
    complaints: list[str] = []

    def opened(path: Path, **options: Any) -> Page:
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_of_wcag_aa(open_page: Open, full_page: Path, scheme: str) -> None:
    """Axe finds nothing against WCAG 2.2 AA, contrast included, on light and on dark."""
    page = open_page(full_page, color_scheme=scheme)
    page.locator("#unfold").click()
    # The line of links stays in sight: wherever the page is scrolled to, it covers something.
    page.evaluate("scrollTo(0, 0)")
    found = Axe().run(page, options=WCAG_AA)
    assert found.violations_count == 0, found.generate_report()


def test_no_violation_on_five_hundred_subgoals(open_page: Open, large_page: Path) -> None:
    """The large page, too, has none; colours and sizes, the same everywhere, would take minutes."""
    looks = ("color-contrast", "link-in-text-block", "target-size")
    others = {"rules": {name: {"enabled": False} for name in looks}}
    found = Axe().run(open_page(large_page), options=WCAG_AA | others)
    assert found.violations_count == 0, found.generate_report()


def test_everything_is_reached_from_the_keyboard(open_page: Open, full_page: Path) -> None:
    """Tab leads to every link, button, field and scrolling part, each with a visible focus."""
    page = open_page(full_page)
    reachable = page.evaluate(
        """() => [...document.querySelectorAll(
            'a[href], button, input, select, summary, [tabindex]'
        )].filter((each) => each.checkVisibility()).length"""
    )
    reached = set()
    for step in range(reachable + 5):
        page.keyboard.press("Tab")
        spot = page.evaluate(
            """() => {
                const each = document.activeElement;
                if (each === document.body) return null;
                const outline = getComputedStyle(each);
                const all = [...document.querySelectorAll('*')];
                return [all.indexOf(each), outline.outlineStyle, outline.outlineWidth];
            }"""
        )
        if spot is None:
            break
        if step:
            assert spot[1:] == ["solid", "2px"]
        reached.add(spot[0])
    assert len(reached) == reachable


def test_keys_filter_zoom_and_unfold(open_page: Open, full_page: Path) -> None:
    """`/` filters, `+` and `0` zoom, Enter unfolds an answer: no mouse is needed."""
    page = open_page(full_page)
    rows = page.locator("#subgoals tbody tr:visible")
    expect(rows).to_have_count(8)
    page.keyboard.press("/")
    page.keyboard.type("CODER")
    expect(rows).to_have_count(3)
    expect(page.locator("#shown")).to_have_text("3 of 8 shown")
    page.keyboard.press("Escape")
    width = page.locator("#field svg").nth(1).bounding_box()["width"]
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect(page.locator("#level")).to_have_text("4×")
    assert page.locator("#field svg").nth(1).bounding_box()["width"] == pytest.approx(4 * width)
    page.keyboard.press("0")
    expect(page.locator("#level")).to_have_text("1×")
    page.locator("#s1 summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#s1 pre")).to_be_visible()


def test_a_link_into_the_table_shows_what_was_filtered_out(
    open_page: Open, full_page: Path
) -> None:
    """Following a link to a row that the filter hides ends the filter."""
    page = open_page(full_page)
    page.locator("#outcome").select_option("blocked")
    expect(page.locator("#s0")).to_be_hidden()
    page.locator(".names a", has_text="survey").click()
    expect(page.locator("#s0")).to_be_visible()


def test_it_works_without_script(open_page: Open, full_page: Path) -> None:
    """Without script only filter and zoom are missing: all else is there, answers unfold."""
    page = open_page(full_page, java_script_enabled=False)
    expect(page.locator(".tools")).to_have_count(2)
    for tools in page.locator(".tools").all():
        expect(tools).to_be_hidden()
    for section in ("failures", "timeline", "subgoals", "attempts", "circuits", "graph", "plan"):
        expect(page.locator(f"#{section} h2")).to_be_visible()
    page.locator("#s0 summary").click()
    expect(page.locator("#s0 pre")).to_be_visible()


def test_print_shows_verdict_failures_and_timeline(open_page: Open, full_page: Path) -> None:
    """On paper there are the verdict, the failures and the timeline, and nothing to click."""
    page = open_page(full_page)
    page.emulate_media(media="print")
    for shown in (".verdict", "#failures", "#timeline"):
        expect(page.locator(shown)).to_be_visible()
    for hidden in ("nav", "#subgoals", "#attempts", "#graph", "#plan", "#timeline .tools"):
        expect(page.locator(hidden)).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out(open_page: Open, full_page: Path, width: int) -> None:
    """From a phone to a desk the page itself never scrolls sideways."""
    page = open_page(full_page, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_kind_of_stretch_is_drawn(open_page: Open, full_page: Path) -> None:
    """The timeline has each of its shapes, of some width, and the critical path connected."""
    page = open_page(full_page)
    drawing = page.locator("#field svg").nth(1)
    for look in (
        "line.blocked",
        "line.waiting",
        "line.retry",
        "rect.parked",
        "rect.attempt.ok",
        "rect.attempt.failed",
        "rect.attempt.unfinished",
        "rect.fallback.ok",
        "rect.collapsed",
        "rect.critical",
        "line.chain",
        "text.called",
    ):
        box = drawing.locator(look).first.bounding_box()
        assert box is not None, look
        assert box["width"] + box["height"] > 3, look
