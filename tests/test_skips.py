"""What is skipped where people work is a failure in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPS = {
    "called": "import pytest\ndef test_it(): pytest.skip('no such thing')",
    "fixture": (
        "import pytest\n@pytest.fixture\ndef thing(): pytest.skip('no such thing')\n"
        "def test_it(thing): pass"
    ),
    "mark": "import pytest\n@pytest.mark.skip(reason='no such thing')\ndef test_it(): pass",
    "module": "import pytest\npytest.importorskip('no_such_thing', reason='no such thing')",
}


@pytest.mark.skipif(sys.platform != "linux", reason="CI has all that is needed on Linux only")
@pytest.mark.parametrize("how", SKIPS)
def test_a_skip_in_ci_is_a_failure_that_says_why(how: str, tmp_path: Path) -> None:
    """Whichever way a test is skipped, with CI set it fails with the reason, and without it not."""
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_it.py").write_text(SKIPS[how])
    elsewhere = {name: value for name, value in os.environ.items() if name != "CI"}

    def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", "test_it.py"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    at_home = run(elsewhere)
    assert "1 skipped" in at_home.stdout, at_home.stdout
    in_ci = run({**elsewhere, "CI": "true"})
    assert in_ci.returncode not in (0, 5)
    assert "in CI this is a failure" in in_ci.stdout, in_ci.stdout
    assert "no such thing" in in_ci.stdout
