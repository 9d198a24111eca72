from __future__ import annotations

from hypothesis import given, settings, strategies as st

from finetune_client.training_data.checking.distribution import MOST_VALUES, Distribution


def distribution(values: list[int]) -> Distribution:
    made = Distribution()
    made.add(values)
    return made


def test_summary__percentiles_are_of_the_nearest_rank() -> None:
    assert distribution(list(range(1, 101))).summary() == {
        "total": 5050,
        "mean": 50.5,
        "min": 1,
        "p50": 50,
        "p90": 90,
        "p95": 95,
        "p99": 99,
        "max": 100,
    }
    assert distribution([7]).summary()["p50"] == 7
    assert set(Distribution().summary().values()) == {0}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 1000)), st.integers(0, 50))
def test_absorb__two_parts_are_the_whole(values: list[int], cut: int) -> None:
    parts = distribution(values[:cut])
    parts.add_part(distribution(values[cut:]))
    assert parts.summary() == distribution(values).summary()


def test_add__many_different_values_are_kept_roughly() -> None:
    values = list(range(3 * MOST_VALUES))
    made = distribution(values)
    summary = made.summary()
    assert len(made._counts) <= MOST_VALUES
    assert (summary["total"], summary["max"]) == (sum(values), values[-1])
    assert abs(summary["p50"] - len(values) // 2) <= 4
    parts = distribution(values[:10])
    parts.add_part(made)
    parts.add_part(distribution(values[:10]))
    assert parts._width == made._width


def test_capped__cuts_each_value() -> None:
    assert distribution([1, 5, 9]).capped(4) == 9
    assert distribution([1, 5, 9]).capped(9) == distribution([1, 5, 9]).capped(None) == 15
