"""What trying a grader gives.

https://platform.openai.com/docs/api-reference/graders/run
https://platform.openai.com/docs/api-reference/graders/validate
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from finetune_client.models.base import APIObject
from finetune_client.models.codec import boolean, copied, mapping, nested, number, text
from finetune_client.models.graders.registry import read_grader
from finetune_client.models.write import copy_of, plain, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from finetune_client.models.graders.registry import Grader

__all__ = ["GraderRun", "GraderRunErrors", "GraderRunMetadata", "GraderValidation"]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class GraderRunErrors(APIObject):
    """What went wrong while a grader ran: mostly flags, three of them texts.

    Attributes:
        extra: Keys that no field has.
    """

    formula_parse_error: bool | None = None
    invalid_variable_error: bool | None = None
    model_grader_parse_error: bool | None = None
    model_grader_refusal_error: bool | None = None
    model_grader_server_error: bool | None = None
    model_grader_server_error_details: str | None = None
    other_error: bool | None = None
    python_grader_runtime_error: bool | None = None
    python_grader_runtime_error_details: str | None = None
    python_grader_server_error: bool | None = None
    python_grader_server_error_type: str | None = None
    sample_parse_error: bool | None = None
    truncated_observation_error: bool | None = None
    unresponsive_reward_error: bool | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        left = copied(cls, data)
        return cls(
            formula_parse_error=boolean(left, "formula_parse_error"),
            invalid_variable_error=boolean(left, "invalid_variable_error"),
            model_grader_parse_error=boolean(left, "model_grader_parse_error"),
            model_grader_refusal_error=boolean(left, "model_grader_refusal_error"),
            model_grader_server_error=boolean(left, "model_grader_server_error"),
            model_grader_server_error_details=text(left, "model_grader_server_error_details"),
            other_error=boolean(left, "other_error"),
            python_grader_runtime_error=boolean(left, "python_grader_runtime_error"),
            python_grader_runtime_error_details=text(left, "python_grader_runtime_error_details"),
            python_grader_server_error=boolean(left, "python_grader_server_error"),
            python_grader_server_error_type=text(left, "python_grader_server_error_type"),
            sample_parse_error=boolean(left, "sample_parse_error"),
            truncated_observation_error=boolean(left, "truncated_observation_error"),
            unresponsive_reward_error=boolean(left, "unresponsive_reward_error"),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {
                "formula_parse_error": self.formula_parse_error,
                "invalid_variable_error": self.invalid_variable_error,
                "model_grader_parse_error": self.model_grader_parse_error,
                "model_grader_refusal_error": self.model_grader_refusal_error,
                "model_grader_server_error": self.model_grader_server_error,
                "model_grader_server_error_details": self.model_grader_server_error_details,
                "other_error": self.other_error,
                "python_grader_runtime_error": self.python_grader_runtime_error,
                "python_grader_runtime_error_details": self.python_grader_runtime_error_details,
                "python_grader_server_error": self.python_grader_server_error,
                "python_grader_server_error_type": self.python_grader_server_error_type,
                "sample_parse_error": self.sample_parse_error,
                "truncated_observation_error": self.truncated_observation_error,
                "unresponsive_reward_error": self.unresponsive_reward_error,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class GraderRunMetadata(APIObject):
    """How a grader ran.

    Attributes:
        name, type: Those of the grader.
        errors: What went wrong.
        execution_time: Seconds.
        scores: Marks of the parts.
        token_usage: A number of tokens, or an object that tells them apart.
        sampled_model_name: The model that gave the mark.
        extra: Keys that no field has.
    """

    name: str | None = None
    type: str | None = None
    errors: GraderRunErrors | None = None
    execution_time: float | None = None
    scores: dict[str, Any] | None = None
    token_usage: Any = None
    sampled_model_name: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        left = copied(cls, data)
        return cls(
            name=text(left, "name"),
            type=text(left, "type"),
            errors=nested(left, "errors", GraderRunErrors.from_dict),
            execution_time=number(left, "execution_time"),
            scores=mapping(left, "scores"),
            token_usage=left.pop("token_usage", None),
            sampled_model_name=text(left, "sampled_model_name"),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {
                "name": self.name,
                "type": self.type,
                "errors": plain(self.errors),
                "execution_time": self.execution_time,
                "scores": copy_of(self.scores),
                "token_usage": self.token_usage,
                "sampled_model_name": self.sampled_model_name,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class GraderRun(APIObject):
    """The mark that a grader gave to one sample.

    Attributes:
        reward: The mark.
        metadata: How the grader ran.
        sub_rewards: The marks of the graders inside a multi grader, by name.
        model_grader_token_usage_per_model: Tokens used, by model.
        extra: Keys that no field has.
    """

    reward: float | None = None
    metadata: GraderRunMetadata | None = None
    sub_rewards: dict[str, Any] | None = None
    model_grader_token_usage_per_model: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    _shown: ClassVar[tuple[str, ...]] = ("reward", "sub_rewards")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        left = copied(cls, data)
        return cls(
            reward=number(left, "reward"),
            metadata=nested(left, "metadata", GraderRunMetadata.from_dict),
            sub_rewards=mapping(left, "sub_rewards"),
            model_grader_token_usage_per_model=mapping(left, "model_grader_token_usage_per_model"),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        usage = self.model_grader_token_usage_per_model
        return written(
            {
                "reward": self.reward,
                "metadata": plain(self.metadata),
                "sub_rewards": copy_of(self.sub_rewards),
                "model_grader_token_usage_per_model": copy_of(usage),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class GraderValidation(APIObject):
    """A grader that the server found valid, as it understood it.

    Attributes:
        grader: The grader.
        extra: Keys that no field has.
    """

    grader: Grader | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        left = copied(cls, data)
        return cls(grader=nested(left, "grader", read_grader), extra=left)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written({"grader": plain(self.grader)}, self.extra)
