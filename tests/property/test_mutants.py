"""The tests bite: each deliberate fault in the sources makes one of them fail."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PROPERTIES = "property/test_spawn_parallel.py"
SEED = "integration/soar/test_parallel_spawn_edge_cases.py"


@dataclass(frozen=True)
class Mutant:
    """A module, what is changed in it, and the tests that have to notice."""

    module: str
    before: str
    after: str
    tests: str


MUTANTS = {
    "the limit is ignored": Mutant(
        "aurora_spawner.pool", "if len(workers) < limit:", "if True:", PROPERTIES
    ),
    "results in the order of completion": Mutant(
        "aurora_spawner.pool", "results[index] = await", "results[len(results)] = await", PROPERTIES
    ),
    "the cancellation is swallowed": Mutant(
        "aurora_spawner.pool",
        "deserted = loop.create_future()\n            failure = error\n            dismiss()",
        "deserted = loop.create_future()",
        PROPERTIES,
    ),
    "siblings are waited for": Mutant(
        "aurora_spawner.pool",
        "failure = error\n            dismiss()\n        if",
        "failure = error\n        if",
        PROPERTIES,
    ),
    "a task is dropped": Mutant(
        "aurora_spawner.pool", "drawn += 1\n", "drawn += 1; next(source, None)\n", PROPERTIES
    ),
    "a retry does not wait": Mutant(
        "aurora_spawner.recovery", "await asyncio.sleep(delay)", "await asyncio.sleep(0)", SEED
    ),
    "there is no global timeout": Mutant(
        "aurora_soar.phases.collect",
        "return self._started + self._limit + parked",
        "return self._started + 1e9",
        SEED,
    ),
    "a failure counts twice": Mutant(
        "aurora_soar.phases.asking",
        "result = await services.recover(task)",
        "result = await services.recover(task)\n"
        "            if not result.success: services.breaker.record_failure(agent.id)",
        SEED,
    ),
    "nobody is asked": Mutant(
        "aurora_soar.phases.asking",
        "result = await services.recover(task)",
        'result = SpawnResult(True, "Result", None, 0)',
        SEED,
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_killed(name: str, tmp_path: Path) -> None:
    """Sources with this fault do not pass their tests."""
    mutant = MUTANTS[name]
    package, *inner = mutant.module.split(".")
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, tmp_path / package)
    module = (tmp_path / package).joinpath(*inner).with_suffix(".py")
    source = module.read_text()
    assert source.count(mutant.before) == 1, "the source has changed: write this mutant anew"
    module.write_text(source.replace(mutant.before, mutant.after))
    options = ["-q", "-x", "-c", str(TESTS.parent / "pyproject.toml"), "-p", "no:cacheprovider"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(TESTS / mutant.tests)],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "AURORA_HYPOTHESIS": "brief"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, f"survived, or never ran:\n{run.stdout}{run.stderr}"
    assert "1 failed" in run.stdout
