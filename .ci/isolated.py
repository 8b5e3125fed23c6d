"""Show that each wheel in dist/ stands alone.

For each package an empty environment gets its wheel and what that wheel declares, siblings as
wheels too. There, everything of ours that can be imported comes from a wheel and is declared; then
the package's tests, copied away from the sources, must pass. A package with extras is tested a
second time with all of them. Tests of an extra begin with `pytest.importorskip`; they may be
skipped the first time, and in CI not the second.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / ".ci" / "constraints.txt"

# Run in the new environment: the modules that are found must be the expected ones, and be its own.
PROBE = """
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

for name in sys.argv[1].split():
    here = Path(import_module(name).__file__).resolve()
    if not here.is_relative_to(Path(sys.prefix).resolve()):
        sys.exit(f"{name} comes from {here}, outside of the environment")
for name in sys.argv[2].split():
    if find_spec(name) is not None:
        sys.exit(f"{name} can be imported, and was not declared")
"""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One built package.

    Attributes:
        folder: Its folder in packages/.
        path: The wheel.
        siblings: The folders of the packages it needs, extras left out.
        extras: What can be asked of it in brackets.
    """

    folder: str
    path: Path
    siblings: frozenset[str]
    extras: tuple[str, ...]

    @property
    def module(self) -> str:
        """The name it is imported by."""
        return f"aurora_{self.folder}"


def read_wheel(path: Path) -> Wheel:
    """Read what a wheel declares about itself."""
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    needs = (r for r in metadata.get_all("Requires-Dist", []) if "extra ==" not in r)
    return Wheel(
        folder=folder_of(metadata["Name"]),
        path=path,
        siblings=frozenset(folder_of(need) for need in needs if need.startswith("aurora-")),
        extras=tuple(metadata.get_all("Provides-Extra", [])),
    )


def folder_of(requirement: str) -> str:
    """Return the folder in packages/ for a requirement such as `aurora-circuit-breaker>=0.1`."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return name.removeprefix("aurora-").replace("-", "_")


def check(wheel: Wheel, house: Mapping[str, Wheel], extras: Iterable[str]) -> None:
    """Install a wheel in an empty environment and run its tests there.

    Raises:
        subprocess.CalledProcessError: The environment, the imports or the tests are not in order.
    """
    with tempfile.TemporaryDirectory(prefix="aurora-isolated-") as folder:
        place = Path(folder)
        venv.create(place / "env", symlinks=True)
        python = place / "env" / "bin" / "python"
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(place / "env"),
        }
        if wheel.extras and not extras:
            # Where CI is set, what is skipped fails.
            environment.pop("CI", None)

        def run(*command: str | Path) -> None:
            subprocess.run(command, cwd=place, env=environment, check=True)

        def install(*what: str | Path) -> None:
            pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
            run(*pip, "--constraint", CONSTRAINTS, *what)

        # The siblings are named by path, so that nobody else's package of that name can come in.
        brackets = f"[{','.join(extras)}]" if extras else ""
        install(f"{wheel.path}{brackets}", *(house[name].path for name in wheel.siblings))
        inside = {wheel.folder, *wheel.siblings}
        expected = " ".join(house[name].module for name in sorted(inside))
        strangers = " ".join(house[name].module for name in sorted(house.keys() - inside))
        run(python, "-I", "-c", PROBE, expected, strangers)

        source = ROOT / "packages" / wheel.folder
        shutil.copytree(
            source, place / wheel.folder, ignore=shutil.ignore_patterns("src", "__pycache__")
        )
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, place)
        install("--group", f"{ROOT / 'pyproject.toml'}:test")
        run(python, "-I", "-m", "pytest", "-c", "pyproject.toml", "-q", "-n", "auto", wheel.folder)


def main() -> None:
    """Check every wheel."""
    house = {wheel.folder: wheel for wheel in map(read_wheel, (ROOT / "dist").glob("*.whl"))}
    for folder, wheel in sorted(house.items()):
        if missing := wheel.siblings - house.keys():
            sys.exit(f"{folder} needs a wheel in dist/ of {', '.join(sorted(missing))}")
        for extras in ((), wheel.extras) if wheel.extras else ((),):
            title = wheel.path.name + (f" with {', '.join(extras)}" if extras else "")
            print(f"== {title}", flush=True)
            try:
                check(wheel, house, extras)
            except subprocess.CalledProcessError as failure:
                sys.exit(f"{title} does not stand alone: exit {failure.returncode}")


if __name__ == "__main__":
    main()
