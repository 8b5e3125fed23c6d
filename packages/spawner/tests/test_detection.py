"""The watch, as a function of bytes and times."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner import (
    EarlyDetectionMonitor,
    get_early_detection_monitor,
    reset_early_detection_monitor,
)
from aurora_spawner.detection import Detection, Pattern, Retrying, Watch, WatchRules
from aurora_spawner.failures import FailureType

AUTH = Pattern(b"invalid api key", "authentication error", FailureType.AUTH)
STOPPED = Detection("Early detection: authentication error pattern detected", FailureType.AUTH)


def patterned() -> Watch:
    return Watch(WatchRules(60, 60, terminal=(AUTH,)), 0)


LIMITED = Retrying("claude retries 1/10: rate_limit", FailureType.RATE_LIMIT, 20.0)
OVERLOADED = Retrying("claude retries 1/10: overloaded", FailureType.INFERENCE)


class TestToolsOfTheAgent:
    def test_silence_is_healthy_meanwhile(self) -> None:
        """While a tool of the agent's runs, neither silence nor the time without activity ends it;
        the longest time does."""
        watch = Watch(WatchRules(60, 300, idle_limit=30), 0)
        watch.saw("stdout", b"x", 10)
        watch.worked(1)
        checked = 0
        while (now := watch.due()) < 300:
            assert watch.check(now) is None
            assert watch.due() > now
            checked += 1
        assert checked
        assert watch.check(300) == Detection("Timeout after 300s", FailureType.TIMEOUT)

    def test_it_counts_again_afterwards(self) -> None:
        """Once the tool has ended, silence counts from its last output on."""
        watch = Watch(WatchRules(60, 300, idle_limit=30), 0)
        watch.worked(1)
        watch.saw("stdout", b"x", 100)
        watch.worked(0)
        while (now := watch.due()) < 130:
            assert watch.check(now) is None
        assert now == 130
        assert watch.check(130) == Detection(
            "Early detection: no output for 30s", FailureType.TIMEOUT
        )


class TestRetriesOfTheTool:
    def test_a_limit_before_any_work_stops(self) -> None:
        """Who has done nothing yet is ended at the first word of a limit, which tells how long to
        wait."""
        assert Watch(WatchRules(60, 60), 0).retries(LIMITED) == Detection(
            "Early detection: claude retries 1/10: rate_limit", FailureType.RATE_LIMIT, 20.0
        )

    def test_f13_work_is_not_thrown_away(self) -> None:
        """F13: who has worked goes on with its tool's own retries, which only warn."""
        watch = Watch(WatchRules(60, 60), 0)
        watch.worked()
        assert watch.retries(LIMITED) is None
        assert watch.warnings == [LIMITED.reason]

    def test_f13_other_retries_warn(self) -> None:
        """F13: a retry for another cause than a limit only warns, whether work was done or not."""
        watch = Watch(WatchRules(60, 60), 0)
        assert watch.retries(OVERLOADED) is None
        assert watch.warnings == [OVERLOADED.reason]

    @pytest.mark.parametrize(
        ("rules", "now", "reason"),
        [
            (WatchRules(60, 60), 60, "Timeout after 60s"),
            (WatchRules(60, 60, idle_limit=30), 30, "Early detection: no output for 30s"),
        ],
    )
    def test_out_of_time_while_it_retries(self, rules: WatchRules, now: float, reason: str) -> None:
        """Whose time is over while its tool retries for a limit failed by the limit; whose agent
        has worked since did not."""
        watch = Watch(rules, 0)
        watch.worked()
        watch.retries(LIMITED)
        assert watch.check(now) == Detection(
            f"{reason}; {LIMITED.reason}", FailureType.RATE_LIMIT, LIMITED.retry_after
        )
        watch.worked()
        assert watch.check(now) == Detection(reason, FailureType.TIMEOUT)

    @pytest.mark.parametrize("kind", [FailureType.AUTH, FailureType.FORBIDDEN])
    def test_refused_twice(self, kind: FailureType) -> None:
        """A refusal may be cured by a token that is renewed; the second one shows that it was not,
        and stops who has done nothing yet."""
        refused = Retrying("claude retries: authentication_failed", kind)
        watch = Watch(WatchRules(60, 60), 0)
        assert watch.retries(refused) is None
        assert watch.retries(refused) == Detection(f"Early detection: {refused.reason}", kind)
        watch.worked()
        assert watch.retries(refused) is None

    @pytest.mark.parametrize("retrying", [LIMITED, OVERLOADED])
    @pytest.mark.parametrize("worked", [False, True])
    def test_inner_retries_off(self, retrying: Retrying, worked: bool) -> None:
        """Where a policy wants no retries inside the tool, the first one stops it."""
        watch = Watch(WatchRules(60, 60, inner_retries=False), 0)
        if worked:
            watch.worked()
        found = watch.retries(retrying)
        assert found is not None
        assert found.failure_type is retrying.failure_type


