"""The leak check as a pytest fixture.

In a conftest: `pytest_plugins = ["aurora_spawner.testing.plugin"]`. Then, in a test:
`@pytest.mark.usefixtures("leak_check")`, or an autouse fixture of your own that asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aurora_spawner.testing.leaks import no_leaks

__all__ = ["leak_check"]


@pytest.fixture
def leak_check() -> Iterator[None]:
    """Fail a test that leaves a child, a descriptor, a timer or a task behind; see `no_leaks`."""
    with no_leaks():
        yield
