"""Full logs on disk."""

import stat
from pathlib import Path

import pytest

from aurora_spawner import SpawnTask, spawn
from aurora_spawner.logs import OutputLogs
from aurora_spawner.testing import FakeAgent, no_leaks

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


async def test_f4_the_log_has_all_that_memory_has_not(tmp_path: Path) -> None:
    """F4, F7: what is dropped from memory is in the log, byte for byte, undecodable bytes too."""
    folder = tmp_path / "run" / "logs"
    agent = FakeAgent().fill(20_000_000, b"\xffline\n").write("trouble\n", to="stderr")
    with no_leaks():
        result = await spawn(SpawnTask("", command=agent.argv(), log_dir=str(folder)))
    assert result.dropped_bytes > 0
    assert (folder / "stdout.log").read_bytes() == (b"\xffline\n" * 3_400_000)[:20_000_000]
    assert (folder / "stderr.log").read_text() == "trouble\n"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "stdout.log").stat().st_mode) == 0o600


async def test_f64_no_secret_reaches_the_log(tmp_path: Path) -> None:
    """F64: a secret that the agent says, cut in two writes, is not in the log."""
    agent = FakeAgent().write("my key is sk-1234567890\n", cut=14)
    task = SpawnTask(
        "", command=agent.argv(), env={"SOME_API_KEY": "sk-1234567890"}, log_dir=str(tmp_path)
    )
    result = await spawn(task)
    assert result.success
    assert (tmp_path / "stdout.log").read_text() == "my key is [redacted]\n"


async def test_f58_a_full_disk_costs_the_log_only(tmp_path: Path) -> None:
    """F58: where the log cannot be written, the result is whole and says so."""
    (tmp_path / "stdout.log").symlink_to("/dev/full")
    result = await spawn(SpawnTask("answer", command=("cat",), log_dir=str(tmp_path)))
    assert (result.success, result.output) == (True, "answer")
    assert any("could be logged" in warning for warning in result.warnings)


async def test_a_failed_write_is_kept_and_ends_the_logging() -> None:
    """An error of the disk is kept in `failure`; later writes are nothing."""
    logs = OutputLogs("/dev/null/nowhere", [])
    assert isinstance(logs.failure, OSError)
    logs.write("stdout", b"more")
    logs.close()
