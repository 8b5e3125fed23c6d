"""Whether the simulation would notice: the product is broken here, in one way after the other."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aurora_circuit_breaker import CircuitBreaker, Permit
from aurora_soar.admission import Admission, Budget, Memory, Ticket
from aurora_soar.admission.throttle import Throttle
from aurora_soar.phases.collect import _Collect
from aurora_soar.phases.permits import Permits
from aurora_soar.tally import Tally
from aurora_spawner import FailureType
from aurora_spawner.recovery import _Recovery

from .simulate import simulate

Break = Callable[[pytest.MonkeyPatch], None]

SEEDS = range(400)
"""Where a break has to show, one of them at least; the first one that does ends the search."""


def _no_limit(patch: pytest.MonkeyPatch) -> None:
    made = Admission.__init__
    patch.setattr(Admission, "__init__", lambda self, limit, **rest: made(self, limit + 1, **rest))


def _no_limit_of_tools(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Throttle, "may_start", lambda self, running: self.parked_until is None)


def _no_limit_of_agents(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Admission, "_is_at_its_limit", lambda self, ticket: False)


def _no_rest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Admission, "limited", lambda self, ticket, retry_after, reason: None)


def _no_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Memory, "has_room", lambda self, kind: True)


def _no_dependencies(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Collect, "_broken_dependency", lambda self, assignment: None)


def _no_halt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Admission, "halt", lambda self, reason: None)


def _one_more_attempt(patch: pytest.MonkeyPatch) -> None:
    made = _Recovery.__init__

    def init(self: _Recovery, *args: Any) -> None:
        made(self, *args)
        self._attempts += 1

    patch.setattr(_Recovery, "__init__", init)


def _no_deadline(patch: pytest.MonkeyPatch) -> None:
    made = _Recovery.__init__
    patch.setattr(
        _Recovery,
        "__init__",
        lambda self, task, draw: made(self, replace(task, deadline=None), draw),
    )


def _no_permanent_failures(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Recovery, "_worth_retrying", lambda self, result, delay: True)


def _no_retry_after(patch: pytest.MonkeyPatch) -> None:
    # Neither the retry nor the tool waits as long as it was told to.
    limited = Admission.limited
    patch.setattr(
        Admission,
        "limited",
        lambda self, ticket, wait, reason: limited(self, ticket, wait and wait / 2, reason),
    )


def _open_circuits_let_in(patch: pytest.MonkeyPatch) -> None:
    admit = CircuitBreaker.admit

    def let_in(self: CircuitBreaker, agent_id: str, lease: float = 600.0) -> Any:
        permit = admit(self, agent_id, lease)
        return permit if permit.granted else _Forged()

    patch.setattr(CircuitBreaker, "admit", let_in)


class _Forged:
    granted = True
    reason = ""

    def success(self) -> None:
        """Tells nobody."""

    def failure(self, failure_type: str | None = None) -> None:
        """Tells nobody."""

    def release(self) -> None:
        """Tells nobody."""


def _limits_count(patch: pytest.MonkeyPatch) -> None:
    failure = Permit.failure

    def told(self: Permit, failure_type: str | None = None) -> None:
        limited = failure_type == FailureType.RATE_LIMIT
        failure(self, FailureType.CRASH if limited else failure_type)

    patch.setattr(Permit, "failure", told)


def _short_leases(patch: pytest.MonkeyPatch) -> None:
    made = Permits.__init__
    patch.setattr(
        Permits,
        "__init__",
        lambda self, breaker, agent_id, lease: made(self, breaker, agent_id, 0.001),
    )


def _told_twice(patch: pytest.MonkeyPatch) -> None:
    settle = Permits.settle

    def settled(self: Permits, result: Any) -> None:
        settle(self, result)
        if result is not None and not result.success and not result.fallback:
            self._breaker.record_failure(self._agent_id)

    patch.setattr(Permits, "settle", settled)


def _nothing_reserved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Budget, "reserve", lambda self, agent_id: 0.0)


def _no_timer_let_go(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Admission, "close", lambda self: None)


def _a_count_too_many(patch: pytest.MonkeyPatch) -> None:
    metadata = Tally.metadata
    patch.setattr(
        Tally,
        "metadata",
        lambda self, outputs, seconds: (
            metadata(self, outputs, seconds) | {"failed_subgoals": len(outputs)}
        ),
    )


def _places_lost(patch: pytest.MonkeyPatch) -> None:
    run = _Collect.run

    async def reversed_run(self: _Collect) -> Any:
        result = await run(self)
        return replace(result, agent_outputs=result.agent_outputs[::-1])

    patch.setattr(_Collect, "run", reversed_run)


def _turns_kept(patch: pytest.MonkeyPatch) -> None:
    give_back = Ticket.give_back
    patch.setattr(
        Ticket,
        "give_back",
        lambda self, result: None if result and result.success else give_back(self, result),
    )


BREAKS: dict[str, tuple[Break, str]] = {
    "one more than the limit": (_no_limit, "at once at"),
    "no limit of a tool": (_no_limit_of_tools, "at once through"),
    "no limit of an agent": (_no_limit_of_agents, "at once of"),
    "a limited tool goes on": (_no_rest, "before"),
    "half of Retry-After": (_no_retry_after, "before"),
    "no look at memory": (_no_memory, "bytes needed"),
    "failed dependencies ignored": (_no_dependencies, "although"),
    "a halt that halts nobody": (_no_halt, "after a halt"),
    "one attempt too many": (_one_more_attempt, "attempts,"),
    "retries after the deadline": (_no_deadline, "waits for a retry"),
    "permanent failures retried": (_no_permanent_failures, "not logged in"),
    "open circuits let in": (_open_circuits_let_in, "though its circuit is"),
    "limits count against the agent": (_limits_count, "circuit"),
    "leases too short": (_short_leases, "circuit"),
    "failures told twice": (_told_twice, "circuit"),
    "nothing reserved": (_nothing_reserved, "beyond the budget"),
    "timers left": (_no_timer_let_go, "left behind"),
    "a wrong count": (_a_count_too_many, "failed_subgoals"),
    "the order lost": (_places_lost, "outputs for"),
    "turns never given back": (_turns_kept, "nothing ran"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_product_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each break shows in some run as the promise that it breaks, with the seed to replay it."""
    break_it, said = BREAKS[name]
    break_it(monkeypatch)
    for seed in SEEDS:
        failures = simulate(seed)
        if any(said in line for line in failures):
            assert failures[0] == (
                f"seed {seed}; replay: .venv/bin/python -m tests.simulation {seed}"
            )
            return
    pytest.fail(f"{len(SEEDS)} runs have not noticed: {name}")