class TestPatterns:
    def test_f13_a_terminal_pattern_stops(self) -> None:
        """F13: a terminal pattern on standard error stops at once, in whatever case, and says
        what it means."""
        assert patterned().saw("stderr", b"Error: INVALID API Key.\n", 1) == STOPPED

    def test_f12_standard_output_is_not_searched(self) -> None:
        """F12: an answer that talks about errors is an answer."""
        watch = patterned()
        assert watch.saw("stdout", b"invalid api key, status 429", 1) is None
        assert watch.warnings == []

    @given(st.data())
    def test_f11_split_across_reads(self, data: st.DataObject) -> None:
        """F11: a pattern is found wherever reads cut it, at the read that completes it."""
        before = data.draw(st.binary(max_size=30).filter(lambda b: b"i" not in b.lower()))
        text = before + b"Invalid API key" + data.draw(st.binary(max_size=30))
        cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=20))
        borders = [0, *sorted(cuts), len(text)]
        watch = patterned()
        complete = len(before) + len(AUTH.needle)
        for start, end in pairwise(borders):
            found = watch.saw("stderr", text[start:end], 1)
            assert (found is not None) == (start < complete <= end)
            if found is not None:
                break

    @given(st.lists(st.binary(max_size=30)))
    def test_nothing_is_found_where_nothing_is(self, chunks: list[bytes]) -> None:
        """A watch stops for a pattern only if the whole of standard error holds it."""
        watch = patterned()
        found = [watch.saw("stderr", chunk, 1) for chunk in chunks]
        assert any(found) == (AUTH.needle in b"".join(chunks).lower())

    def test_the_streams_are_apart(self) -> None:
        """A pattern half on one stream and half on the other is none."""
        watch = patterned()
        assert watch.saw("stderr", b"invalid ", 1) is None
        assert watch.saw("stdout", b"api ", 1) is None
        assert watch.saw("stderr", b"key", 1) is None


class TestDeadline:
    def test_timeout(self) -> None:
        """F18: without activity the deadline is the timeout, and the reason names it."""
        watch = Watch(WatchRules(60, 300), 1000)
        assert watch.due() == 1060
        assert watch.check(1059) is None
        assert watch.check(1060) == Detection("Timeout after 60s", FailureType.TIMEOUT)

    def test_activity_moves_it(self) -> None:
        """Output moves the deadline to one further timeout after it was seen."""
        watch = Watch(WatchRules(60, 300), 1000)
        watch.saw("stdout", b".", 1050)
        assert watch.check(1060) is None
        assert watch.due() == 1110
        assert watch.check(1110) == Detection("Timeout after 110s", FailureType.TIMEOUT)

    @given(st.lists(st.floats(0.001, 59), max_size=60), st.floats(60, 300))
    def test_never_past_the_bound(self, pauses: list[float], bound: float) -> None:
        """However lively it is, an attempt ends at its `max_timeout`, and no check is due later."""
        watch = Watch(WatchRules(60, bound), 0)
        now = 0.0
        for pause in pauses:
            while watch.due() <= now + pause:
                due = watch.due()
                assert due <= bound
                if watch.check(due) is not None:
                    assert due == pytest.approx(bound)
                    return
            now += pause
            watch.saw("stdout", b".", now)
        assert watch.due() <= bound


