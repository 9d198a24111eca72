"""Graders that ask a model.

https://platform.openai.com/docs/api-reference/graders
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_integer,
    pop_model,
    pop_models,
    pop_number,
    pop_numbers,
    pop_required,
    pop_text,
    pop_texts,
    to_plain,
    write_fields,
)
from finetune_client.models.graders.eval_items import EvalItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = ["LabelModelGrader", "SamplingParams", "ScoreModelGrader"]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class SamplingParams(APIObject):
    """How the model that gives the mark is asked.

    Attributes:
        max_completions_tokens: The longest answer, from 1. The API spells it so.
        reasoning_effort: ``none``, ``minimal``, ``low``, ``medium``, ``high``, ``xhigh``, ``max``.
        seed: Makes answers repeatable.
        temperature: How much answers vary.
        top_p: How much of the probability is drawn from.
        extra: Keys that no field has.
    """

    max_completions_tokens: int | None = None
    reasoning_effort: str | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            max_completions_tokens=pop_integer(rest, "max_completions_tokens"),
            reasoning_effort=pop_text(rest, "reasoning_effort"),
            seed=pop_integer(rest, "seed"),
            temperature=pop_number(rest, "temperature"),
            top_p=pop_number(rest, "top_p"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "max_completions_tokens": self.max_completions_tokens,
                "reasoning_effort": self.reasoning_effort,
                "seed": self.seed,
                "temperature": self.temperature,
                "top_p": self.top_p,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ScoreModelGrader(APIObject):
    """Asks a model for a number.

    Attributes:
        type: ``score_model``.
        name: What it is called.
        model: The model that gives the mark.
        input: The messages it is asked with.
        range: The lowest and the highest mark; the server takes 0 and 1.
        sampling_params: How it is asked.
        extra: Keys that no field has.
    """

    type: str = "score_model"
    name: str | None = None
    model: str | None = None
    input: list[EvalItem] | None = None
    range: list[float] | None = None
    sampling_params: SamplingParams | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            name=pop_text(rest, "name"),
            model=pop_text(rest, "model"),
            input=pop_models(rest, "input", EvalItem.from_dict),
            range=pop_numbers(rest, "range"),
            sampling_params=pop_model(rest, "sampling_params", SamplingParams.from_dict),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "name": self.name,
                "model": self.model,
                "input": to_plain(self.input),
                "range": to_plain(self.range),
                "sampling_params": to_plain(self.sampling_params),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class LabelModelGrader(APIObject):
    """Asks a model for one of some labels; the API takes it only inside a `MultiGrader`.

    Attributes:
        type: ``label_model``.
        name: What it is called.
        model: The model that is asked; it must know structured outputs.
        input: The messages it is asked with.
        labels: What it may answer.
        passing_labels: Those that give 1, some of `labels`.
        extra: Keys that no field has.
    """

    type: str = "label_model"
    name: str | None = None
    model: str | None = None
    input: list[EvalItem] | None = None
    labels: list[str] | None = None
    passing_labels: list[str] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            name=pop_text(rest, "name"),
            model=pop_text(rest, "model"),
            input=pop_models(rest, "input", EvalItem.from_dict),
            labels=pop_texts(rest, "labels"),
            passing_labels=pop_texts(rest, "passing_labels"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "name": self.name,
                "model": self.model,
                "input": to_plain(self.input),
                "labels": to_plain(self.labels),
                "passing_labels": to_plain(self.passing_labels),
            },
            self.extra,
        )
