"""Who may name whom, read from the syntax trees: nothing is imported, nothing is run.

The import contracts in pyproject.toml say which module may import which. This says the rest: which
names cross from one package to another, and what comes in from outside the house.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"

MAY_NAME = {
    "aurora_circuit_breaker": frozenset[str](),
    "aurora_spawner": frozenset[str](),
    "aurora_soar": frozenset({"aurora_circuit_breaker", "aurora_spawner"}),
}
"""Which siblings a package may name at all."""

OPEN_TO_ALL = frozenset(
    {
        "aurora_circuit_breaker.stores.redis",
        "aurora_circuit_breaker.stores.sqlite",
        "aurora_spawner.runners.dask",
    }
)
"""Public modules that siblings may name beside a package's top: what not everybody should load."""

OPEN_TO_TESTS = frozenset({"aurora_spawner.testing"})
"""Public subpackages that tests may name beside a package's top."""

EXTRA_ROOMS = {
    ("aurora_circuit_breaker", "redis"): "stores/redis",
    ("aurora_soar", "otel"): "telemetry",
    ("aurora_spawner", "cli"): "cli",
    ("aurora_spawner", "dask"): "runners/dask",
    ("aurora_spawner", "testing"): "testing/plugin",
}
"""The one module, or folder, that may import what an extra brings in."""

every_package = pytest.mark.parametrize("package", sorted(MAY_NAME))


def folder(package: str) -> Path:
    return PACKAGES / package.removeprefix("aurora_")


def sources(package: str) -> list[Path]:
    return sorted((folder(package) / "src" / package).rglob("*.py"))


def own_tests(package: str) -> list[Path]:
    return sorted((folder(package) / "tests").rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def public(module: str) -> frozenset[str]:
    """The names in the `__all__` of a package or module."""
    package = module.partition(".")[0]
    path = folder(package) / "src" / Path(*module.split("."))
    init = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return frozenset(declared(tree(init)) or ())


def declared(module: ast.Module) -> list[str] | None:
    """The literal value of `__all__`, None where there is none."""
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path.relative_to(PACKAGES.parent)}:{node.lineno}"


def references(module: ast.Module, package: str) -> Iterator[tuple[ast.stmt | ast.expr, str, str]]:
    """Each use of a sibling: node, module and the name taken from it ("" for the module itself)."""
    siblings = MAY_NAME.keys() - {package}
    as_text = re.compile(rf"({'|'.join(siblings)})(\.\w+)+")
    known: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                if top in siblings:
                    known[alias.asname or top] = alias.name if alias.asname else top
                    yield node, alias.name, ""
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module.partition(".")[0] in siblings:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    if whole in OPEN_TO_TESTS:
                        known[alias.asname or alias.name] = whole
                        yield node, whole, ""
                    else:
                        yield node, node.module, alias.name
        elif isinstance(node, ast.Constant) and as_text.fullmatch(str(node.value)):
            # Named as text: for import_module, for python -m, for a patch.
            yield node, str(node.value), ""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and (module_name := known.get(ast.unparse(node.value))):
            yield node, module_name, node.attr


def trespasses(package: str, paths: list[Path], also_open: frozenset[str]) -> list[str]:
    """Uses of a sibling that are not its public names."""
    wide_open = MAY_NAME[package] | {
        m for m in also_open | OPEN_TO_ALL if m.partition(".")[0] in MAY_NAME[package]
    }
    return [
        f"{place(path, node)}: {module} {name}".rstrip()
        for path in paths
        for node, module, name in references(tree(path), package)
        if module not in wide_open or (name and name not in public(module))
    ]


