"""How a model is fine-tuned, and with which settings.

The settings stand under the key that `type` names, as on the wire.
https://platform.openai.com/docs/api-reference/fine-tuning/create#fine-tuning-create-method
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.models.base import APIObject
from finetune_client.models.codec import copied, mapping, nested, required
from finetune_client.models.graders.registry import read_grader
from finetune_client.models.hyperparameters import (
    DpoHyperparameters,
    Hyperparameters,
    ReinforcementHyperparameters,
)
from finetune_client.models.write import plain, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from finetune_client.models.graders.registry import Grader

__all__ = ["DpoMethod", "FineTuningMethod", "ReinforcementMethod", "SupervisedMethod"]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class SupervisedMethod(APIObject):
    """Learn from good answers.

    Attributes:
        hyperparameters: The server chooses those not given.
        extra: Keys that no field has.
    """

    hyperparameters: Hyperparameters | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        left = copied(cls, data)
        return cls(
            hyperparameters=nested(left, "hyperparameters", Hyperparameters.from_dict), extra=left
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written({"hyperparameters": plain(self.hyperparameters)}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class DpoMethod(APIObject):
    """Learn from pairs of a better and a worse answer (direct preference optimization).

    Attributes:
        hyperparameters: The server chooses those not given.
        extra: Keys that no field has.
    """

    hyperparameters: DpoHyperparameters | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        left = copied(cls, data)
        return cls(
            hyperparameters=nested(left, "hyperparameters", DpoHyperparameters.from_dict),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written({"hyperparameters": plain(self.hyperparameters)}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ReinforcementMethod(APIObject):
    """Learn from the marks that a grader gives to the model's own answers.

    Attributes:
        grader: Gives the marks; must be given.
        hyperparameters: The server chooses those not given.
        response_format: The JSON Schema that answers must follow, as in the chat API:
            ``{"type": "json_schema", "json_schema": {"name": ..., "schema": ...}}``.
        extra: Keys that no field has.
    """

    grader: Grader | None = None
    hyperparameters: ReinforcementHyperparameters | None = None
    response_format: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        left = copied(cls, data)
        return cls(
            grader=nested(left, "grader", read_grader),
            hyperparameters=nested(left, "hyperparameters", ReinforcementHyperparameters.from_dict),
            response_format=mapping(left, "response_format"),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {
                "grader": plain(self.grader),
                "hyperparameters": plain(self.hyperparameters),
                "response_format": plain(self.response_format),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FineTuningMethod(APIObject):
    """A way to fine-tune; `of` makes one from its settings.

    Attributes:
        type: ``supervised``, ``dpo`` or ``reinforcement``; an open set.
        supervised, dpo, reinforcement: The settings, under the key that `type` names.
        extra: Keys that no field has.
    """

    type: str
    supervised: SupervisedMethod | None = None
    dpo: DpoMethod | None = None
    reinforcement: ReinforcementMethod | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: SupervisedMethod | DpoMethod | ReinforcementMethod) -> Self:
        """Name the method that `settings` belong to."""
        if isinstance(settings, SupervisedMethod):
            return cls(type="supervised", supervised=settings)
        if isinstance(settings, DpoMethod):
            return cls(type="dpo", dpo=settings)
        return cls(type="reinforcement", reinforcement=settings)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form.

        Raises:
            DecodeError: It is no object, or has no `type`.
        """
        left = copied(cls, data)
        return cls(
            type=required(cls, left, "type"),
            supervised=nested(left, "supervised", SupervisedMethod.from_dict),
            dpo=nested(left, "dpo", DpoMethod.from_dict),
            reinforcement=nested(left, "reinforcement", ReinforcementMethod.from_dict),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {
                "type": self.type,
                "supervised": plain(self.supervised),
                "dpo": plain(self.dpo),
                "reinforcement": plain(self.reinforcement),
            },
            self.extra,
        )
