"""The journal when its program is killed, and when the disk is full: with real processes."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aurora_spawner.errors import JournalInUseError
from aurora_spawner.journal import Journal, content_of
from aurora_spawner.models import SpawnTask

# Writes results until it is killed, many at once, and says of each that it was acknowledged.
WRITER = """
import asyncio, itertools, os, sys
from aurora_spawner.journal import Journal, content_of
from aurora_spawner.models import SpawnResult, SpawnTask

async def labour(journal, name, size):
    for turn in itertools.count():
        identity = f"{name}.{turn}"
        content = content_of(SpawnTask(identity))
        execution = journal.started(identity, content)
        # While it works, so to say: the start is on the disk by itself.
        assert (await journal.recall(identity, content)).result is None
        result = SpawnResult(True, identity * size, None, 0)
        if await journal.finished(execution, result):
            os.write(1, f"{identity}\\n".encode())

async def main():
    path, prefix, workers, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with Journal.open(path) as journal:
        names = (f"{prefix}.{worker}" for worker in range(workers))
        await asyncio.gather(*(labour(journal, name, size) for name in names))

asyncio.run(main())
"""

# Holds a journal until its standard input ends.
HOLDER = """
import sys
from aurora_spawner.errors import JournalInUseError
from aurora_spawner.journal import Journal
try:
    with Journal.open(sys.argv[1]):
        print("held", flush=True)
        sys.stdin.read()
except JournalInUseError:
    print("refused", flush=True)
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def recalled(journal: Journal, identities: list[str]) -> dict[str, str]:
    """The outputs that the journal kept for these tasks."""

    async def ask() -> dict[str, str]:
        found = {}
        for identity in identities:
            kept = (await journal.recall(identity, content_of(SpawnTask(identity)))).result
            if kept is not None:
                found[identity] = kept.output
        return found

    return asyncio.run(ask())


def killed_writer(
    path: Path, prefix: object, acknowledged: int, workers: int, size: int, delay: float = 0.0
) -> str:
    """What a writer had acknowledged when it was killed `delay` seconds after so many results."""
    with start(WRITER, path, prefix, workers, size) as writer:
        assert writer.stdout is not None
        said = "".join(writer.stdout.readline() for _ in range(acknowledged))
        time.sleep(delay)
        writer.kill()
        return said + writer.stdout.read()


@pytest.mark.parametrize("series", range(3))
def test_no_acknowledged_result_is_lost_to_sigkill(tmp_path: Path, series: int) -> None:
    """F54: after each of eight kills at random moments, every acknowledged result is there.

    The journal is whole each time, goes on in the next run, and tells which tasks were cut off.
    """
    path = tmp_path / "run.db"
    acknowledged: dict[str, str] = {}
    for kill in range(8):
        workers, size = random.choice([(1, 1), (10, 200), (50, 1), (50, 1000), (5, 50_000)])
        count = random.randint(1, 60)
        # At once meets what is said too early; a little later, a write half done.
        delay = random.choice([0.0, random.uniform(0.0, 0.02)])
        said = killed_writer(path, kill, count, workers, size, delay).splitlines()
        acknowledged |= {identity: identity * size for identity in said}
        with Journal.open(path) as journal:
            assert recalled(journal, list(acknowledged)) == acknowledged
            assert journal.last_run is not None
            assert journal.last_run.ended is None
            interrupted = journal.last_run.interrupted
            assert len(interrupted) <= workers
            assert not {*interrupted} & acknowledged.keys()
            for line in journal.export():
                assert line["result"] is None or line["result"]["output"]


def test_a_write_that_was_cut_off_is_rolled_back_and_told(tmp_path: Path) -> None:
    """F55: wherever the log ends, what was committed before is there, the rest is told.

    Results are never changed, and never lost out of order.
    """
    written = tmp_path / "run.db"
    killed_writer(written, 0, 6, 1, 3000)
    log = (tmp_path / "run.db-wal").read_bytes()
    copy = tmp_path / "copy.db"
    cuts = {0, len(log), *(random.randrange(len(log)) for _ in range(40))}
    most = 0
    for cut in sorted(cuts):
        shutil.copy(written, copy)
        (tmp_path / "copy.db-wal").write_bytes(log[:cut])
        with Journal.open(copy) as journal:
            lines = [line for line in journal.export() if line["run"] == 1]
            kept = [line["identity"] for line in lines if line["result"] is not None]
            assert kept == [f"0.0.{turn}" for turn in range(len(kept))]
            assert recalled(journal, kept) == {identity: identity * 3000 for identity in kept}
            assert len(kept) >= most
            most = len(kept)
            if journal.last_run is None:
                continue
            waiting = [line["identity"] for line in lines if line["result"] is None]
            assert list(journal.last_run.interrupted) == waiting
            at_page = (cut - 32) % (24 + 4096) == 0
            assert journal.last_run.cut_off or at_page
        copy.unlink()
    assert most >= 6


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    """F57: a journal that another process holds is refused by name of that process.

    Once that is killed, the journal opens at once; no lock outlives its holder.
    """
    path = tmp_path / "run.db"
    with start(HOLDER, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalInUseError, match=f"in use by process {holder.pid};") as refused:
            Journal.open(path)
        assert refused.value.pid == holder.pid
        holder.kill()
    with Journal.open(path) as journal:
        assert journal.last_run is not None
        assert journal.last_run.pid == holder.pid


