"""The breaker against a model that is written the long way round, on each kind of store.

The model keeps every event of every agent since its last closing and derives each answer from the
whole list.
"""

from math import floor, inf

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    rule,
    run_state_machine_as_test,
)

from aurora_circuit_breaker import Backoff, CircuitBreaker, FailureRate, FailureType, SlowCalls

AGENTS = st.sampled_from(["reviewer", "adhoc-1"])
TYPES = st.sampled_from([None, *(failure_type.value for failure_type in FailureType)])
SECONDS = st.sampled_from([0.0, 1.0, 5.0, 10.0, 11.0, 30.0, 31.0, 119.0, 120.0, 299.0, 301.0])
WAITS = st.none() | st.sampled_from([0.0, 15.0, 200.0])
HARD = [
    *("crash", "error_pattern", "auth", "forbidden"),
    *("not_found", "invalid_model", "invalid_request"),
]
LEASES = st.sampled_from([50.0, 20.0])
SLOW = 4.0
RANDOM = 0.5


class Agent:
    """What the contract says about one agent, in the order in which it says it."""

    def __init__(self, adhoc, probes, thresholds, rate, slow, backoff):
        self.adhoc = adhoc
        self.probes = probes
        self.threshold, self.close = thresholds
        self.rate, self.slow, self.backoff = rate, slow, backoff
        self.epoch = 0  # changes of state, new probes among them
        self.forced = None
        self.healthy()

    def healthy(self):
        self.failures = []  # (time, type) since the last closing
        self.calls = []  # (time, failed, slow) since the last closing
        self.limited_until = -inf
        self.opened = False
        self.slots = []  # (end of the lease, epoch)

    def state(self, now):
        if self.forced is not None:
            return f"forced_{self.forced}"
        if self.opened:
            return "open" if now < self.retry_at else "half_open"
        return "limited" if now < self.limited_until else "closed"

    def refuses(self, now):
        if self.state(now) == "half_open":
            return sum(now < end for end, _ in self.slots) >= self.probes
        return self.state(now) in ("open", "limited", "forced_open")

    def window(self, now, seconds):
        return [failure for failure in self.failures if now - failure[0] <= seconds]

    def share_opens(self, now):
        # Calls leave by tenths of the window.
        calls = [c for c in self.calls if floor(c[0] / 30) > floor(now / 30) - 10]
        if self.rate and len(calls) >= 3 and sum(c[1] for c in calls) / len(calls) >= 0.5:
            return True
        return self.slow and len(calls) >= 3 and sum(c[2] for c in calls) / len(calls) >= 0.5

    def admit(self, now, lease):
        if self.refuses(now):
            return None
        if self.state(now) == "half_open":
            self.epoch += 1
            # The slot of whoever is overdue for longest is the first to be given away.
            self.slots.sort()
            del self.slots[: max(len(self.slots) + 1 - self.probes, 0)]
            self.slots.append((now + lease, self.epoch))
        return self.epoch

    def believes(self, epoch):
        if self.forced is not None:
            return False
        if epoch is None:
            return True
        if self.opened:
            return epoch in [mine for _, mine in self.slots]
        return epoch == self.epoch

    def fail(self, now, failure_type, fast_fail, seconds=0.0, retry_after=None, epoch=None):
        if not self.believes(epoch):
            return
        if failure_type in ("rate_limit", "check_failed"):
            self.release(epoch)
            if retry_after is not None and self.opened:
                self.retry_at = max(self.retry_at, now + retry_after)
            elif retry_after is not None:
                self.limited_until = max(self.limited_until, now + retry_after)
            return
        was = self.state(now)
        self.failures.append((now, failure_type))
        if not self.opened:
            self.calls.append((now, True, seconds > SLOW))
            close = self.window(now, 30 if self.adhoc else 10)
            hard = all(kind in HARD for _, kind in close)
            fast = fast_fail and len(close) >= self.close and (hard or not self.adhoc)
            many = len(self.window(now, 300)) >= self.threshold
            if fast or many or self.share_opens(now):
                self.open(now, self.limited_until)
        elif was == "half_open" or epoch is not None:
            self.open(now, self.retry_at)

    def open(self, now, not_before):
        if self.opened:
            self.lasts *= 2 if self.backoff else 1
        else:
            self.failures = self.window(now, 300)
            self.lasts = 120
        self.lasts = min(self.lasts, 400)
        seconds = self.lasts * (1 - 0.2 * RANDOM) if self.backoff else 120
        self.opened, self.slots = True, []
        self.retry_at = max(now + seconds, not_before)
        self.epoch += 1

    def succeed(self, now, seconds=0.0, epoch=None):
        if not self.believes(epoch):
            return
        slow = self.slow and seconds > SLOW
        if not self.opened:
            self.calls.append((now, False, slow))
            if self.share_opens(now):
                self.open(now, self.limited_until)
        elif slow:
            self.open(now, self.retry_at)
        else:
            self.close_again()

    def close_again(self):
        self.healthy()
        self.epoch += 1

    def release(self, epoch):
        self.slots = [slot for slot in self.slots if slot[1] != epoch]

    def force(self, how):
        if self.forced != how:
            self.forced = how
            self.close_again()

    def reset(self):
        if self.opened or self.forced:
            self.close_again()
        self.forced = None
        self.healthy()


