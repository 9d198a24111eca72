"""The rules by which ``"auto"`` becomes a number. `docs/local-server.md` states them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.training_data import default_epochs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["resolve"]


def _batch(examples: int) -> int:
    return max(1, min(256, examples // 32))


def _fixed(value: float | str) -> Callable[[int], float | str]:
    return lambda _: value


_COMMON: dict[str, Callable[[int], Any]] = {
    "n_epochs": default_epochs,
    "batch_size": _batch,
    "learning_rate_multiplier": _fixed(1.0),
}
_RULES: dict[str, dict[str, Callable[[int], Any]]] = {
    "supervised": _COMMON,
    "dpo": _COMMON | {"beta": _fixed(0.1)},
    "reinforcement": _COMMON
    | {
        "reasoning_effort": _fixed("default"),
        "compute_multiplier": _fixed(1.0),
        "eval_interval": lambda examples: -(-examples // _batch(examples)),
        "eval_samples": _fixed(1),
    },
}


def resolve(method: str, given: Mapping[str, Any], examples: int) -> dict[str, Any]:
    """Take what was given, and for what was not (or ``"auto"``) what the rules say."""
    return {
        name: rule(examples) if given.get(name, "auto") in {"auto", None} else given[name]
        for name, rule in _RULES[method].items()
    }
