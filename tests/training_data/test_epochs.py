from __future__ import annotations

import math

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import RequestError
from finetune_client.models.auto import AUTO
from finetune_client.training_data.epochs import cost, default_epochs, trained_tokens


@pytest.mark.parametrize(
    ("n_examples", "n_epochs"),
    [
        (0, 25),
        (1, 25),
        (4, 25),
        (5, 20),
        (10, 10),
        (25, 4),
        (33, 3),
        (34, 3),
        (8333, 3),
        (8334, 2),
        (12_501, 1),
        (1_000_000, 1),
    ],
)
def test_default_epochs__the_cookbooks_rule(n_examples: int, n_epochs: int) -> None:
    assert default_epochs(n_examples) == n_epochs


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=0, max_value=10**9))
def test_default_epochs__from_1_to_25(n_examples: int) -> None:
    assert 1 <= default_epochs(n_examples) <= 25


def test_trained_tokens__epochs_given_or_chosen() -> None:
    assert trained_tokens(1000, 50) == 3000
    assert trained_tokens(1000, 50, AUTO) == 3000
    assert trained_tokens(1000, 10, n_epochs=AUTO) == 10_000
    assert trained_tokens(1000, 50, 7) == 7000


@pytest.mark.parametrize("n_epochs", [0, -1, True, 2.0, "3", None])
def test_trained_tokens__not_epochs(n_epochs: object) -> None:
    with pytest.raises(RequestError) as caught:
        trained_tokens(1000, 50, n_epochs)  # type: ignore[arg-type]  # what it must refuse
    assert caught.value.message == (
        f"n_epochs must be AUTO or a whole number above 0, got {n_epochs!r}."
    )


def test_cost__tokens_times_epochs_times_price() -> None:
    assert math.isclose(cost(2_000_000, 100, price_per_million=25.0), 150.0)
    assert math.isclose(cost(2_000_000, 100, price_per_million=3, n_epochs=1), 6.0)
    assert cost(0, 0, price_per_million=3) == 0
    assert cost(1000, 10, price_per_million=0) == 0


@pytest.mark.parametrize("price", [-1, math.inf, math.nan, True, "3", None])
def test_cost__not_a_price(price: object) -> None:
    with pytest.raises(RequestError) as caught:
        cost(1000, 10, price_per_million=price)  # type: ignore[arg-type]  # what it must refuse
    assert caught.value.message == (
        "price_per_million must be a finite number of 0 or more: the price of a million trained "
        f"tokens, got {price!r}."
    )
