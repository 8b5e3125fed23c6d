"""The breaker against a model that is written the long way round.

The model keeps every event of every agent for ever and derives each answer from the whole list.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from aurora_circuit_breaker import CircuitBreaker, FailureType

AGENTS = st.sampled_from(["reviewer", "adhoc-1"])
TYPES = st.sampled_from([None, *(failure_type.value for failure_type in FailureType)])
SECONDS = st.sampled_from([0.0, 1.0, 5.0, 10.0, 11.0, 30.0, 31.0, 119.0, 120.0, 299.0, 301.0])
HARD = [
    *("crash", "error_pattern", "auth", "forbidden"),
    *("not_found", "invalid_model", "invalid_request"),
]
LEASE = 50.0


class Agent:
    """What the contract says about one agent, in the order in which it says it."""

    def __init__(self, adhoc):
        self.adhoc = adhoc
        self.failures = []  # (time, type) since the last closing
        self.opened_at = None
        self.epoch = 0  # changes of state, new probes among them
        self.probe = None  # (epoch, end of its lease)

    def state(self, now):
        if self.opened_at is None:
            return "closed"
        return "open" if now < self.opened_at + 120 else "half_open"

    def refuses(self, now):
        if self.state(now) == "half_open":
            return self.probe is not None and now < self.probe[1]
        return self.state(now) == "open"

    def window(self, now, seconds):
        return [failure for failure in self.failures if now - failure[0] <= seconds]

    def admit(self, now):
        if self.refuses(now):
            return None
        if self.state(now) == "half_open":
            self.epoch += 1
            self.probe = (self.epoch, now + LEASE)
        return self.epoch

    def fail(self, now, failure_type, fast_fail, epoch=None):
        if epoch is not None and epoch != self.epoch:
            return
        if failure_type in ("rate_limit", "check_failed"):
            self.release(epoch)
            return
        was = self.state(now)
        self.failures.append((now, failure_type))
        if was == "closed":
            close = self.window(now, 30 if self.adhoc else 10)
            hard = all(kind in HARD for _, kind in close)
            fast = fast_fail and len(close) >= 2 and (hard or not self.adhoc)
            if fast or len(self.window(now, 300)) >= (4 if self.adhoc else 2):
                self.open(now)
        elif was == "half_open" or epoch is not None:
            self.open(now)

    def open(self, now):
        if self.opened_at is None:
            self.failures = self.window(now, 300)
        self.opened_at, self.probe = now, None
        self.epoch += 1

    def succeed(self, epoch=None):
        if self.opened_at is not None and epoch in (None, self.epoch):
            self.opened_at, self.probe, self.failures = None, None, []
            self.epoch += 1

    def release(self, epoch):
        if self.probe is not None and epoch == self.probe[0]:
            self.probe = None

    def reset(self):
        self.succeed()
        self.failures = []


class BreakerMachine(RuleBasedStateMachine):
    permits = Bundle("permits")

    @initialize()
    def start(self):
        self.now = 0.0
        self.breaker = CircuitBreaker(clock=lambda: self.now)
        self.model = {"reviewer": Agent(adhoc=False), "adhoc-1": Agent(adhoc=True)}

    @rule(seconds=SECONDS)
    def wait(self, seconds):
        self.now += seconds

    @rule(agent_id=AGENTS, failure_type=TYPES, fast_fail=st.booleans())
    def record_failure(self, agent_id, failure_type, fast_fail):
        self.breaker.record_failure(agent_id, fast_fail, failure_type)
        self.model[agent_id].fail(self.now, failure_type, fast_fail)

    @rule(agent_id=AGENTS)
    def record_success(self, agent_id):
        self.breaker.record_success(agent_id)
        self.model[agent_id].succeed()

    @rule(agent_id=AGENTS)
    def reset(self, agent_id):
        self.breaker.reset(agent_id)
        self.model[agent_id].reset()

    @rule(target=permits, agent_id=AGENTS)
    def admit(self, agent_id):
        permit = self.breaker.admit(agent_id, LEASE)
        epoch = self.model[agent_id].admit(self.now)
        assert permit.granted is (epoch is not None)
        assert (permit.retry_after > 0) is bool(permit.reason) is not permit.granted
        return permit, epoch

    @rule(settled=consumes(permits), outcome=st.sampled_from(["success", "release", *FailureType]))
    def settle(self, settled, outcome):
        permit, epoch = settled
        agent = self.model[permit.agent_id]
        if outcome == "success":
            permit.success()
            if epoch is not None:
                agent.succeed(epoch)
        elif outcome == "release":
            permit.release()
            agent.release(epoch)
        else:
            permit.failure(outcome)
            if epoch is not None:
                agent.fail(self.now, outcome, True, epoch)

    @rule(agent_id=AGENTS)
    def compare(self, agent_id):
        agent, status = self.model[agent_id], self.breaker.get_health_status(agent_id)
        recent = agent.window(self.now, 300)
        known = recent if agent.opened_at is None else agent.failures
        assert status["state"] == agent.state(self.now)
        assert status["failure_count"] == len(known)
        assert status["recent_failures"] == min(len(recent), 32)
        assert status["last_failure_time"] == (known[-1][0] if known else None)
        assert status["can_execute"] is not agent.refuses(self.now)

    def teardown(self):
        if hasattr(self, "model"):
            for agent_id, agent in self.model.items():
                assert self.breaker.is_open(agent_id) is agent.refuses(self.now)
                self.compare(agent_id)


BreakerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


class TestAgainstTheModel(BreakerMachine.TestCase):
    """Whatever happens in whatever order, breaker and model agree on every answer."""
