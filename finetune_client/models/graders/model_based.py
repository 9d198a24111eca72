"""Graders that ask a model.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from finetune_client.backports import Self
from finetune_client.display import format_value
from finetune_client.models.checks import choice, needed_text, needed_texts, number, object_at
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
from finetune_client.models.graders.base import BaseGrader
from finetune_client.models.graders.eval_items import EvalItem, eval_items_problems
from finetune_client.providers.request_limits import Bounds

__all__ = ["LabelModelGrader", "SamplingParams", "ScoreModelGrader"]

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SAMPLING = {
    "max_completions_tokens": Bounds(least=1, whole=True, auto=False),
    "seed": Bounds(whole=True, auto=False),
    "temperature": Bounds(auto=False),
    "top_p": Bounds(auto=False),
}


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class SamplingParams(APIObject):
    """How the grading model is sampled.

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

    @staticmethod
    def problems(at: str, params: Any) -> Iterator[str]:
        """Find what makes the JSON form one that the API would not take."""
        yield from object_at(at, params)
        if isinstance(params, Mapping):
            for name, bounds in _SAMPLING.items():
                yield from number(f"{at}.{name}", params.get(name), bounds)
            if params.get("reasoning_effort") is not None:
                yield from choice(f"{at}.reasoning_effort", params["reasoning_effort"], _EFFORTS)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ScoreModelGrader(BaseGrader):
    """Asks a model for a number.

    Attributes:
        type: ``score_model``.
        name: What it is called.
        model: The model that gives the score.
        input: The messages it is asked with.
        range: The lowest and the highest score; by default 0 and 1.
        sampling_params: How it is asked.
        extra: Keys that no field has.
    """

    TYPE: ClassVar[str] = "score_model"
    OTHER_KEYS: ClassVar[tuple[str, ...]] = ("pass_threshold",)
    type: str = TYPE
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

    @staticmethod
    def problems(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
        """Find what makes the JSON form one that the API would not take."""
        yield from needed_text(f"{at}.name", grader.get("name"))
        yield from needed_text(f"{at}.model", grader.get("model"))
        yield from eval_items_problems(f"{at}.input", grader.get("input"))
        yield from _range_problems(f"{at}.range", grader.get("range"))
        yield from SamplingParams.problems(f"{at}.sampling_params", grader.get("sampling_params"))


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class LabelModelGrader(BaseGrader):
    """Asks a model for one of some labels; the API takes it only inside a `MultiGrader`.

    Attributes:
        type: ``label_model``.
        name: What it is called.
        model: The model that is asked; it must know structured outputs.
        input: The messages it is asked with.
        labels: What it may answer.
        passing_labels: Those that score 1, some of `labels`.
        extra: Keys that no field has.
    """

    TYPE: ClassVar[str] = "label_model"
    STANDS_ALONE: ClassVar[bool] = False
    type: str = TYPE
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

    @staticmethod
    def problems(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
        """Find what makes the JSON form one that the API would not take."""
        yield from needed_text(f"{at}.name", grader.get("name"))
        yield from needed_text(f"{at}.model", grader.get("model"))
        yield from eval_items_problems(f"{at}.input", grader.get("input"))
        labels, passing = grader.get("labels"), grader.get("passing_labels")
        found = [
            *needed_texts(f"{at}.labels", labels),
            *needed_texts(f"{at}.passing_labels", passing),
        ]
        yield from found
        if not found and (unknown := [one for one in passing or () if one not in (labels or ())]):
            named = ", ".join(format_value(one) for one in unknown)
            yield f"{at}.passing_labels: must be some of labels, which lacks {named}"


def _range_problems(at: str, ends: Any) -> Iterator[str]:
    if ends is None:
        return
    bounds = Bounds(auto=False)
    pair = isinstance(ends, (list, tuple)) and len(ends) == 2
    if not pair or any(bounds.problem(end) for end in ends) or ends[0] >= ends[1]:
        yield f"{at}: must be two numbers, the lower first, got {format_value(ends)}"
