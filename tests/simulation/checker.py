"""Holds what happened in a run against what is promised; knows nothing of how the run was made.

Each method is one promise and yields what breaks it, in words. Attempts are those that the world
saw, never those that the product tells of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from aurora_soar import (
    AgentOutput,
    Outcome,
    SubgoalEvent,
    SubgoalFinished,
    SubgoalStarted,
    ToolParked,
)
from aurora_soar.admission.memory import HEADROOM, PEAKS
from aurora_spawner import FailureType, RetryScheduled, SpawnResult

from .circuit import Circuit
from .drawing import Scenario
from .world import Attempt, Entry, History, kept_result

__all__ = ["Checker", "violations"]

_CLOSE = 1e-6
"""Seconds that are no difference: sums of times round."""

_FREE_LIMITS = 8
"""How many attempts of one task a provider's limit may end without using up a retry."""

_LONGEST_BACKOFF = 60.0
"""Seconds between two attempts, where no provider asked for more."""

_FIRST_PARK = 15.0
"""Seconds for which a tool rests at least after a limit that names no time."""


def violations(scenario: Scenario, history: History) -> list[str]:
    """What is broken; empty if nothing is."""
    return list(Checker(scenario, history).all())


class Checker:
    """The promises, for one run."""

    def __init__(self, scenario: Scenario, history: History) -> None:
        self._scenario = scenario
        self._history = history
        self._by_subgoal: dict[int, list[Attempt]] = {}
        for attempt in history.attempts:
            self._by_subgoal.setdefault(attempt.number, []).append(attempt)
        self._agents = {agent.id: agent for agent in scenario.registry}
        self._limit = scenario.options.get(
            "global_timeout", scenario.options["agent_timeout"] * 1.5
        )
        result = history.result
        self._outputs: dict[int, AgentOutput] = (
            {} if result is None else {each.subgoal_index: each for each in result.agent_outputs}
        )

    def all(self) -> Iterator[str]:
        """Every broken promise."""
        promises: tuple[Callable[[], Iterator[str]], ...] = (
            self.nothing_is_left,
            self.limits_hold,
            self.memory_suffices,
            self.dependencies_are_respected,
            self.attempts_are_bounded,
            self.deadline_holds,
            self.parked_tools_rest,
            self.halts_hold,
            self.nobody_idles,
            self.circuits_hold,
            self.budget_holds,
            self.subgoals_are_told_once,
        )
        for promise in promises:
            yield from promise()
        if self._history.result is not None:
            for promise in (self.outputs_are_complete, self.outputs_are_true, self.counts_are_true):
                yield from promise()

    def _walk(self) -> Iterator[tuple[Entry, list[Attempt]]]:
        """Every entry, and what ran just before it."""
        running: list[Attempt] = []
        for entry in self._history.entries:
            yield entry, running
            if entry.what == "began" and entry.attempt:
                running.append(entry.attempt)
            elif entry.what == "ended" and entry.attempt:
                running.remove(entry.attempt)

    def _begins(self) -> Iterator[tuple[Attempt, list[Attempt]]]:
        for entry, running in self._walk():
            if entry.what == "began" and entry.attempt:
                yield entry.attempt, running

    # Promises about the whole

    def nothing_is_left(self) -> Iterator[str]:
        """F25: no task, no timer and no attempt outlives the run, however it ends."""
        yield from (f"left behind: {what}" for what in self._history.left)
        for attempt in self._history.attempts:
            if attempt.ended is None:
                yield f"never ended: {attempt}"
        if self._history.result is None and self._scenario.cancel_at is None:
            yield "cancelled, though nobody asked for it"

    def limits_hold(self) -> Iterator[str]:
        """F38: never more at once than the run, the tool and the agent allow."""
        options = self._scenario.options
        for attempt, running in self._begins():
            beside = [*running, attempt]
            if len(beside) > options["max_concurrent"]:
                yield f"{len(beside)} at once at {attempt.began:g}s: {attempt}"
            through = sum(each.tool == attempt.tool for each in beside)
            if through > options["per_tool"].get(attempt.tool, through):
                yield f"{through} at once through {attempt.tool} at {attempt.began:g}s"
            asked = sum(each.agent == attempt.agent for each in beside)
            if asked > self._agents[attempt.agent].config.get("max_concurrent", asked):
                yield f"{asked} at once of {attempt.agent} at {attempt.began:g}s"
            if any(each.number == attempt.number for each in running):
                yield f"s{attempt.number} runs twice at {attempt.began:g}s"

    def memory_suffices(self) -> Iterator[str]:
        """F73: beside others nobody starts without the memory that all of them need."""
        if self._scenario.gigabytes is None:
            return
        for attempt, running in self._begins():
            needed = sum(PEAKS.get(each.tool, 0) for each in [*running, attempt])
            if running and needed + HEADROOM > self._scenario.gigabytes * 1e9:
                yield f"{needed} bytes needed at {attempt.began:g}s: {attempt}"

    def dependencies_are_respected(self) -> Iterator[str]:
        """F41: nobody starts before what it needs is done, nor where it is to be skipped; what it
        builds on, answers and failures, stands in its prompt."""
        done: dict[int, AgentOutput] = {}
        for entry, _ in self._walk():
            if isinstance(entry.told, SubgoalFinished):
                done[self._scenario.order[entry.told.position]] = entry.told.output
            if entry.what != "began" or entry.attempt is None:
                continue
            attempt = entry.attempt
            if attempt.number in done:
                yield f"began after its subgoal was done: {attempt}"
            for need in self._needs(attempt.number):
                output = done.get(need)
                if output is None:
                    yield f"began before s{need} was done: {attempt}"
                elif not output.success and self._on_failure(attempt.number) != "run":
                    yield f"began although s{need} failed: {attempt}"
                elif (output.output if output.success else "failed: ") not in attempt.prompt:
                    yield f"was not told what became of s{need}: {attempt}"

    def attempts_are_bounded(self) -> Iterator[str]:
        """At most retries + 1 attempts of one agent, provider's limits not counted, and those not
        without end; the plain LLM is asked once; what is permanent is not retried."""
        for number, attempts in self._by_subgoal.items():
            retries = self._subgoal(number).get("retries", self._scenario.options["max_retries"])
            for agent in {each.agent for each in attempts}:
                own = [each for each in attempts if each.agent == agent and not each.plain]
                limited = sum(_is_limited(each) for each in own)
                if len(own) - limited > retries + 1 or limited > retries + 1 + _FREE_LIMITS:
                    yield f"{len(own)} attempts, {limited} limited: s{number} by {agent}"
                for before in own[:-1]:
                    if before.result is not None and before.result.success:
                        yield f"asked again after its answer: {before}"
                    if before.result is not None and before.result.failure_type == "auth":
                        yield f"asked again though not logged in: {before}"
            if sum(each.plain for each in attempts) > 1:
                yield f"the plain LLM was asked more than once: s{number}"
            if any(each.plain for each in attempts[:-1]):
                yield f"asked after the plain LLM: s{number}"
            if (
                any(each.plain for each in attempts)
                and not self._scenario.options["fallback_to_llm"]
            ):
                yield f"the plain LLM was asked against the order: s{number}"

    def deadline_holds(self) -> Iterator[str]:
        """F44, F45: nothing starts after the global timeout, nor waits for a retry that would; the
        run ends there; a wait that the provider asked for precedes the retry."""
        for entry in self._history.entries:
            match entry.told:
                case SubgoalEvent(position, RetryScheduled(delay=delay)):
                    if entry.at + delay > self._deadline(entry.at) + _CLOSE:
                        yield f"waits for a retry after the deadline, at {entry.at:g}s: {position}"
        for attempt in self._history.attempts:
            if attempt.began > self._deadline(attempt.began) + _CLOSE:
                yield f"began after the deadline, at {attempt.began:g}s: {attempt}"
        # An agent takes two seconds at most to end.
        if self._history.ended > self._deadline(self._history.ended) + 2 + _CLOSE:
            yield f"ended at {self._history.ended:g}s, after the deadline"
        for attempts in self._by_subgoal.values():
            for before, after in pairwise(attempts):
                wait = before.result.retry_after if before.result else None
                same = before.agent == after.agent and not after.plain
                if wait and same and after.began < (before.ended or 0) + wait - _CLOSE:
                    yield f"did not wait {wait:g}s: {after}"

    def _deadline(self, now: float) -> float:
        """When the run has had its time, as it stands at `now`."""
        if self._scenario.options["parked_time_counts"]:
            return float(self._limit)
        parked, covered = 0.0, 0.0
        for entry in self._history.entries:
            if isinstance(entry.told, ToolParked) and entry.at <= now:
                until = entry.at + entry.told.seconds
                parked += max(0.0, until - max(entry.at, covered))
                covered = max(covered, until)
        return float(self._limit + parked)

    def parked_tools_rest(self) -> Iterator[str]:
        """F50: after a provider's limit nothing starts through its tool for as long as it asked,
        or for a while if it named no time."""
        until: dict[str, float] = {}
        since: dict[str, float] = {}
        met: set[str] = set()
        for entry, _ in self._walk():
            attempt = entry.attempt
            if attempt is None:
                continue
            if entry.what == "began":
                rest = until.get(attempt.tool, 0.0)
                # Whoever has its turn already goes on: let in at the moment of the limit, or the
                # plain LLM of an agent whose circuit refused it.
                news = entry.at > since.get(attempt.tool, 0.0) + _CLOSE
                if news and entry.at < rest - _CLOSE and not self._holds_its_turn(attempt):
                    yield f"began at {entry.at:g}s, before {rest:g}s: {attempt}"
                continue
            wait: float | None = None
            if entry.what == "notice":
                wait = entry.told.retry_after  # type: ignore[union-attr]
            elif not (_is_limited(attempt) and attempt.result and attempt.result.tool is not None):
                continue
            elif attempt.result is not None:
                wait = attempt.result.retry_after
            if wait is None and attempt.tool not in met:
                wait = _FIRST_PARK
            met.add(attempt.tool)
            if wait is not None and entry.at + wait > until.get(attempt.tool, 0.0):
                if entry.at >= until.get(attempt.tool, 0.0) - _CLOSE:
                    since[attempt.tool] = entry.at
                until[attempt.tool] = entry.at + wait

    def _holds_its_turn(self, attempt: Attempt) -> bool:
        """The plain LLM of an agent whose circuit is open; its turn was given before."""
        own = self._by_subgoal[attempt.number]
        return attempt.plain and not any(
            each.agent == attempt.agent and not each.plain for each in own
        )

    def halts_hold(self) -> Iterator[str]:
        """After a failed critical subgoal, an order to stop or a cancellation nothing starts."""
        halted_at: float | None = None
        strictly = False
        for entry, _ in self._walk():
            if entry.what == "began" and halted_at is not None:
                # A stop is heard by a task of its own, in the same moment.
                if strictly or entry.at > halted_at:
                    yield f"began after a halt at {halted_at:g}s: {entry.attempt}"
            elif entry.what in ("stopped", "cancelled"):
                halted_at = entry.at if halted_at is None else halted_at
            elif isinstance(entry.told, SubgoalFinished):
                number = self._scenario.order[entry.told.position]
                if self._subgoal(number)["is_critical"] and not entry.told.output.success:
                    halted_at, strictly = entry.at, True

    def nobody_idles(self) -> Iterator[str]:
        """While nothing runs, everybody waits for something: a provider, or a retry's backoff."""
        idle_since: float | None = 0.0
        busy_until = 0.0
        for entry, running in self._walk():
            if entry.what == "began":
                if idle_since is not None:
                    yield from self._idled(max(idle_since, busy_until), entry.at)
                idle_since = None
            elif entry.what == "ended":
                result = entry.attempt.result if entry.attempt else None
                wait = (result.retry_after if result else None) or 0.0
                busy_until = max(busy_until, entry.at + wait)
                idle_since = entry.at if len(running) == 1 else None
            elif isinstance(entry.told, ToolParked):
                busy_until = max(busy_until, entry.at + entry.told.seconds)
        if idle_since is not None:
            yield from self._idled(max(idle_since, busy_until), self._history.ended)

    def _idled(self, since: float, until: float) -> Iterator[str]:
        if until - since > _LONGEST_BACKOFF + _CLOSE:
            yield f"nothing ran from {since:g}s to {until:g}s"

    def circuits_hold(self) -> Iterator[str]:
        """F47-F50: an open circuit lets nobody in and a half open one a single probe; limits of a
        provider, failed checks and attempts that were cut count for nothing."""
        circuits = {
            agent.id: Circuit(self._scenario.circuits, adhoc=bool(agent.config.get("is_spawn")))
            for agent in self._scenario.registry
        }
        tickets: dict[Attempt, int] = {}
        for entry, _ in self._walk():
            attempt = entry.attempt
            if attempt is None or attempt.plain:
                continue
            circuit = circuits[attempt.agent]
            if entry.what == "began":
                refusal = circuit.refusal(entry.at)
                if refusal:
                    yield f"began at {entry.at:g}s though its circuit is {refusal}: {attempt}"
                tickets[attempt] = circuit.enter(entry.at)
            elif entry.what == "ended":
                circuit.leave(entry.at, tickets[attempt], *_told(attempt))
        for agent_id, circuit in circuits.items():
            told = self._history.circuits[agent_id]["state"]
            if told != circuit.phase(self._history.ended):
                expected = circuit.phase(self._history.ended)
                yield f"the circuit of {agent_id} is {told}, and should be {expected}"

    def budget_holds(self) -> Iterator[str]:
        """Nothing starts once the budget is spent or, as far as known, reserved: what goes beyond
        it is what ran already."""
        options = self._scenario.options
        in_usd = "budget_usd" in options
        budget = options.get("budget_usd", options.get("budget_tokens"))
        if budget is None:
            return
        ledger = _Ledger(budget, share=budget / len(self._scenario.order))
        for entry, _ in self._walk():
            attempt = entry.attempt
            if attempt is None:
                continue
            if entry.what == "began":
                fits = ledger.start(entry.at, attempt)
                # The plain LLM of a refused agent has the turn that was given to the agent.
                if not fits and not self._holds_its_turn(attempt):
                    yield f"began at {entry.at:g}s beyond the budget of {budget:g}: {attempt}"
            elif entry.what == "ended":
                ledger.end(entry.at, attempt, _cost(attempt.result, in_usd))

    def subgoals_are_told_once(self) -> Iterator[str]:
        """Each subgoal is told to finish at most once, and to start before that."""
        finished: Counter[int] = Counter()
        started: Counter[int] = Counter()
        for entry in self._history.entries:
            if isinstance(entry.told, SubgoalStarted):
                started[entry.told.position] += 1
                if finished[entry.told.position]:
                    yield f"told to start after its end: {entry.told.position}"
            elif isinstance(entry.told, SubgoalFinished):
                finished[entry.told.position] += 1
        for position, times in (started | finished).items():
            if times > 1:
                yield f"told {times} times: {position}"
        if self._history.result is not None and len(finished) != len(self._scenario.order):
            yield f"{len(finished)} subgoals told to finish"

    # Promises about what comes back

    def outputs_are_complete(self) -> Iterator[str]:
        """One output per assignment, in their order, also after the global timeout."""
        result = self._history.result
        assert result is not None
        asked = [(number, self._scenario.agents[number].id) for number in self._scenario.order]
        given = [(each.subgoal_index, each.agent_id) for each in result.agent_outputs]
        if asked != given:
            yield f"outputs for {given}, asked for {asked}"

    def outputs_are_true(self) -> Iterator[str]:
        """An answer is the last attempt's own; who failed, failed; who was skipped never ran."""
        for number, output in self._outputs.items():
            attempts = self._by_subgoal.get(number, [])
            last = attempts[-1] if attempts else None
            if (output.error is None) != output.success:
                yield f"s{number} is {output.outcome} with the error {output.error}"
            match output.outcome:
                case Outcome.OK if output.kept:
                    if attempts or output.output != kept_result(number).output:
                        yield f"s{number} was known, and asked all the same"
                case Outcome.OK:
                    if last is None or last.result is None or not last.result.success:
                        yield f"s{number} is ok, and its last attempt was not"
                    elif last.result.output != output.output:
                        yield f"s{number} answers {output.output!r}, not its last attempt's words"
                    else:
                        yield from self._answered_by(number, output, last)
                case Outcome.FAILED:
                    if last is None or (last.result is not None and last.result.success):
                        yield f"s{number} failed, and its last attempt did not"
                case Outcome.BLOCKED:
                    if any(each.agent == output.agent_id and not each.plain for each in attempts):
                        yield f"s{number} was blocked, and its agent was asked"
                    if not (output.error or "").startswith("Circuit breaker open"):
                        yield f"s{number} was blocked, and says {output.error!r}"
                case Outcome.SKIPPED:
                    if attempts:
                        yield f"s{number} was skipped, and ran"
                    yield from self._reason_to_skip(number, output)
                case Outcome.UNFINISHED:
                    if self._history.ended < self._limit - _CLOSE:
                        yield f"s{number} is unfinished, before the global timeout"
                    if "lobal timeout" not in (output.error or ""):
                        yield f"s{number} is unfinished, and says {output.error!r}"

    def _answered_by(self, number: int, output: AgentOutput, last: Attempt) -> Iterator[str]:
        other = last.agent if last.agent != output.agent_id and not last.plain else None
        if output.answered_by != other:
            yield f"s{number} was answered by {output.answered_by}, in truth by {last}"
        if output.fallback != (last.plain or other is not None):
            yield f"s{number} says fallback={output.fallback}, in truth {last}"

    def _reason_to_skip(self, number: int, output: AgentOutput) -> Iterator[str]:
        broken = [need for need in self._needs(number) if not self._outputs[need].success]
        error = output.error or ""
        if broken and self._on_failure(number) != "run":
            if error != f"needs {', '.join(f's{need}' for need in broken)}":
                yield f"s{number} was skipped, and says {error!r}"
            return
        told = {
            "critical": any(
                self._subgoal(each)["is_critical"] and not output.success
                for each, output in self._outputs.items()
            ),
            "which failed": any(each["on_dependency_failure"] == "stop" for each in self._plan()),
            "stopped": self._scenario.stop_at is not None,
            "budget of": not {"budget_usd", "budget_tokens"}.isdisjoint(self._scenario.options),
        }
        if not any(word in error and true for word, true in told.items()):
            yield f"s{number} was skipped without a reason: {error!r}"

    def counts_are_true(self) -> Iterator[str]:
        """Every count and list of the metadata is what the world has seen."""
        result = self._history.result
        assert result is not None
        meta = result.execution_metadata
        outputs = result.agent_outputs
        attempts = self._history.attempts
        own = [each for each in attempts if not each.plain]
        expected: dict[str, Any] = {
            "total_subgoals": len(self._scenario.order),
            "failed_subgoals": sum(each.outcome is not Outcome.OK for each in outputs),
            "spawn_count": len(meta["spawned_agents"]),
            "circuit_blocked_count": len(meta["circuit_blocked"]),
            "total_duration_ms": round(self._history.ended * 1000),
            "fallback_count": len(result.fallback_agents),
        }
        yield from (
            f"{key} is {meta[key]}, should be {value}"
            for key, value in expected.items()
            if meta[key] != value
        )
        adhoc = {
            (each.number, each.agent)
            for each in own
            if self._agents[each.agent].config.get("is_spawn")
        }
        if Counter(meta["spawned_agents"]) != Counter(agent for _, agent in adhoc):
            yield f"spawned_agents is {meta['spawned_agents']}, seen were {sorted(adhoc)}"
        early = Counter(
            (each.agent, each.result.termination_reason, _detected(each.result))
            for each in own
            if each.result is not None and each.result.termination_reason is not None
        )
        told = Counter(
            (each["agent_id"], each["reason"], each["detection_time"])
            for each in meta["early_terminations"]
        )
        if early != told:
            yield f"early_terminations is {told}, seen were {early}"
        retried = [
            output.agent_id
            for output in outputs
            if output.result is not None and self._retries(output) > 0
        ]
        if meta["retried_agents"] != retried:
            yield f"retried_agents is {meta['retried_agents']}, seen were {retried}"
        blocked = {(each["agent_id"], each["subgoal_index"]) for each in meta["circuit_blocked"]}
        for output in outputs:
            listed = (output.agent_id, output.subgoal_index) in blocked
            if output.outcome is Outcome.BLOCKED and not listed:
                yield f"s{output.subgoal_index} was blocked, and is not listed"
            others = any(
                each.plain or each.agent != output.agent_id
                for each in self._by_subgoal.get(output.subgoal_index, [])
            )
            # One that was asked for and found its circuit open has made no attempt.
            if others and output.result is not None and not output.fallback:
                yield f"s{output.subgoal_index} had a fallback, and does not say so"
        for agent, number in blocked:
            if any(
                each.agent == agent and not each.plain for each in self._by_subgoal.get(number, [])
            ):
                yield f"s{number} is listed as blocked, and {agent} was asked"

    # What the plan says

    def _plan(self) -> Iterator[Any]:
        yield from self._scenario.subgoals

    def _subgoal(self, number: int) -> Any:
        return self._scenario.subgoals[number]

    def _needs(self, number: int) -> list[int]:
        return [int(name[1:]) for name in self._subgoal(number)["depends_on"]]

    def _on_failure(self, number: int) -> str:
        return str(self._subgoal(number)["on_dependency_failure"])

    def _retries(self, output: AgentOutput) -> int:
        """Attempts after the first of the agent whose result it is."""
        own = [each for each in self._by_subgoal.get(output.subgoal_index, []) if not each.plain]
        if output.answered_by is not None or (output.success and own and output.fallback):
            last = self._by_subgoal[output.subgoal_index][-1].agent
            return max(sum(each.agent == last for each in own) - 1, 0)
        return max(sum(each.agent == output.agent_id for each in own) - 1, 0)


