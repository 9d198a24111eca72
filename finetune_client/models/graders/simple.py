"""Graders that need no model.

https://developers.openai.com/api/reference

All that a grader needs but its `type` may be missing in what a server sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from finetune_client.backports import Self
from finetune_client.models.checks import choice, needed_text, optional_text
from finetune_client.models.codec import (
    copy_fields,
    pop_required,
    pop_text,
    write_fields,
)
from finetune_client.models.graders.base import BaseGrader

__all__ = ["PythonGrader", "StringCheckGrader", "TextSimilarityGrader", "UnknownGrader"]

_OPERATIONS = ("eq", "ne", "like", "ilike")
_METRICS = (
    *("cosine", "fuzzy_match", "bleu", "gleu", "meteor"),
    *("rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"),
)
_SOURCE_LIMIT = 256 * 1000
"""Bytes of a python grader's source, which must have fewer."""


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class StringCheckGrader(BaseGrader):
    """Scores 1 if two texts compare as asked, else 0.

    Attributes:
        type: ``string_check``.
        name: What it is called.
        input: The text that is graded, usually ``{{sample.output_text}}``.
        reference: The text it is compared with.
        operation: ``eq``, ``ne``, ``like`` (contains), or ``ilike`` (contains, in any case).
        extra: Keys that no field has.
    """

    TYPE: ClassVar[str] = "string_check"
    type: str = TYPE
    name: str | None = None
    input: str | None = None
    reference: str | None = None
    operation: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            name=pop_text(rest, "name"),
            input=pop_text(rest, "input"),
            reference=pop_text(rest, "reference"),
            operation=pop_text(rest, "operation"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "name": self.name,
                "input": self.input,
                "reference": self.reference,
                "operation": self.operation,
            },
            self.extra,
        )

    @staticmethod
    def problems(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
        """Find what makes the JSON form one that the API would not take."""
        yield from needed_text(f"{at}.name", grader.get("name"))
        yield from needed_text(f"{at}.input", grader.get("input"), empty=True)
        yield from needed_text(f"{at}.reference", grader.get("reference"), empty=True)
        yield from choice(f"{at}.operation", grader.get("operation"), _OPERATIONS)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class TextSimilarityGrader(BaseGrader):
    """Scores how similar two texts are.

    Attributes:
        type: ``text_similarity``.
        name: What it is called.
        input: The text that is graded.
        reference: The text it is compared with.
        evaluation_metric: ``cosine``, ``fuzzy_match``, ``bleu``, ``gleu``, ``meteor``, or
            ``rouge_1`` to ``rouge_5``, or ``rouge_l``.
        extra: Keys that no field has.
    """

    TYPE: ClassVar[str] = "text_similarity"
    OTHER_KEYS: ClassVar[tuple[str, ...]] = ("pass_threshold",)
    type: str = TYPE
    name: str | None = None
    input: str | None = None
    reference: str | None = None
    evaluation_metric: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            name=pop_text(rest, "name"),
            input=pop_text(rest, "input"),
            reference=pop_text(rest, "reference"),
            evaluation_metric=pop_text(rest, "evaluation_metric"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "name": self.name,
                "input": self.input,
                "reference": self.reference,
                "evaluation_metric": self.evaluation_metric,
            },
            self.extra,
        )

    @staticmethod
    def problems(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
        """Find what makes the JSON form one that the API would not take."""
        yield from needed_text(f"{at}.name", grader.get("name"))
        yield from needed_text(f"{at}.input", grader.get("input"), empty=True)
        yield from needed_text(f"{at}.reference", grader.get("reference"), empty=True)
        yield from choice(f"{at}.evaluation_metric", grader.get("evaluation_metric"), _METRICS)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class PythonGrader(BaseGrader):
    """Runs ``grade(sample, item) -> float`` on the server.

    Attributes:
        type: ``python``.
        name: What it is called.
        source: The code, less than 256 kB.
        image_tag: The surroundings that it runs in, such as ``2025-05-08``.
        extra: Keys that no field has.
    """

    TYPE: ClassVar[str] = "python"
    type: str = TYPE
    name: str | None = None
    source: str | None = None
    image_tag: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            name=pop_text(rest, "name"),
            source=pop_text(rest, "source"),
            image_tag=pop_text(rest, "image_tag"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "name": self.name,
                "source": self.source,
                "image_tag": self.image_tag,
            },
            self.extra,
        )

    @staticmethod
    def problems(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
        """Find what makes the JSON form one that the API would not take."""
        source = grader.get("source")
        yield from optional_text(f"{at}.name", grader.get("name"), empty=True)
        yield from optional_text(f"{at}.image_tag", grader.get("image_tag"), empty=True)
        yield from needed_text(f"{at}.source", source)
        size = len(source.encode(errors="replace")) if isinstance(source, str) else 0
        if size >= _SOURCE_LIMIT:
            yield f"{at}.source: must have less than {_SOURCE_LIMIT} bytes, got {size}"


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class UnknownGrader(BaseGrader):
    """A grader of a kind that this package has no class for.

    Attributes:
        type: Its kind, as sent.
        name: What it is called.
        extra: All its other keys.
    """

    type: str
    name: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(type=pop_required(cls, rest, "type"), name=pop_text(rest, "name"), extra=rest)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"type": self.type, "name": self.name}, self.extra)
