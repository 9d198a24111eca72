"""How often a job goes through its file when it is not given a number, and what that costs."""

from __future__ import annotations

import math

from finetune_client.errors import RequestError
from finetune_client.models.auto import AUTO, Auto

__all__ = ["cost", "default_epochs", "trained_tokens"]

# https://cookbook.openai.com/examples/chat_finetuning_data_prep
_USUAL_EPOCHS = 3
_MOST_EPOCHS = 25
_FEWEST_PASSES = 100
_MOST_PASSES = 25_000


def default_epochs(n_examples: int) -> int:
    """Return the number of epochs a job would choose for so many examples, from 1 to 25.

    It is the rule of the API's cookbook: three, more for a small file until it makes 100 passes
    (at most 25 epochs), fewer for a large one until it makes 25,000.
    """
    if n_examples <= 0:
        return _MOST_EPOCHS
    if n_examples * _USUAL_EPOCHS < _FEWEST_PASSES:
        return min(_MOST_EPOCHS, _FEWEST_PASSES // n_examples)
    if n_examples * _USUAL_EPOCHS > _MOST_PASSES:
        return max(1, _MOST_PASSES // n_examples)
    return _USUAL_EPOCHS


def trained_tokens(tokens: int, n_examples: int, n_epochs: int | Auto = AUTO) -> int:
    """Return how many tokens a job trains on: those of the file, once for each epoch.

    Args:
        tokens: The tokens of the file, each example cut to what the model takes.
        n_examples: The examples of the file, on which the default number of epochs rests.
        n_epochs: The job's epochs, or `AUTO` for the default.

    Raises:
        RequestError: ``n_epochs`` is neither `AUTO` nor a whole number above 0.
    """
    return tokens * _epochs(n_epochs, n_examples)


def _epochs(n_epochs: object, n_examples: int) -> int:
    if n_epochs == AUTO:
        return default_epochs(n_examples)
    if not isinstance(n_epochs, int) or isinstance(n_epochs, bool) or n_epochs < 1:
        raise RequestError(f"n_epochs must be AUTO or a whole number above 0, got {n_epochs!r}.")
    return n_epochs


def cost(
    tokens: int, n_examples: int, *, price_per_million: float, n_epochs: int | Auto = AUTO
) -> float:
    """Return what training costs, in the currency of ``price_per_million``.

    Args:
        tokens: The tokens of the file.
        n_examples: The examples of the file.
        price_per_million: The price of a million trained tokens, from the provider's price list.
        n_epochs: The job's epochs, or `AUTO` for the default.

    Raises:
        RequestError: The price is not a number of 0 or more, or ``n_epochs`` is not valid.
    """
    price = price_per_million
    if not _is_number(price) or not math.isfinite(price) or price < 0:
        raise RequestError(
            "price_per_million must be a finite number of 0 or more: the price of a million "
            f"trained tokens, got {price!r}."
        )
    return trained_tokens(tokens, n_examples, n_epochs) / 1_000_000 * price


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
