from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import aurora_soar
from aurora_soar.face import ROOMS


def seen_by_type_checkers() -> dict[str, set[str]]:
    """What the package's `__init__` imports where only type checkers look."""
    source = Path(aurora_soar.__file__).read_text(encoding="utf-8")
    (block,) = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    return {
        str(node.module).removeprefix("aurora_soar."): {alias.name for alias in node.names}
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }


def test_type_checkers_see_the_names_that_programs_get() -> None:
    """The table of the face and what type checkers read are the same."""
    assert {room: set(names) for room, names in ROOMS.items()} == seen_by_type_checkers()


@pytest.mark.parametrize("name", aurora_soar.__all__)
def test_every_name_is_there(name: str) -> None:
    """Each name of `__all__` is what its room calls so, and stays what it is."""
    value = getattr(aurora_soar, name)
    assert getattr(aurora_soar, name) is value
    assert name in dir(aurora_soar)
    rooms = [room for room, names in ROOMS.items() if name in names]
    assert getattr(import_module(f"aurora_soar.{rooms[0]}"), name) is value


def test_what_is_not_there_is_said_like_of_any_module() -> None:
    """A name that no room has is an AttributeError, and an ImportError where it is imported."""
    with pytest.raises(AttributeError, match="'aurora_soar' has no attribute 'nonsense'"):
        aurora_soar.nonsense  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(ImportError):
        from aurora_soar import nonsense  # type: ignore[attr-defined] # noqa: F401


def test_importing_the_package_imports_no_room() -> None:
    """A program pays for what it uses, and Ctrl-C meets a command that can answer."""
    program = (
        "import sys, aurora_soar; "
        "print(sorted(name for name in sys.modules if name.startswith('aurora_'))); "
        "print(aurora_soar.phases.execute_agents is aurora_soar.execute_agents)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == ["['aurora_soar', 'aurora_soar.face']", "True"]