class BreakerMachine(RuleBasedStateMachine):
    permits = Bundle("permits")

    def __init__(self, store_at):
        super().__init__()
        self.now = 0.0
        self.store = store_at(lambda: self.now)

    @initialize(
        probes=st.sampled_from([1, 1, 3]),
        many=st.booleans(),
        rate=st.booleans(),
        slow=st.booleans(),
        backoff=st.booleans(),
    )
    def start(self, probes, many, rate, slow, backoff):
        # Without rates the contract's numbers, with them such as let rates have a say.
        regular, adhoc, close = (50, 50, 50) if many and (rate or slow) else (2, 4, 2)
        self.breaker = CircuitBreaker(
            regular,
            adhoc,
            fast_fail_threshold=close,
            clock=lambda: self.now,
            store=self.store,
            probes=probes,
            failure_rate=FailureRate(0.5, minimum_calls=3) if rate else None,
            slow_calls=SlowCalls(SLOW, 0.5, minimum_calls=3) if slow else None,
            backoff=Backoff(2.0, 400.0, 0.2) if backoff else None,
            random=lambda: RANDOM,
        )
        numbers = {"rate": rate, "slow": slow, "backoff": backoff, "probes": probes}
        self.model = {
            "reviewer": Agent(False, thresholds=(regular, close), **numbers),
            "adhoc-1": Agent(True, thresholds=(adhoc, close), **numbers),
        }

    @rule(seconds=SECONDS)
    def wait(self, seconds):
        self.now += seconds

    @rule(agent_id=AGENTS)
    def wait_for_a_probe(self, agent_id):
        """Draws alone rarely get to where the rules are many."""
        agent = self.model[agent_id]
        while not agent.opened and agent.forced is None:
            self.record_failure(agent_id, "crash", True, None)
        if agent.opened:
            self.now = max(self.now, agent.retry_at)

    @rule(agent_id=AGENTS, failure_type=TYPES, fast_fail=st.booleans(), wait=WAITS)
    def record_failure(self, agent_id, failure_type, fast_fail, wait):
        wait = wait if failure_type == "rate_limit" else None
        self.breaker.record_failure(agent_id, fast_fail, failure_type, wait)
        self.model[agent_id].fail(self.now, failure_type, fast_fail, retry_after=wait)

    @rule(agent_id=AGENTS)
    def record_success(self, agent_id):
        self.breaker.record_success(agent_id)
        self.model[agent_id].succeed(self.now)

    @rule(agent_id=AGENTS, how=st.sampled_from(["open", "closed", None, None]))
    def force_or_reset(self, agent_id, how):
        if how is None:
            self.breaker.reset(agent_id)
            self.model[agent_id].reset()
        else:
            getattr(self.breaker, f"force_{how}")(agent_id)
            self.model[agent_id].force(how)

    @rule(target=permits, agent_id=AGENTS, lease=LEASES)
    def admit(self, agent_id, lease):
        permit = self.breaker.admit(agent_id, lease)
        epoch = self.model[agent_id].admit(self.now, lease)
        assert permit.granted is (epoch is not None)
        assert (permit.retry_after > 0) is bool(permit.reason) is not permit.granted
        return permit, epoch, self.now

    @rule(agent_id=AGENTS, failure=st.booleans())
    def run_at_once(self, agent_id, failure):
        self.settle(self.admit(agent_id, 20.0), "crash" if failure else "success", None)

    @rule(
        settled=consumes(permits),
        outcome=st.sampled_from(["success", "success", "release", *FailureType]),
        wait=WAITS,
    )
    def settle(self, settled, outcome, wait):
        permit, epoch, since = settled
        agent, seconds = self.model[permit.agent_id], self.now - since
        if outcome == "success":
            permit.success()
            if epoch is not None:
                agent.succeed(self.now, seconds, epoch)
        elif outcome == "release":
            permit.release()
            agent.release(epoch)
        else:
            wait = wait if outcome == "rate_limit" else None
            permit.failure(outcome, wait)
            if epoch is not None:
                agent.fail(self.now, outcome, True, seconds, wait, epoch)

    @rule(agent_id=AGENTS)
    def compare(self, agent_id):
        agent, status = self.model[agent_id], self.breaker.get_health_status(agent_id)
        recent = agent.window(self.now, 300)
        known = agent.failures if agent.opened else recent
        assert status["state"] == agent.state(self.now)
        assert status["failure_count"] == len(known)
        assert status["recent_failures"] == (min(len(recent), 32) if agent.opened else len(recent))
        assert status["last_failure_time"] == (known[-1][0] if known else None)
        assert status["can_execute"] is not agent.refuses(self.now)
        if status["state"] == "open":
            assert status["next_probe_time"] == pytest.approx(agent.retry_at)

    def teardown(self):
        if hasattr(self, "model"):
            for agent_id, agent in self.model.items():
                assert self.breaker.is_open(agent_id) is agent.refuses(self.now)
                self.compare(agent_id)


EXAMPLES = {"memory": 600, "sqlite": 60, "redis": 60}


def test_breaker_and_model_agree(store_at, request):
    """Whatever happens in whatever order, breaker and model agree on every answer."""
    examples = EXAMPLES[request.node.callspec.params["store_at"]]
    run_state_machine_as_test(
        lambda: BreakerMachine(store_at),
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