def imported(module: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """Each absolute import, as node and top-level name."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node, node.module.partition(".")[0]


def canonical(requirement: str) -> str:
    """The normalized distribution name of a requirement."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


@cache
def modules_of(requirement: str) -> frozenset[str]:
    """The top-level modules that a requirement brings."""
    name = canonical(requirement)
    return frozenset(
        module
        for module, distributions in packages_distributions().items()
        if name in map(canonical, distributions)
    )


def project_of(package: str) -> dict[str, Any]:
    """The `[project]` table of a package."""
    text = (folder(package) / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def allowed_outside(package: str, path: Path) -> frozenset[str]:
    """The modules from outside that a source file may import."""
    project = project_of(package)
    requirements = list(project["dependencies"])
    inside = path.relative_to(folder(package) / "src" / package).with_suffix("").as_posix()
    for extra, brought in project.get("optional-dependencies", {}).items():
        room = EXTRA_ROOMS.get((package, extra))
        if room is not None and f"{inside}/".startswith(f"{room}/"):
            requirements += brought
    modules = frozenset[str]().union(*map(modules_of, requirements))
    return modules | MAY_NAME[package] | {package} | sys.stdlib_module_names


def rank(name: str) -> tuple[bool, bool, str]:
    """The order of `__all__`: constants, classes, the rest; the one that ruff's RUF022 writes."""
    return not name.isupper(), not name[0].isupper(), name


def unfolded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements, with what only type checkers see in the place of `if TYPE_CHECKING`."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from unfolded([*node.body, *node.orelse])
        else:
            yield node


def faults(init: Path, package: str) -> Iterator[str]:
    """What an `__init__.py` does beside re-exporting."""
    module = tree(init)
    names: list[str] = []
    for node in unfolded(module.body):
        if isinstance(node, ast.ImportFrom) and node.module in {"__future__", "typing"}:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == f"{package}.face":
            continue
        if isinstance(node, ast.ImportFrom) and (
            node.level or (node.module or "").partition(".")[0] == package
        ):
            names += [alias.asname or alias.name for alias in node.names]
        elif not (
            (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
            or (node is module.body[0] and ast.get_docstring(module) is not None)
        ):
            yield f"{place(init, node)}: {ast.unparse(node).splitlines()[0]}"
    exported = declared(module)
    file = init.relative_to(PACKAGES.parent)
    if exported is None and names:
        yield f"{file}: no __all__"
    if exported is not None and exported != sorted(exported, key=rank):
        yield f"{file}: __all__ is not sorted"
    if exported is not None and set(exported) != set(names):
        yield f"{file}: __all__ and imports differ in {sorted(set(exported) ^ set(names))}"


@every_package
def test_sources_use_only_public_names_of_the_siblings_below(package: str) -> None:
    """A package takes from a sibling below it what stands in that sibling's `__all__`, no more."""
    assert trespasses(package, sources(package), frozenset()) == []


@every_package
def test_tests_use_only_public_names_of_the_siblings_below(package: str) -> None:
    """A package's tests keep to the same names, and to the test doubles that are made for them."""
    assert trespasses(package, own_tests(package), OPEN_TO_TESTS) == []


@every_package
def test_a_package_needs_exactly_the_siblings_it_may_name(package: str) -> None:
    """The siblings among a package's dependencies are those that it may name."""
    needed = {canonical(need).replace("-", "_") for need in project_of(package)["dependencies"]}
    assert needed & MAY_NAME.keys() == MAY_NAME[package]


@every_package
def test_sources_import_only_what_the_package_declares(package: str) -> None:
    """What comes from outside is the standard library, a dependency or an extra in its room."""
    assert [
        f"{place(path, node)}: {name}"
        for path in sources(package)
        for node, name in imported(tree(path))
        if name not in allowed_outside(package, path)
    ] == []


@every_package
def test_an_init_only_re_exports(package: str) -> None:
    """An `__init__.py` holds imports of its own package and a sorted `__all__` of exactly those."""
    inits = [path for path in sources(package) if path.name == "__init__.py"]
    assert folder(package) / "src" / package / "__init__.py" in inits
    assert [fault for init in inits for fault in faults(init, package)] == []
