"""The hyperparameters of each method, and the rules by which ``"auto"`` becomes a number.

`docs/local-server.md` states the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.training_data import default_epochs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["COMMON", "HYPERPARAMETERS", "resolve"]

COMMON = ("n_epochs", "batch_size", "learning_rate_multiplier")
"""The hyperparameters of all methods, which a job shows by themselves too."""

HYPERPARAMETERS: dict[str, tuple[str, ...]] = {
    "supervised": COMMON,
    "dpo": (*COMMON, "beta"),
    "reinforcement": (
        *COMMON,
        "reasoning_effort",
        "compute_multiplier",
        "eval_interval",
        "eval_samples",
    ),
}


def _batch_size(examples: int) -> int:
    return max(1, min(256, examples // 32))


_AUTO: dict[str, Callable[[int], Any]] = {
    "n_epochs": default_epochs,
    "batch_size": _batch_size,
    "learning_rate_multiplier": lambda _: 1.0,
    "beta": lambda _: 0.1,
    "reasoning_effort": lambda _: "default",
    "compute_multiplier": lambda _: 1.0,
    "eval_interval": lambda examples: -(-examples // _batch_size(examples)),
    "eval_samples": lambda _: 1,
}
"""The value of ``"auto"`` for a number of examples."""


def resolve(method: str, given: Mapping[str, Any], examples: int) -> dict[str, Any]:
    """Return all hyperparameters of a method; those that are missing or ``"auto"`` by the rules."""
    return {
        name: _AUTO[name](examples) if given.get(name, "auto") in {"auto", None} else given[name]
        for name in HYPERPARAMETERS[method]
    }