def test_a_second_opening_in_one_program_is_refused(tmp_path: Path) -> None:
    """F57: the same program is refused as well, and does not loosen its own hold by trying."""
    path = tmp_path / "run.db"
    with Journal.open(path) as journal:
        with pytest.raises(JournalInUseError):
            Journal.open(path)
        with start(HOLDER, path) as other:
            assert other.communicate()[0] == "refused\n"
        assert recalled(journal, ["a"]) == {}


def test_of_many_at_once_one_gets_the_journal(tmp_path: Path) -> None:
    """F57: when several start together on a journal that is not there yet, one of them runs."""
    path = tmp_path / "run.db"
    children = [start(HOLDER, path) for _ in range(5)]
    # Only now may the one that holds it let go.
    answers = [child.stdout.readline() for child in children if child.stdout is not None]
    for child in children:
        child.communicate()
    assert sorted(answers) == ["held\n"] + ["refused\n"] * 4


# Fills what room there is, then gets more: argv is the folder and how much a full disk is done.
FILLER = """
import asyncio, json, logging, os, resource, sys
from aurora_spawner.errors import JournalError
from aurora_spawner.journal import Journal, content_of
from aurora_spawner.models import SpawnResult, SpawnTask

folder, how = sys.argv[1:]
path, ballast = f"{folder}/run.db", f"{folder}/ballast"
told = []
handler = logging.Handler()
handler.emit = lambda record: told.append(record.getMessage())
logging.getLogger("aurora_spawner").addHandler(handler)

def make_room():
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    else:
        os.unlink(ballast)

if how == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
else:
    with open(ballast, "wb") as file:
        file.write(bytes(500_000))

async def write(journal, name, size):
    execution = journal.started(name, content_of(SpawnTask(name)))
    return await journal.finished(execution, SpawnResult(True, "x" * size, None, 0))

async def fill():
    with Journal.open(path) as journal:
        kept = {f"one {n}": await write(journal, f"one {n}", 50_000) for n in range(20)}
        names = [f"many {n}" for n in range(20)]
        many = await asyncio.gather(*(write(journal, name, 30_000) for name in names))
        kept |= dict(zip(names, many))
        trouble = journal.trouble
        if sys.argv[2] == "limit":
            make_room()
            kept["room"] = await write(journal, "room", 200_000)
    return kept, trouble

kept, trouble = asyncio.run(fill())
refused = None
if how == "disk":
    try:
        Journal.open(path).close()
    except JournalError as error:
        refused = str(error)
    make_room()

async def read():
    with Journal.open(path) as journal:
        found = {}
        for name in kept:
            found[name] = (await journal.recall(name, content_of(SpawnTask(name)))).result
        sizes = {name: len(result.output) for name, result in found.items() if result}
        return sizes, await write(journal, "after", 50_000)

sizes, after = asyncio.run(read())
print(json.dumps(dict(
    kept=kept, trouble=trouble, told=told, refused=refused, sizes=sizes, after=after,
    files=sorted(os.listdir(folder)),
)))
"""


def fill(folder: Path, how: str) -> dict[str, object]:
    """Run the filler on a disk of its own, or under a limit on the size of its files."""
    program = [sys.executable, "-c", FILLER, str(folder), how]
    if how == "disk":
        mount = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'
        program = ["unshare", "-rm", "sh", "-c", mount, str(folder), *program]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    report: dict[str, object] = json.loads(ended.stdout)
    return report


def can_mount() -> bool:
    """Whether this user may have a small disk of its own."""
    unshare = shutil.which("unshare")
    mount = ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        unshare is not None
        and not subprocess.run([unshare, *mount], capture_output=True, check=False).returncode
    )


@pytest.mark.parametrize("how", ["limit", "disk"])
def test_a_full_disk_stops_nobody(tmp_path: Path, how: str) -> None:
    """F58: on a full disk results still come back, it is told once, and nothing kept is spoilt.

    What was said to be kept is, what was not is not there in part, and with room again the
    journal goes on.
    """
    if how == "disk" and not can_mount():
        pytest.skip("no user namespaces here")
    report = fill(tmp_path, how)
    kept, sizes, told = report["kept"], report["sizes"], report["told"]
    assert isinstance(kept, dict)
    assert isinstance(sizes, dict)
    assert isinstance(told, list)
    assert kept["one 0"]
    assert not kept["one 19"]
    assert {name for name, said in kept.items() if said} == sizes.keys()
    assert all(
        size == {"one": 50_000, "many": 30_000, "room": 200_000}[name.split()[0]]
        for name, size in sizes.items()
    )
    assert told == [report["trouble"]]
    assert "cannot be written" in told[0]
    assert kept.get("room", True)
    assert report["after"] is True
    assert report["files"] == ["run.db"]
    if how == "disk":
        assert "full); make room for it" in str(report["refused"])
        assert "database or disk is full" in told[0]


def test_sigkill_is_what_the_writer_dies_of(tmp_path: Path) -> None:
    """The kills above are real: the writer neither closes its journal nor ends by itself."""
    with start(WRITER, tmp_path / "run.db", "x", 1, 1) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.kill()
    assert writer.returncode == -signal.SIGKILL
    assert (tmp_path / "run.db-wal").stat().st_size > 0
