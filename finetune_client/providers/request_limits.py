"""What servers say they take: data, and how a value breaks it.

Nothing here is checked when an answer is read. A server may allow more tomorrow: then pass
``check=False`` to `jobs.create`, or `Limits` of your own to `FineTuningJobRequest.problems`.

https://developers.openai.com/api/reference
https://learn.microsoft.com/azure/ai-services/openai/how-to/fine-tuning
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune_client.display import format_value

__all__ = ["DPO", "REINFORCEMENT", "SUPERVISED", "UNKNOWN_LIMITS", "Bounds", "Limits"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Which numbers a setting takes.

    Attributes:
        above: The number must be greater.
        least, most: The number may be these.
        whole: It must have no fraction.
        auto: ``"auto"`` is taken too.
        automatic: A number that is taken too, and means ``"auto"``.
    """

    above: float | None = None
    least: float | None = None
    most: float | None = None
    whole: bool = False
    auto: bool = True
    automatic: float | None = None

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with `value`; `None` if nothing is."""
        if self.auto and isinstance(value, str) and value == "auto":
            return None
        kinds = (int,) if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return f"must be {self._kind()}, got {format_value(value)}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"must be a finite number, got {format_value(value)}"
        if self.automatic is not None and value == self.automatic:
            return None
        inside = (
            (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
        )
        return None if inside else f"must be {self._range()}, got {format_value(value)}"

    def _kind(self) -> str:
        number = "a whole number" if self.whole else "a number"
        return f'"auto" or {number}' if self.auto else number

    def _range(self) -> str:
        ends = ((">", self.above), (">=", self.least), ("<=", self.most))
        return " and ".join(f"{sign} {format_value(end)}" for sign, end in ends if end is not None)


SUPERVISED: dict[str, Bounds] = {
    "batch_size": Bounds(least=1, most=256, whole=True),
    "learning_rate_multiplier": Bounds(above=0),
    "n_epochs": Bounds(least=1, most=50, whole=True),
}
DPO = {**SUPERVISED, "beta": Bounds(above=0, most=2)}
REINFORCEMENT = {
    **SUPERVISED,
    "compute_multiplier": Bounds(above=0.00001, most=10),
    "eval_interval": Bounds(least=1, whole=True),
    "eval_samples": Bounds(least=1, whole=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one kind of server takes in a request.

    The numbers that something may be at most are infinite where no limit is known.

    Attributes:
        suffix: Characters of a suffix, at most.
        suffix_characters: Those that a suffix may have, as in a regular expression; `None` for all.
        seed: The numbers that a seed may be.
        metadata_pairs: Pairs in `metadata`, at most.
        metadata_key, metadata_value: Characters of a key and of a value, at most.
        supervised, dpo, reinforcement: Setting -> the numbers it may be, by method.
        reasoning_efforts: What ``reasoning_effort`` may be; `None` for anything.
    """

    suffix: float = 64
    suffix_characters: str | None = None
    seed: Bounds = Bounds(least=0, most=2**31 - 1, whole=True, auto=False)
    metadata_pairs: float = 16
    metadata_key: float = 64
    metadata_value: float = 512
    supervised: Mapping[str, Bounds] = field(default_factory=lambda: SUPERVISED)
    dpo: Mapping[str, Bounds] = field(default_factory=lambda: DPO)
    reinforcement: Mapping[str, Bounds] = field(default_factory=lambda: REINFORCEMENT)
    reasoning_efforts: tuple[str, ...] | None = ("default", "low", "medium", "high")

    def hyperparameters(self, method: str) -> Mapping[str, Bounds]:
        """Return the settings of a method; none for an unknown method."""
        known = {
            "supervised": self.supervised,
            "dpo": self.dpo,
            "reinforcement": self.reinforcement,
        }
        return known.get(method, {})


def _without_ends(settings: Mapping[str, Bounds]) -> dict[str, Bounds]:
    return {name: Bounds(whole=bounds.whole) for name, bounds in settings.items()}


UNKNOWN_LIMITS = Limits(
    suffix=math.inf,
    seed=Bounds(whole=True, auto=False),
    metadata_pairs=math.inf,
    metadata_key=math.inf,
    metadata_value=math.inf,
    supervised=_without_ends(SUPERVISED),
    dpo=_without_ends(DPO),
    reinforcement=_without_ends(REINFORCEMENT),
    reasoning_efforts=None,
)
"""Those of a server that is not known to have any: that a number is one is all that is checked."""
