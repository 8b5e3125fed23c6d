"""Presets and backoff."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner import PRESETS, InvalidTaskError, Policy, RetryPolicy, SpawnError
from aurora_spawner.policy import named_policy, positive_seconds

draws = st.floats(0, 1, exclude_max=True)
backoffs = st.builds(
    RetryPolicy,
    base=st.floats(0.001, 100),
    factor=st.floats(1, 10),
    cap=st.floats(0.001, 1000),
)


@pytest.mark.parametrize(
    ("name", "timeout", "max_timeout", "idle_limit", "idle_warns", "attempts", "use_breaker"),
    [
        ("default", 60, 300, 30, False, 3, True),
        ("patient", 120, 600, 120, False, 3, True),
        ("production", 120, 600, 60, True, 3, True),
        ("fast_fail", 60, 60, 15, False, 1, True),
        ("development", 1800, 1800, None, False, 1, False),
    ],
)
def test_presets(
    name: str,
    timeout: float,
    max_timeout: float,
    idle_limit: float | None,
    idle_warns: bool,
    attempts: int,
    use_breaker: bool,
) -> None:
    """Each preset has exactly the limits that it promises."""
    preset = PRESETS[name]
    assert preset.name == name
    assert (preset.timeout, preset.max_timeout) == (timeout, max_timeout)
    assert (preset.idle_limit, preset.idle_warns) == (idle_limit, idle_warns)
    assert (preset.retry.attempts, preset.use_breaker) == (attempts, use_breaker)


def test_there_are_five_presets() -> None:
    """The presets are these five, and nobody can change them for others."""
    assert set(PRESETS) == {"default", "patient", "production", "fast_fail", "development"}
    with pytest.raises(TypeError):
        PRESETS["default"] = Policy()  # type: ignore[index]


def test_a_plain_policy_is_the_default() -> None:
    """`Policy()` is the preset `default`."""
    assert Policy() == PRESETS["default"]


class TestNamedPolicy:
    def test_by_name_by_value_by_default(self) -> None:
        """A name, a policy itself and None each lead to a policy."""
        own = Policy("own", timeout=5)
        assert named_policy("patient") is PRESETS["patient"]
        assert named_policy(own) is own
        assert named_policy(None) is PRESETS["default"]

    def test_unknown_name(self) -> None:
        """An unknown name is misuse; the error names the presets that there are."""
        with pytest.raises(InvalidTaskError, match=r"hasty.*default, patient") as caught:
            named_policy("hasty")
        assert caught.value.field == "policy"


class TestSeconds:
    @pytest.mark.parametrize(
        "value", [0, -0.0, -1, math.nan, math.inf, -math.inf, "soon", None, [], object()]
    )
    def test_f37_refused(self, value: object) -> None:
        """F37: zero, negative, NaN, infinite and no number at all are refused, naming the field."""
        with pytest.raises(InvalidTaskError, match="timeout") as caught:
            positive_seconds("timeout", value)  # type: ignore[arg-type]
        assert isinstance(caught.value, SpawnError)
        assert isinstance(caught.value, ValueError)

    @given(st.floats(min_value=0, exclude_min=True, allow_infinity=False) | st.integers(1, 10**6))
    def test_accepted(self, value: float) -> None:
        """Every positive finite number is taken as it is."""
        assert positive_seconds("timeout", value) == value


class TestBackoff:
    @given(backoffs, st.integers(1, 10**6), draws)
    def test_bounded(self, backoff: RetryPolicy, retry: int, draw: float) -> None:
        """A delay is positive, finite and never above the cap, for any retry."""
        assert 0 < backoff.delay(retry, draw) <= backoff.cap

    @given(backoffs, st.integers(1, 200), draws)
    def test_monotone(self, backoff: RetryPolicy, retry: int, draw: float) -> None:
        """For the same draw no delay is shorter than the one before."""
        assert backoff.delay(retry, draw) <= backoff.delay(retry + 1, draw)

    @given(st.integers(1, 4), draws, draws)
    def test_the_default_grows_whatever_is_drawn(
        self, retry: int, draw: float, other: float
    ) -> None:
        """Below the cap no delay of the default is shorter than the one before."""
        assert RetryPolicy().delay(retry, draw) <= RetryPolicy().delay(retry + 1, other)

    @given(backoffs, st.integers(1, 50), draws, draws)
    def test_draws_spread(
        self, backoff: RetryPolicy, retry: int, draw: float, other: float
    ) -> None:
        """The delay follows the draw through the upper half of its ceiling."""
        low, high = sorted((draw, other))
        assert backoff.delay(retry, low) <= backoff.delay(retry, high)
        assert backoff.delay(retry, 0) == pytest.approx(backoff.delay(retry, 1) / 2)

    def test_the_documented_formula(self) -> None:
        """The n-th ceiling is `base * factor ** (n - 1)`, at most `cap`."""
        backoff = RetryPolicy(base=2, factor=3, cap=50)
        assert [backoff.delay(retry, 1) for retry in range(1, 6)] == [2, 6, 18, 50, 50]