class TestSilence:
    def test_f19_stall(self) -> None:
        """F19: silence for the idle limit after some output stops, and the reason names it."""
        watch = Watch(WatchRules(300, 300, idle_limit=30), 0)
        watch.saw("stdout", b"working", 20)
        assert watch.due() in (30, 50)
        assert watch.check(49.9) is None
        assert watch.check(50) == Detection(
            "Early detection: no output for 30s", FailureType.TIMEOUT
        )

    def test_silence_from_the_start(self) -> None:
        """F19: the limit counts from the launch."""
        assert Watch(WatchRules(300, 300, idle_limit=30), 0).check(30) is not None

    @pytest.mark.parametrize("stream", ["stdout", "stderr"])
    def test_any_output_breaks_the_silence(self, stream: str) -> None:
        """Output on either stream is activity."""
        watch = Watch(WatchRules(300, 300, idle_limit=30), 0)
        watch.saw(stream, b".", 29)
        assert watch.check(58) is None

    def test_it_may_only_warn(self) -> None:
        """With `idle_warns` each silence is told once, and only the deadline stops."""
        watch = Watch(WatchRules(100, 300, idle_limit=30, idle_warns=True), 0)
        assert watch.check(30) is None
        assert watch.check(31) is None
        assert watch.warnings == ["no output for 30s"]
        watch.saw("stdout", b".", 40)
        assert watch.check(70) is None
        assert watch.warnings == ["no output for 30s"] * 2

    def test_without_a_limit_any_silence_is_fine(self) -> None:
        """A watch without an idle limit asks to be woken at the deadline only."""
        watch = Watch(WatchRules(100, 100), 0)
        assert watch.due() == 100
        assert watch.check(99) is None

    @given(
        st.lists(st.tuples(st.floats(0, 40), st.booleans()), max_size=30),
        st.booleans(),
    )
    def test_a_check_when_due_makes_progress(
        self, steps: list[tuple[float, bool]], warns: bool
    ) -> None:
        """A check that was due and did not stop is next due later: no timer spins."""
        watch = Watch(WatchRules(50, 200, idle_limit=20, idle_warns=warns), 0)
        now = 0.0
        for pause, speaks in steps:
            now += pause
            if speaks:
                watch.saw("stdout", b".", now)
            if now >= watch.due():
                if watch.check(now) is not None:
                    return
                assert watch.due() > now

    @given(
        st.lists(st.tuples(st.floats(0, 40), st.sampled_from([None, 0, 1])), max_size=20),
        st.sampled_from([None, 5, 50]),
        st.booleans(),
    )
    def test_nothing_is_seen_late(
        self, steps: list[tuple[float, int | None]], first: float | None, warns: bool
    ) -> None:
        """Whoever asks `due` after each check only is woken in time for whatever was seen
        meanwhile: the first output, or the end of a tool of the agent's."""

        def ended(*, eager: bool) -> tuple[float, Detection | None, list[str]]:
            rules = WatchRules(50, 200, 20, first_output_limit=first, idle_warns=warns)
            watch = Watch(rules, 0)
            due, now = watch.due(), 0.0
            for pause, tools in [*steps, (1000.0, None)]:
                now += pause
                while due <= now:
                    found, at = watch.check(due), due
                    if found is not None:
                        return at, found, watch.warnings
                    due = watch.due()
                watch.saw("stdout", b".", now)
                watch.worked(tools)
                due = watch.due() if eager else due
            raise AssertionError("no attempt takes longer than its `max_timeout`")

        assert ended(eager=False) == ended(eager=True)


class TestMonitor:
    def test_it_remembers_early_ends(self) -> None:
        """The monitor keeps whose attempt was ended, why and when, in order, until its reset."""
        monitor = EarlyDetectionMonitor()
        monitor.record("a", STOPPED, 1.5)
        monitor.record(None, STOPPED, 2.0)
        assert [(n.agent_id, n.detection, n.after) for n in monitor.noticed] == [
            ("a", STOPPED, 1.5),
            (None, STOPPED, 2.0),
        ]
        monitor.reset()
        assert monitor.noticed == ()

    def test_it_is_bounded(self) -> None:
        """Only the newest 1,000 are kept."""
        monitor = EarlyDetectionMonitor()
        for number in range(1500):
            monitor.record(str(number), STOPPED, 0)
        assert len(monitor.noticed) == 1000
        assert monitor.noticed[-1].agent_id == "1499"

    def test_the_process_has_one(self) -> None:
        """Everybody gets the same monitor, and its reset empties it."""
        monitor = get_early_detection_monitor()
        monitor.record("a", STOPPED, 1)
        reset_early_detection_monitor()
        assert get_early_detection_monitor() is monitor
        assert monitor.noticed == ()
