"""Two thousand misbehaving agents, a third of them cancelled: nothing is left of any."""

import asyncio
import random

from aurora_spawner import Policy, SpawnResult, SpawnTask, spawn
from aurora_spawner.descendants import bears, processes
from aurora_spawner.supervisor import get_supervisor
from aurora_spawner.testing import no_leaks

AGENTS = 2000
AT_ONCE = 40

HASTY = Policy("hasty", grace=0.1)

# What each of the ten does wrong, as a shell script; expected: success, or a word of its error.
KINDS = {
    "exits at once": ("exit 0", True),
    "fails at once": ("echo no >&2; exit 3", "exit 3: no"),
    "reads and answers": ("cat", True),
    "never reads its prompt": ("exec sleep 60", "Timeout"),
    "ignores TERM": ("trap '' TERM; sleep 60 & wait; sleep 60", "Timeout"),
    "holds the pipes by a child in its own session": ("setsid sleep 60 & exit 0", True),
    "leaves a daemon": ("(setsid sleep 60 >/dev/null 2>&1 &); exit 0", True),
    "floods": ("head -c 300000 /dev/zero; echo end", True),
    "closes its output and goes on": ("exec >&- 2>&-; sleep 0.05", True),
    "dies by a signal": ("kill -SEGV $$", "SIGSEGV"),
}


def test_nothing_is_left_of_two_thousand() -> None:
    """F25: one result each, as each deserves; no process, no descriptor, no timer is left."""
    seed = random.randrange(2**32)
    print(f"seed: {seed}")
    draw = random.Random(seed)
    names = [draw.choice(list(KINDS)) for _ in range(AGENTS)]
    cancelled = set(draw.sample(range(AGENTS), AGENTS // 3))

    async def main() -> list[SpawnResult | BaseException]:
        slots = asyncio.Semaphore(AT_ONCE)

        async def run(number: int) -> SpawnResult:
            task = SpawnTask(
                prompt="x" * 200_000 if number % 7 == 0 else "x",
                command=("sh", "-c", KINDS[names[number]][0]),
                timeout=1.0 if KINDS[names[number]][1] == "Timeout" else 60.0,
                policy=HASTY,
            )
            async with slots:
                running = asyncio.create_task(spawn(task))
                if number in cancelled:
                    await asyncio.sleep(draw.choice([0.0, 0.001, 0.01, 0.1]))
                    running.cancel()
                return await running

        return await asyncio.gather(*map(run, range(AGENTS)), return_exceptions=True)

    with no_leaks():
        results = asyncio.run(main())

    assert len(results) == AGENTS
    for number, result in enumerate(results):
        expected = KINDS[names[number]][1]
        if isinstance(result, asyncio.CancelledError):
            assert number in cancelled
        elif number not in cancelled:
            assert isinstance(result, SpawnResult)
            assert result.success is (expected is True), (names[number], result)
            assert expected is True or str(expected) in str(result.error), (names[number], result)
    word = get_supervisor().word.encode()
    assert [process for process in processes() if bears(process, word)] == []
