"""Break the breaker in every small way, and see whether its tests notice.

    python .ci/mutants.py [MODULE ...]

mutmut changes one operator, constant, name or argument at a time in the functions of `MODULES`,
and runs the tests that reach the change, the quick ones first, until one fails. This works on a
copy. It fails if fewer than `ENOUGH` of all changes are noticed, or if one that is not noticed
does not stand in `survivors.toml` with the reason.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "packages" / "circuit_breaker"
SOURCES = Path("src", "aurora_circuit_breaker")
SURVIVORS = Path(__file__).with_name("survivors.toml")

MODULES = ("breaker", "ledger", "permits", "policy", "state", "windows")

ENOUGH = 0.95

# Seconds: a change that makes the tests endless counts as noticed, and is ended by mutmut; this
# is for mutmut itself.
LIMIT = 60 * 60

# Few repetitions with other seeds, and no search for the shortest example: a change is noticed, or
# it is not.
BRIEFLY = {"AURORA_REPETITIONS": "5", "AURORA_HYPOTHESIS": "brief"}

# No plugin that reorders or spreads the tests, and the same examples for every change. Tests that
# start processes are left out: a change of one function is no business of theirs.
CONFIGURATION = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = [{modules}]
also_copy = ["README.md"]
pytest_add_cli_args_test_selection = [{tests}]
pytest_add_cli_args = ["-p", "no:randomly", "-p", "no:xdist", "--hypothesis-seed=0"]

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
asyncio_default_fixture_loop_scope = "function"
"""

NOTICED = frozenset({"killed", "timeout", "segfault"})


@dataclass(frozen=True, order=True)
class Change:
    """One change that no test noticed.

    Attributes:
        function: Module and function, such as `state.fail` or `breaker.Permit.success`.
        before: The lines that were taken out, stripped; a line break between them.
        after: Those that came in.
    """

    function: str
    before: str
    after: str

    def __str__(self) -> str:
        return "\n".join(
            (
                "[[survivor]]",
                f'function = "{self.function}"',
                f"before = {literal(self.before)}",
                f"after = {literal(self.after)}",
                'reason = ""',
            )
        )


def literal(text: str) -> str:
    """A TOML string."""
    return f"'''{text}'''" if "\n" in text or "'" in text else f"'{text}'"


def lay_out(place: Path, modules: Iterable[str]) -> None:
    """Copy the package and say what is to be changed in the copy."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE / "src", place / "src", ignore=ignore)
    shutil.copytree(PACKAGE / "tests", place / "tests", ignore=ignore)
    shutil.copy(PACKAGE / "README.md", place)
    changed = ", ".join(f'"{SOURCES / module}.py"' for module in modules)
    tests = ", ".join(
        f'"{path.relative_to(place)}"'
        for path in sorted((place / "tests").glob("test_*.py"))
        if "subprocess" not in (text := path.read_text(encoding="utf-8"))
        and "multiprocessing" not in text
    )
    configuration = CONFIGURATION.format(modules=changed, tests=tests)
    (place / "pyproject.toml").write_text(configuration, encoding="utf-8")


def mutmut(place: Path, *arguments: str, quiet: bool = True) -> str:
    """Run a command of mutmut's; what it printed if it is quiet, else nothing.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    command = (sys.executable, "-m", "mutmut", *arguments)
    done = subprocess.run(
        command,
        cwd=place,
        stdout=subprocess.PIPE if quiet else None,
        text=True,
        timeout=LIMIT,
        check=True,
        env={**os.environ, **BRIEFLY},
    )
    return done.stdout or ""


def outcomes(place: Path) -> dict[str, str]:
    """By the name that mutmut gives a change: what became of it."""
    lines = mutmut(place, "results", "--all", "true").splitlines()
    return dict(line.strip().split(": ", 1) for line in lines if ": " in line)


def function_of(name: str) -> str:
    """Module and function of a change.

    The names are made by mutmut: `aurora_circuit_breaker.state.x_fail__mutmut_3` for a function,
    `aurora_circuit_breaker.breaker.xǁPermitǁsuccess__mutmut_1` for a method.
    """
    module, _, mangled = name.removeprefix("aurora_circuit_breaker.").rpartition(".")
    plain = re.sub(r"__mutmut_\d+$", "", mangled)
    plain = plain.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in plain else plain[2:]
    return f"{module}.{plain}"


def change(place: Path, name: str) -> Change:
    """What was changed."""
    lines = mutmut(place, "show", name).splitlines()
    hunks = [line for line in lines if not line.startswith(("---", "+++", "#", "@@"))]
    before = "\n".join(line[1:].strip() for line in hunks if line.startswith("-"))
    after = "\n".join(line[1:].strip() for line in hunks if line.startswith("+"))
    return Change(function_of(name), before, after)


def explained() -> dict[Change, str]:
    """The changes of which it is known why no test notices them."""
    entries = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("survivor", [])
    return {Change(e["function"], e["before"], e["after"]): e["reason"] for e in entries}


def main(modules: list[str]) -> None:
    """Change, test, count, compare."""
    with tempfile.TemporaryDirectory(prefix="aurora-mutants-") as folder:
        place = Path(folder)
        lay_out(place, modules)
        mutmut(place, "run", "--max-children", str(os.cpu_count() or 1), quiet=False)
        became = outcomes(place)
        survivors = sorted(
            change(place, name) for name, outcome in became.items() if outcome not in NOTICED
        )

    print()
    noticed = Counter(function_of(n).partition(".")[0] for n, o in became.items() if o in NOTICED)
    made = Counter(function_of(name).partition(".")[0] for name in became)
    for module in sorted(made):
        print(f"{module:12} {noticed[module]:4} of {made[module]:4} noticed")
    share = noticed.total() / max(made.total(), 1)
    print(f"{'together':12} {noticed.total():4} of {made.total():4} noticed: {share:.1%}")

    known = explained()
    unexplained = [c for c in survivors if not known.get(c)]
    of_these = [c for c in known if c.function.partition(".")[0] in modules]
    for gone in sorted(set(of_these) - set(survivors)):
        print(f"\nNoticed by now, or not made any more; take it out of {SURVIVORS.name}:\n{gone}")
    for survivor in unexplained:
        print(f"\nNot noticed, for no reason that {SURVIVORS.name} gives:\n{survivor}")
    if share < ENOUGH:
        sys.exit(f"\nToo few are noticed: {share:.1%}, not {ENOUGH:.0%}.")
    if unexplained:
        sys.exit(f"\n{len(unexplained)} changes want a test, or a reason.")


if __name__ == "__main__":
    main(sys.argv[1:] or list(MODULES))
