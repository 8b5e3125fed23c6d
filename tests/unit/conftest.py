"""Behaviour runs in virtual time: an hour of sleeping takes no time at all."""

import pytest

from aurora_spawner.testing import VirtualTimeLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, type[VirtualTimeLoop]]:
    return {"virtual": VirtualTimeLoop}
