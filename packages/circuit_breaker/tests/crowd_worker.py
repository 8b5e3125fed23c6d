"""A process that shares circuits with others and does what it is told, one line at a time.

    python crowd_worker.py SQLITE_PATH_OR_REDIS_URL PROBES LEASE

`fail ID N` tells N failures and answers `done`. `admit` asks for the circuit "x" and answers
`granted` or `refused`; `settle HOW` ends that permit and answers `done`. `traffic SEED FILE` goes
on for ever and writes what it does to the file: `telling` and `told` around each failure of
"tally", and around each probe of "x" `asking TIME`, `holding TIME`, `settling TIME HOW` and
`settled TIME`.
"""

import logging
import os
import random
import sys
import time

from aurora_circuit_breaker import CircuitBreaker
from aurora_circuit_breaker.stores import Store

# Seconds: a circuit that opens can be probed at once.
RESET = 0.001

# More than anybody tells here.
NEVER = 10**6


def store_of(address: str) -> Store:
    """The store that lives there."""
    if address.startswith("redis://"):
        from aurora_circuit_breaker.stores.redis import Redis, RedisStore

        return RedisStore(Redis.from_url(address))
    from aurora_circuit_breaker.stores.sqlite import SqliteStore

    # Nobody may fall back to what it sees itself: that would be another test.
    return SqliteStore(address, patience=60)


def obey(address: str, probes: int, lease: float) -> None:
    """Do what the lines say until they end."""
    store = store_of(address)
    breaker = CircuitBreaker(store=store, reset_timeout=RESET, probes=probes)
    patient = CircuitBreaker(
        store=store, failure_threshold=NEVER, fast_fail_threshold=NEVER, failure_window=3600
    )
    print("ready", flush=True)
    permit = breaker.admit("nobody")
    for line in sys.stdin:
        match line.split():
            case ["fail", agent_id, times]:
                for _ in range(int(times)):
                    patient.record_failure(agent_id)
                print("done", flush=True)
            case ["admit"]:
                permit = breaker.admit("x", lease)
                print("granted" if permit.granted else "refused", flush=True)
            case ["settle", how]:
                getattr(permit, how)()
                print("done", flush=True)
            case ["traffic", seed, path]:
                carry_on(breaker, patient, random.Random(int(seed)), path, lease)


def carry_on(
    breaker: CircuitBreaker,
    patient: CircuitBreaker,
    chance: random.Random,
    path: str,
    lease: float,
) -> None:
    """Tell failures and be a probe at times, until killed. Each line is one write."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def log(what: str) -> None:
        os.write(file, f"{what.replace('TIME', repr(time.monotonic()))}\n".encode())

    while True:
        if chance.random() < 0.5:
            log("telling")
            patient.record_failure("tally")
            log("told")
            continue
        log("asking TIME")
        permit = breaker.admit("x", lease)
        if permit.granted:
            log("holding TIME")
            time.sleep(chance.random() * 0.01)
            how = chance.choice(["failure", "release"])
            log(f"settling TIME {how}")
            getattr(permit, how)()
            log("settled TIME")


if __name__ == "__main__":
    # Thousands of openings, each worth a line to others.
    logging.disable()
    obey(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
