"""The same promises, held against every runner; and what a cluster of real processes survives.

What takes its time is not even collected without `AURORA_CLUSTER`, which `make cluster` sets.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from aurora_spawner.runners import LocalRunner, Runner

from .machines import QUICK, Machines

dask = pytest.importorskip("dask")
# Its defaults are among the settings as soon as it is imported, and not before.
pytest.importorskip("distributed")

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
def opened(request: pytest.FixtureRequest) -> Opened:
    """Opens the runner under test, in the event loop that it belongs to."""
    address = request.getfixturevalue("shared").address if request.param == "dask" else None

    @asynccontextmanager
    async def local() -> AsyncIterator[Runner]:
        yield LocalRunner()

    @asynccontextmanager
    async def dask() -> AsyncIterator[Runner]:
        from aurora_spawner.runners.dask import DaskRunner

        async with DaskRunner(address) as runner:
            yield runner

    return local if address is None else dask
