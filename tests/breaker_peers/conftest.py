"""The libraries that the comparison needs."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import pytest


@pytest.fixture
def need() -> Callable[[str], None]:
    """Skip the test unless a distribution is installed."""

    def check(distribution: str) -> None:
        try:
            version(distribution)
        except PackageNotFoundError:
            pytest.skip(f"needs {distribution}")

    return check
