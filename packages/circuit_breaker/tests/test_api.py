"""What the package offers."""

import subprocess
import sys

import aurora_circuit_breaker
from aurora_circuit_breaker import get_circuit_breaker, stores


def test_all_is_sorted_and_complete():
    """Each `__all__` is sorted, and everything in it is there."""
    for module in (aurora_circuit_breaker, stores):
        assert module.__all__ == sorted(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)


def test_the_process_has_one_breaker():
    """get_circuit_breaker gives everybody the same breaker."""
    assert get_circuit_breaker() is get_circuit_breaker()


def test_it_needs_nothing_but_the_standard_library():
    """Importing the package loads no module of another distribution, nor asyncio."""
    program = (
        "import sys; before = set(sys.modules); import aurora_circuit_breaker; "
        "tops = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(tops - sys.stdlib_module_names), 'asyncio' in tops)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['aurora_circuit_breaker'] False"
