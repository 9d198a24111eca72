"""The results of running or validating a grader.

https://developers.openai.com/api/reference
https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from finetune_client import models
from finetune_client.backports import Self
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    copy_object,
    pop_boolean,
    pop_model,
    pop_number,
    pop_object,
    pop_text,
    to_plain,
    write_fields,
)
from finetune_client.models.graders.registry import read_grader

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
        rest = copy_fields(cls, data)
        return cls(
            formula_parse_error=pop_boolean(rest, "formula_parse_error"),
            invalid_variable_error=pop_boolean(rest, "invalid_variable_error"),
            model_grader_parse_error=pop_boolean(rest, "model_grader_parse_error"),
            model_grader_refusal_error=pop_boolean(rest, "model_grader_refusal_error"),
            model_grader_server_error=pop_boolean(rest, "model_grader_server_error"),
            model_grader_server_error_details=pop_text(rest, "model_grader_server_error_details"),
            other_error=pop_boolean(rest, "other_error"),
            python_grader_runtime_error=pop_boolean(rest, "python_grader_runtime_error"),
            python_grader_runtime_error_details=pop_text(
                rest, "python_grader_runtime_error_details"
            ),
            python_grader_server_error=pop_boolean(rest, "python_grader_server_error"),
            python_grader_server_error_type=pop_text(rest, "python_grader_server_error_type"),
            sample_parse_error=pop_boolean(rest, "sample_parse_error"),
            truncated_observation_error=pop_boolean(rest, "truncated_observation_error"),
            unresponsive_reward_error=pop_boolean(rest, "unresponsive_reward_error"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
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
        scores: Scores of the parts.
        token_usage: A number of tokens, or an object with several counts.
        sampled_model_name: The model that gave the score.
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
        rest = copy_fields(cls, data)
        return cls(
            name=pop_text(rest, "name"),
            type=pop_text(rest, "type"),
            errors=pop_model(rest, "errors", GraderRunErrors.from_dict),
            execution_time=pop_number(rest, "execution_time"),
            scores=pop_object(rest, "scores"),
            token_usage=rest.pop("token_usage", None),
            sampled_model_name=pop_text(rest, "sampled_model_name"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "name": self.name,
                "type": self.type,
                "errors": to_plain(self.errors),
                "execution_time": self.execution_time,
                "scores": copy_object(self.scores),
                "token_usage": self.token_usage,
                "sampled_model_name": self.sampled_model_name,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class GraderRun(APIObject):
    """The score that a grader gave to one sample.

    Attributes:
        reward: The score.
        metadata: How the grader ran.
        sub_rewards: The scores of the graders inside a multi grader, by name.
        model_grader_token_usage_per_model: Tokens used, by model.
        extra: Keys that no field has.
    """

    reward: float | None = None
    metadata: GraderRunMetadata | None = None
    sub_rewards: dict[str, Any] | None = None
    model_grader_token_usage_per_model: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    _repr_fields: ClassVar[tuple[str, ...]] = ("reward", "sub_rewards")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            reward=pop_number(rest, "reward"),
            metadata=pop_model(rest, "metadata", GraderRunMetadata.from_dict),
            sub_rewards=pop_object(rest, "sub_rewards"),
            model_grader_token_usage_per_model=pop_object(
                rest, "model_grader_token_usage_per_model"
            ),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        usage = self.model_grader_token_usage_per_model
        return write_fields(
            {
                "reward": self.reward,
                "metadata": to_plain(self.metadata),
                "sub_rewards": copy_object(self.sub_rewards),
                "model_grader_token_usage_per_model": copy_object(usage),
            },
            self.extra,
        )

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from finetune_client.tables import html_facts

        return html_facts("GraderRun", self.to_dict())


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class GraderValidation(APIObject):
    """A grader that the server found valid, as it understood it.

    Attributes:
        grader: The grader.
        extra: Keys that no field has.
    """

    grader: models.Grader | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(grader=pop_model(rest, "grader", read_grader), extra=rest)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"grader": to_plain(self.grader)}, self.extra)
