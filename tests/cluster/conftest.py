"""The same promises, held against every runner; and what a cluster of real processes survives.

What takes its time is not even collected without `AURORA_CLUSTER`, which `make cluster` sets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import dask
import distributed  # noqa: F401 - its defaults are among the settings from here on
import pytest

from aurora_spawner.runners import Runner

from .client import runner_at
from .machines import QUICK, Machines

if "AURORA_CLUSTER" not in os.environ:
    collect_ignore = ["test_losses.py", "test_tls.py"]

Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[Runner]]


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Ours are as quick to notice as the machines."""
    with dask.config.set(QUICK):
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A cluster of two workers with two slots each, for tests that leave it as it is."""
    machines = Machines(tmp_path_factory.mktemp("cluster"))
    try:
        machines.have("first", "second")
        yield machines
    finally:
        machines.close()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    """A scheduler of the test's own, for tests that break it."""
    found = Machines(tmp_path)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(params=["local", "dask"])
def address(request: pytest.FixtureRequest) -> str | None:
    """The scheduler of the runner under test; None: it is that of this machine."""
    return request.getfixturevalue("shared").address if request.param == "dask" else None


@pytest.fixture
def opened(address: str | None) -> Opened:
    """Opens the runner under test, in the event loop that it belongs to."""
    return lambda: runner_at(address)
