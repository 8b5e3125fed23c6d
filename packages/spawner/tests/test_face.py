from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import aurora_spawner
from aurora_spawner.face import ROOMS


def seen_by_type_checkers() -> dict[str, set[str]]:
    """What the package's `__init__` imports where only type checkers look."""
    source = Path(aurora_spawner.__file__).read_text(encoding="utf-8")
    (block,) = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    return {
        str(node.module).removeprefix("aurora_spawner."): {alias.name for alias in node.names}
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }


def test_type_checkers_see_the_names_that_programs_get() -> None:
    """The table of the face and what type checkers read are the same."""
    assert {room: set(names) for room, names in ROOMS.items()} == seen_by_type_checkers()


@pytest.mark.parametrize("name", aurora_spawner.__all__)
def test_every_name_is_there(name: str) -> None:
    """Each name of `__all__` is what its room calls so, and stays what it is."""
    value = getattr(aurora_spawner, name)
    assert getattr(aurora_spawner, name) is value
    assert name in dir(aurora_spawner)
    rooms = [room for room, names in ROOMS.items() if name in names] or ["redact"]
    assert getattr(import_module(f"aurora_spawner.{rooms[0]}"), name) is value


def test_what_is_not_there_is_said_like_of_any_module() -> None:
    """A name that no room has is an AttributeError, and an ImportError where it is imported."""
    with pytest.raises(AttributeError, match="'aurora_spawner' has no attribute 'nonsense'"):
        aurora_spawner.nonsense  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(ImportError):
        from aurora_spawner import nonsense  # type: ignore[attr-defined] # noqa: F401


def test_importing_the_package_imports_no_room_and_no_asyncio() -> None:
    """A program pays for what it uses: the import alone loads neither rooms nor asyncio."""
    program = (
        "import sys, aurora_spawner; "
        "rooms = {name for name in sys.modules if name.startswith('aurora_spawner.')}; "
        "print(sorted(rooms), 'asyncio' in sys.modules); "
        "print(aurora_spawner.spawner.spawn is aurora_spawner.spawn)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == ["['aurora_spawner.face', 'aurora_spawner.redact'] False", "True"]
