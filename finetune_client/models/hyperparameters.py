"""Settings of training.

`None` leaves a setting out, `AUTO` sends ``"auto"``, a number sends the number.
https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune_client.backports import Self
from finetune_client.models.auto import AutoOr
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_auto_integer,
    pop_auto_number,
    pop_text,
    to_plain,
    write_fields,
)

__all__ = [
    "DpoHyperparameters",
    "Hyperparameters",
    "ReinforcementHyperparameters",
    "SupervisedHyperparameters",
]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Hyperparameters(APIObject):
    """Settings of a supervised job, and those that a job reports.

    Attributes:
        batch_size: Examples in a step, 1 to 256.
        learning_rate_multiplier: Above 0; scales the learning rate.
        n_epochs: Rounds over the training file, 1 to 50.
        extra: Keys that no field has.
    """

    batch_size: AutoOr[int] | None = None
    learning_rate_multiplier: AutoOr[float] | None = None
    n_epochs: AutoOr[int] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        settings = cls.__new__(cls)
        settings.batch_size = pop_auto_integer(rest, "batch_size")
        settings.learning_rate_multiplier = pop_auto_number(rest, "learning_rate_multiplier")
        settings.n_epochs = pop_auto_integer(rest, "n_epochs")
        settings.extra = rest
        return settings

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; settings that are `None` are left out."""
        return write_fields(
            {
                "batch_size": to_plain(self.batch_size),
                "learning_rate_multiplier": to_plain(self.learning_rate_multiplier),
                "n_epochs": to_plain(self.n_epochs),
            },
            self.extra,
        )


SupervisedHyperparameters = Hyperparameters


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class DpoHyperparameters(APIObject):
    """Settings of a preference (DPO) job.

    Attributes:
        batch_size: Examples in a step, 1 to 256.
        beta: Above 0, at most 2; the weight of the penalty for leaving the base model.
        learning_rate_multiplier: Above 0; scales the learning rate.
        n_epochs: Rounds over the training file, 1 to 50.
        extra: Keys that no field has.
    """

    batch_size: AutoOr[int] | None = None
    beta: AutoOr[float] | None = None
    learning_rate_multiplier: AutoOr[float] | None = None
    n_epochs: AutoOr[int] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        settings = cls.__new__(cls)
        settings.batch_size = pop_auto_integer(rest, "batch_size")
        settings.beta = pop_auto_number(rest, "beta")
        settings.learning_rate_multiplier = pop_auto_number(rest, "learning_rate_multiplier")
        settings.n_epochs = pop_auto_integer(rest, "n_epochs")
        settings.extra = rest
        return settings

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; settings that are `None` are left out."""
        return write_fields(
            {
                "batch_size": to_plain(self.batch_size),
                "beta": to_plain(self.beta),
                "learning_rate_multiplier": to_plain(self.learning_rate_multiplier),
                "n_epochs": to_plain(self.n_epochs),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ReinforcementHyperparameters(APIObject):
    """Settings of a reinforcement job.

    Attributes:
        batch_size: Examples in a step, 1 to 256.
        compute_multiplier: Above 0.00001, at most 10; how much is explored.
        eval_interval: Steps between two evaluations, from 1.
        eval_samples: Samples in an evaluation, from 1.
        learning_rate_multiplier: Above 0; scales the learning rate.
        n_epochs: Rounds over the training file, 1 to 50.
        reasoning_effort: ``default``, ``low``, ``medium`` or ``high``; it has no ``auto``.
        extra: Keys that no field has.
    """

    batch_size: AutoOr[int] | None = None
    compute_multiplier: AutoOr[float] | None = None
    eval_interval: AutoOr[int] | None = None
    eval_samples: AutoOr[int] | None = None
    learning_rate_multiplier: AutoOr[float] | None = None
    n_epochs: AutoOr[int] | None = None
    reasoning_effort: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        settings = cls.__new__(cls)
        settings.batch_size = pop_auto_integer(rest, "batch_size")
        settings.compute_multiplier = pop_auto_number(rest, "compute_multiplier")
        settings.eval_interval = pop_auto_integer(rest, "eval_interval")
        settings.eval_samples = pop_auto_integer(rest, "eval_samples")
        settings.learning_rate_multiplier = pop_auto_number(rest, "learning_rate_multiplier")
        settings.n_epochs = pop_auto_integer(rest, "n_epochs")
        settings.reasoning_effort = pop_text(rest, "reasoning_effort")
        settings.extra = rest
        return settings

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; settings that are `None` are left out."""
        return write_fields(
            {
                "batch_size": to_plain(self.batch_size),
                "compute_multiplier": to_plain(self.compute_multiplier),
                "eval_interval": to_plain(self.eval_interval),
                "eval_samples": to_plain(self.eval_samples),
                "learning_rate_multiplier": to_plain(self.learning_rate_multiplier),
                "n_epochs": to_plain(self.n_epochs),
                "reasoning_effort": to_plain(self.reasoning_effort),
            },
            self.extra,
        )
