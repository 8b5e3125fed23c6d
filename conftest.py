"""How the tests of all packages are run: on how many workers and which, and what a skip means.

In CI nothing is skipped for want of something: there, what is missing is a failure. A test says
with `pytest.skip`, `skipif` or `importorskip` what it cannot do without, and is skipped where
people work. On Linux with CI set everything has to be there (`.ci/run` installs it).
"""

import os
import sys
from collections.abc import Generator
from typing import Any, TypeVar

import pytest

_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


def _without_skips(report: _Report) -> _Report:
    complete = "CI" in os.environ and sys.platform == "linux"
    # An expected failure is reported as skipped, too.
    if complete and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"in CI this is a failure: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was skipped while it ran, or before."""
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """What was skipped as a whole file."""
    return _without_skips((yield))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: many tests wait for processes they started."""
    return (os.cpu_count() or 1) * 3 // 2


# Their tests share something dear: a cluster, a browser. One worker has it, and runs them all.
_TOGETHER = ("tests/cluster/", "tests/browser/")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Without another `--dist`, a test goes to the next free worker, unless it is of a group."""
    if config.option.dist != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next(filter(nodeid.startswith, _TOGETHER), nodeid)

    return Scheduling(config, log)
