"""What the README of the package says about itself and the others, as data.

A claim is one row of its table: a scenario, what it shows of ours, and what it shows of each
library that is named. Whoever is not named in a row does well there, or has no such thing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import crews, scenarios

OURS = "aurora-circuit-breaker"

VERSIONS = {
    "aiobreaker": "1.2.0",
    "circuitbreaker": "2.1.3",
    "hyx": "0.0.2",
    "interlock-cb": "2.8.2",
    "purgatory": "3.0.1",
    "pybreaker": "1.4.1",
}
"""The newest of each on the day on which the claims were last looked at."""


@dataclass(frozen=True)
class Claim:
    """One row.

    Attributes:
        what: What is done.
        scenario: How.
        words: Each thing that may be seen, for people; the first is what ours must show.
        peers: By library, which of the others it shows.
    """

    what: str
    scenario: Callable[..., Any]
    words: Mapping[Any, str]
    peers: Mapping[str, Any]

    @property
    def ours(self) -> Any:
        """What must be seen of ours."""
        return next(iter(self.words))

    @property
    def row(self) -> str:
        """The row as the README has it."""
        elsewhere = [
            f"{words}: {', '.join(shown_by)}"
            for seen, words in self.words.items()
            if (shown_by := sorted(peer for peer, shows in self.peers.items() if shows == seen))
        ]
        return f"| {self.what} | {self.words[self.ours]} | {'; '.join(elsewhere)} |"


IN_ONE_PROCESS = (
    Claim(
        "100 callers at the moment of reset",
        scenarios.callers_at_reset,
        {1: "1 runs", 100: "100 run"},
        {"aiobreaker": 100, "circuitbreaker": 100, "hyx": 100, "purgatory": 100},
    ),
    Claim(
        "the probe is cancelled, 100 callers follow",
        scenarios.after_a_cancelled_probe,
        {
            ("half open", 1): "1 runs: the slot came back",
            ("closed", 100): "100 run, it counts as a success",
            ("half open", 100): "100 run",
            ("open", 0): "0 run, it counts as a failure",
        },
        {
            "aiobreaker": ("half open", 100),
            "circuitbreaker": ("closed", 100),
            "hyx": ("closed", 100),
            "purgatory": ("open", 0),
        },
    ),
    Claim(
        "a success from before the opening comes late",
        scenarios.after_a_late_success,
        {"open": "stays open", "closed": "closes"},
        {"circuitbreaker": "closed"},
    ),
    Claim(
        "the wall clock is set back an hour",
        scenarios.after_the_clock_was_set_back,
        {True: "no effect", False: "refuses an hour longer"},
        {"aiobreaker": False, "hyx": False, "purgatory": False, "pybreaker": False},
    ),
    Claim(
        "two threads call at once",
        scenarios.threads_run_side_by_side,
        {True: "both run", False: "one waits until the other is done"},
        {"pybreaker": False},
    ),
    Claim(
        "10,000 refusals",
        scenarios.errors_grow,
        {False: "10,000 small errors", True: "one error with 60,000 frames on it"},
        {"purgatory": True},
    ),
    Claim(
        "memory that a failing call held",
        scenarios.memory_after_a_failure,
        {False: "freed", True: "kept with the last error"},
        {"circuitbreaker": True, "interlock-cb": True},
    ),
    Claim(
        "memory that a refused caller held",
        scenarios.memory_after_a_refusal,
        {False: "freed", True: "kept with the error"},
        {"purgatory": True},
    ),
)

SHARED_BY_PROCESSES = (
    Claim(
        "8 processes at the moment of reset",
        crews.processes_at_reset,
        {1: "1 runs", 8: "8 run"},
        {"purgatory": 8, "pybreaker": 8},
    ),
    Claim(
        "a fresh process asks while the circuit is open",
        crews.first_question_of_a_fresh_process,
        {"refused": "refused", "running": "its first call runs"},
        {"interlock-cb": "running"},
    ),
    Claim(
        "the process of the probe is killed",
        crews.after_the_probe_was_killed,
        {True: "the next one within a lease", False: "nobody, as long as anybody asks"},
        {"interlock-cb": False},
    ),
    Claim(
        "8 processes fail 4 times each, 5 failures open it",
        crews.refused_after_failures_everywhere,
        {8: "all 8 are refused", 0: "nobody is refused"},
        {"interlock-cb": 0},
    ),
)
