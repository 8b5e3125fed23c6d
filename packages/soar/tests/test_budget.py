from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_soar.admission import Budget


def test_the_first_wave_shares_the_limit_evenly() -> None:
    """As long as nobody knows what anything costs, as many fit as there are shares."""
    budget = Budget(12.0, "USD", shares=4)
    for _ in range(4):
        assert budget.has_room("coder")
        budget.reserve("coder")
    assert not budget.has_room("coder")
    assert not budget.never_fits("coder")


def test_what_was_learnt_replaces_the_share() -> None:
    """Later starts are held against the dearest attempt of the agent, or of any agent."""
    budget = Budget(10.0, "USD", shares=2)
    budget.settle("coder", budget.reserve("coder"), 4.0)
    assert (budget.expected("coder"), budget.expected("writer")) == (4.0, 4.0)
    budget.settle("writer", budget.reserve("writer"), 1.0)
    assert (budget.expected("writer"), budget.spent) == (1.0, 5.0)
    budget.settle("coder", budget.reserve("coder"), 3.5)
    assert budget.never_fits("coder")
    assert budget.has_room("writer")
    assert str(budget) == "budget of $10.00 reached ($8.50 spent)"


def test_an_unknown_cost_is_not_nothing_spent_twice() -> None:
    """An attempt that tells no cost gives its reservation back and is not counted as free."""
    budget = Budget(1000, "tokens", shares=1)
    budget.settle("codex", budget.reserve("codex"), None)
    assert budget.spent == 0
    assert budget.expected("codex") == 1000
    assert "1,000 tokens" in str(budget)


@given(
    st.floats(1, 100),
    st.integers(1, 10),
    st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.floats(0, 50)), max_size=30),
)
def test_no_start_is_let_in_beyond_the_limit_as_far_as_is_known(
    limit: float, shares: int, costs: list[tuple[str, float | None]]
) -> None:
    """Spent, reserved and expected together never exceed the limit when one is let in."""
    budget = Budget(limit, "USD", shares)
    for agent, cost in costs:
        if budget.never_fits(agent):
            assert not budget.has_room(agent)
            continue
        assert budget.has_room(agent)
        expected = budget.expected(agent)
        assert budget.reserve(agent) == expected
        assert budget.spent + expected <= limit + 1e-9
        budget.settle(agent, expected, cost)
    assert budget.spent == pytest.approx(
        sum(cost for _, cost in costs if cost is not None), abs=1e9
    )
