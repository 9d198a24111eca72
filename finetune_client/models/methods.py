"""How a model is fine-tuned, and with which settings.

The settings stand under the key that `type` names, as on the wire.
https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from finetune_client import models
from finetune_client.backports import Self
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_model,
    pop_object,
    pop_required,
    to_plain,
    write_fields,
)
from finetune_client.models.hyperparameters import (
    DpoHyperparameters,
    Hyperparameters,
    ReinforcementHyperparameters,
)

__all__ = ["DpoMethod", "FineTuningMethod", "MethodType", "ReinforcementMethod", "SupervisedMethod"]


class MethodType:
    """The ways to fine-tune."""

    SUPERVISED: Final = "supervised"
    DPO: Final = "dpo"
    REINFORCEMENT: Final = "reinforcement"


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class SupervisedMethod(APIObject):
    """Learn from good answers.

    Attributes:
        hyperparameters: The server chooses those not given.
        extra: Keys that no field has.
    """

    TYPE: ClassVar[str] = MethodType.SUPERVISED
    hyperparameters: Hyperparameters | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        method = cls.__new__(cls)
        method.hyperparameters = pop_model(rest, "hyperparameters", Hyperparameters.from_dict)
        method.extra = rest
        return method

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"hyperparameters": to_plain(self.hyperparameters)}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class DpoMethod(APIObject):
    """Learn from pairs of a better and a worse answer (direct preference optimization).

    Attributes:
        hyperparameters: The server chooses those not given.
        extra: Keys that no field has.
    """

    TYPE: ClassVar[str] = MethodType.DPO
    hyperparameters: DpoHyperparameters | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        method = cls.__new__(cls)
        method.hyperparameters = pop_model(rest, "hyperparameters", DpoHyperparameters.from_dict)
        method.extra = rest
        return method

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"hyperparameters": to_plain(self.hyperparameters)}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ReinforcementMethod(APIObject):
    """Learn from the scores that a grader gives to the model's own answers.

    Attributes:
        grader: Scores the answers; must be given.
        hyperparameters: The server chooses those not given.
        response_format: The JSON Schema that answers must follow, as in the chat API:
            ``{"type": "json_schema", "json_schema": {"name": ..., "schema": ...}}``.
        extra: Keys that no field has.
    """

    TYPE: ClassVar[str] = MethodType.REINFORCEMENT
    grader: models.Grader | None = None
    hyperparameters: ReinforcementHyperparameters | None = None
    response_format: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        method = cls.__new__(cls)
        method.grader = pop_model(rest, "grader", _read_grader)
        method.hyperparameters = pop_model(
            rest, "hyperparameters", ReinforcementHyperparameters.from_dict
        )
        method.response_format = pop_object(rest, "response_format")
        method.extra = rest
        return method

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "grader": to_plain(self.grader),
                "hyperparameters": to_plain(self.hyperparameters),
                "response_format": to_plain(self.response_format),
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
        """Return the method that `settings` belong to.

        Raises:
            TypeError: They are something else, such as the API's dict, which `from_dict` reads.
        """
        if not isinstance(settings, (SupervisedMethod, DpoMethod, ReinforcementMethod)):
            raise TypeError(
                "FineTuningMethod.of takes a SupervisedMethod, DpoMethod or ReinforcementMethod, not "
                f"{type(settings).__name__}; FineTuningMethod.from_dict reads the API's dict."
            )
        method = cls(type=settings.TYPE)
        setattr(method, settings.TYPE, settings)
        return method

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form.

        Raises:
            DecodeError: It is not an object, or has no `type`.
        """
        rest = copy_fields(cls, data)
        method = cls.__new__(cls)
        method.type = pop_required(cls, rest, "type")
        method.supervised = pop_model(rest, "supervised", SupervisedMethod.from_dict)
        method.dpo = pop_model(rest, "dpo", DpoMethod.from_dict)
        method.reinforcement = pop_model(rest, "reinforcement", ReinforcementMethod.from_dict)
        method.extra = rest
        return method

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "supervised": to_plain(self.supervised),
                "dpo": to_plain(self.dpo),
                "reinforcement": to_plain(self.reinforcement),
            },
            self.extra,
        )


METHODS: Final[dict[str, type[SupervisedMethod | DpoMethod | ReinforcementMethod]]] = {
    method.TYPE: method for method in (SupervisedMethod, DpoMethod, ReinforcementMethod)
}
"""The known methods by the `type` of a `FineTuningMethod`, under which their settings stand."""


def _read_grader(data: Any) -> models.Grader:
    from finetune_client.models.graders.registry import read_grader  # six modules, few jobs' need

    return read_grader(data)