class _Ledger:
    """What is spent and reserved, as it was at each step of the present moment.

    A turn is given and used in the same moment, but not in the same step, and what ends between
    the two changes what is known. So a start is right if it was at any step of its moment.

    Args:
        budget: What all may cost.
        share: What the first of all is taken to cost.
    """

    def __init__(self, budget: float, share: float) -> None:
        self._budget = budget * (1 + 1e-9)
        self._share = share
        self._now = -1.0
        self._spent = 0.0
        self._reserved: dict[Attempt, float] = {}
        self._most: dict[str, float] = {}
        self._steps: list[tuple[float, dict[Attempt, float], dict[str, float]]] = []
        self._begun: list[tuple[int, Attempt, float]] = []

    def start(self, now: float, attempt: Attempt) -> bool:
        """Whether there was room for it."""
        self._step(now)
        fits, least = False, float("inf")
        for number, (spent, reserved, most) in enumerate(self._steps):
            expected = most.get(attempt.agent, max(most.values(), default=self._share))
            least = min(least, expected)
            since = {each: amount for step, each, amount in self._begun if step >= number}
            beside = sum((reserved | since).values())
            fits = fits or spent + beside + expected <= self._budget
        self._reserved[attempt] = least
        self._begun.append((len(self._steps) - 1, attempt, least))
        return fits

    def end(self, now: float, attempt: Attempt, cost: float | None) -> None:
        """It cost so much, as far as it told."""
        self._step(now)
        self._reserved.pop(attempt)
        if cost is not None:
            self._spent += cost
            self._most[attempt.agent] = max(cost, self._most.get(attempt.agent, 0.0))
        self._steps.append((self._spent, dict(self._reserved), dict(self._most)))

    def _step(self, now: float) -> None:
        if now != self._now:
            self._now = now
            self._begun = []
            self._steps = [(self._spent, dict(self._reserved), dict(self._most))]


def _is_limited(attempt: Attempt) -> bool:
    return attempt.result is not None and attempt.result.failure_type is FailureType.RATE_LIMIT


def _told(attempt: Attempt) -> tuple[str, FailureType | None]:
    """What a circuit is told of an attempt: success, failure with its type, or nothing."""
    if attempt.raised:
        return "failure", FailureType.CRASH
    if attempt.result is None:
        return "nothing", None
    if attempt.result.success:
        return "success", None
    # The one failure without a type is a limit in words.
    return "failure", attempt.result.failure_type or FailureType.RATE_LIMIT


def _cost(result: SpawnResult | None, in_usd: bool) -> float | None:
    if result is None:
        return None
    if in_usd:
        return result.cost_usd
    if result.tokens_in is None and result.tokens_out is None:
        return None
    return float((result.tokens_in or 0) + (result.tokens_out or 0))


def _detected(result: SpawnResult) -> int:
    seconds = result.execution_time if result.detection_time is None else result.detection_time
    return round(seconds * 1000)
