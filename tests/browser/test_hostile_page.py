"""What hostile agents put into a page in a real browser: nothing of it runs, nothing leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page

ATTACKS = """\
<script>window.pwned = 1; fetch("URL/fetch")</script>
<img src="URL/img" onerror="window.pwned = 2"><link rel="stylesheet" href="URL/css">
</pre></textarea></title></style></script><svg onload="window.pwned = 3"><iframe src="URL/frame">
"><body onload=window.pwned=4 background="URL/back"><a href="javascript:window.pwned=5">x</a>
{{ 7 * 7 }}{% include "/etc/passwd" %}${7*7}<meta http-equiv="refresh" content="0;url=URL/meta">
<style>@import url("URL/import"); * { background: url("URL/style") }</style><base href="URL/">
\x1b]8;;URL/osc\x1b\\link\x1b]8;;\x1b\\\x1b[31m \u202egnp.exe\u2066 \x9b31m
"""


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server that only writes down who asked: its address, and the paths."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hostile_page(tmp_path: Path, listener: tuple[str, list[str]]) -> Path:
    """The page that the command itself makes of a run of hostile programs with hostile names."""
    attack = ATTACKS.replace("URL", listener[0])
    (tmp_path / "attack").write_text(attack, encoding="utf-8")
    # JSON: any text may be an id.
    name = attack.replace("\n", " ")
    plan = {
        "name": name,
        "defaults": {"retries": 1},
        "agents": {
            "loud": {"command": ["sh", "-c", "cat attack; cat attack >&2; exit 1"]},
            name: {"command": ["cat", "attack"]},
        },
        "subgoals": [
            {"id": name, "agent": name},
            {"id": f"{name} failed", "agent": "loud"},
            {"id": "after", "agent": name, "depends_on": [f"{name} failed"]},
        ],
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    code = "from aurora_soar.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "run", "plan.json", "--html", "page.html"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert ended.returncode == 1, ended.stderr
    return tmp_path / "page.html"


def looked_at(browser: Browser, path: Path) -> Page:
    """The page after everything in it had its chance: opened, unfolded, every own part clicked."""
    page = browser.new_page()
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
    page.wait_for_load_state("networkidle")
    return page


def test_nothing_hostile_runs(
    browser: Browser, hostile_page: Path, listener: tuple[str, list[str]]
) -> None:
    """F9, F65: of hostile names and output everything is shown, nothing runs, nobody is asked."""
    page = looked_at(browser, hostile_page)
    assert page.evaluate("window.pwned") is None
    assert listener[1] == []
    assert page.locator("iframe, img, link, base, body[onload], svg[onload]").count() == 0
    assert page.locator("meta[http-equiv=refresh], a[href^=javascript]").count() == 0
    assert page.url == hostile_page.as_uri()
    shown = page.locator("body").inner_text()
    assert 'fetch("http' in shown
    assert "{{ 7 * 7 }}" in shown
    assert "\\x1b]8;;" in shown
    assert "\\u202egnp.exe" in shown
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)
    page.context.close()


@pytest.mark.parametrize("has_policy", [True, False])
def test_the_policy_stands_where_escaping_would_fail(
    browser: Browser, hostile_page: Path, listener: tuple[str, list[str]], has_policy: bool
) -> None:
    """With raw attacks in the page, its policy alone stops them; without it they would run."""
    text = hostile_page.read_text(encoding="utf-8")
    # Those that would end the page's own elements would only break it.
    raw = "\n".join(ATTACKS.splitlines()[:2]).replace("URL", listener[0])
    broken = text.replace('<a class="skip"', f'{raw}<a class="skip"', 1)
    if not has_policy:
        broken = broken.replace("Content-Security-Policy", "X-Nothing", 1)
    assert broken.count(raw) == 1
    hostile_page.write_text(broken, encoding="utf-8")
    page = looked_at(browser, hostile_page)
    assert (page.evaluate("window.pwned") is None) == has_policy
    assert (listener[1] == []) == has_policy
    page.context.close()
