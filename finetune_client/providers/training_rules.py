"""What a provider takes in a training file, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

__all__ = ["TrainingRules", "of_family"]

T = TypeVar("T")

_CONTEXT_LENGTHS: Mapping[str, int] = {
    # https://developers.openai.com/api/docs, "Token limits": tokens of one example
    "gpt-4o-mini": 65_536,
    "gpt-3.5-turbo-1106": 16_385,
    "gpt-3.5-turbo-0613": 4_096,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRules:
    """How much of what a provider takes in a training file.

    The figures are those of the API's guide (https://developers.openai.com/api/docs).

    Attributes:
        images: Images in one example.
        image_bytes: Bytes of one image.
        image_examples: Examples with images in one file, if that is known.
        learns_images: Images are trained on; else only the text beside them is.
        reinforcement_images: Images may stand in reinforcement examples.
        outputs: Messages in one output of a preference example; None for any number.
        examples: The least number of examples in a file.
        byte_order_mark: A file may begin with one.
        accepts: Codes of problems that are warnings here though they are errors elsewhere.
        refuses_null_text: A content that is the text ``null`` beside tool calls is an error.
        context_lengths: Family of models -> tokens of one example, where that is published.
    """

    images: int = 10
    image_bytes: int = 10 * 1024 * 1024
    image_examples: int | None = 50_000
    learns_images: bool = True
    reinforcement_images: bool = True
    outputs: int | None = 1
    examples: int = 10
    byte_order_mark: bool = False
    accepts: frozenset[str] = frozenset()
    refuses_null_text: bool = False
    context_lengths: Mapping[str, int] = field(default_factory=lambda: _CONTEXT_LENGTHS)

    def context_length(self, model: str | None) -> int | None:
        """Return how many tokens of one example ``model`` is trained on, where that is published."""
        return None if model is None else of_family(model, self.context_lengths)


def of_family(model: str, families: Mapping[str, T]) -> T | None:
    """Look a model up by the name that its own begins with; a tuned one by its base model's."""
    base = model.split(":")[1] if model.startswith("ft:") else model
    for family, value in families.items():
        if base == family or base.startswith(f"{family}-"):
            return value
    return None
