"""What the formats and the providers ask for, as data.

The figures are those of the API's guide (https://platform.openai.com/docs/guides/fine-tuning)
and of Azure's (https://learn.microsoft.com/azure/ai-services/openai/how-to/fine-tuning).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FORMATS",
    "METHODS",
    "Allowed",
    "Format",
    "FormatName",
    "allowed_by",
    "context_length_of",
    "of_family",
]

T = TypeVar("T")

FormatName = Literal["chat", "completions", "preference", "reinforcement"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One kind of example.

    Attributes:
        name: What `Report.format` holds.
        method: The method that trains on it.
        example: What a message calls one.
        keys: The keys that a line may have.
        roles: The roles that its messages may have.
        open: Further keys are for the grader.
        most: How many examples a training file may hold, if that is known.
        most_validation: The same for a validation file.
    """

    name: FormatName
    method: str
    example: str
    keys: frozenset[str]
    roles: tuple[str, ...] = ()
    open: bool = False
    most: int | None = None
    most_validation: int | None = None


CHAT_ROLES = ("system", "developer", "user", "assistant", "tool", "function")

FORMATS: Mapping[FormatName, Format] = {
    "chat": Format(
        name="chat",
        method="supervised",
        example="a chat example",
        keys=frozenset({"messages", "tools", "parallel_tool_calls", "functions"}),
        roles=CHAT_ROLES,
    ),
    "completions": Format(
        name="completions",
        method="supervised",
        example="a pair of prompt and completion",
        keys=frozenset({"prompt", "completion"}),
    ),
    "preference": Format(
        name="preference",
        method="dpo",
        example="a preference example",
        keys=frozenset(
            {
                "input",
                "preferred_output",
                "non_preferred_output",
                "preferred_completion",
                "non_preferred_completion",
            }
        ),
        roles=CHAT_ROLES,
    ),
    "reinforcement": Format(
        name="reinforcement",
        method="reinforcement",
        example="a reinforcement example",
        keys=frozenset({"messages", "tools"}),
        roles=("developer", "user", "assistant", "tool"),
        open=True,
        most=50_000,
        most_validation=1_000,
    ),
}

METHODS: Mapping[str, tuple[FormatName, ...]] = {
    "supervised": ("chat", "completions"),
    "dpo": ("preference",),
    "reinforcement": ("reinforcement",),
}
"""A method and the formats it trains on; the first is taken where a file does not tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """How much a provider takes.

    Attributes:
        images: Images in one example.
        image_bytes: Bytes of one image.
        image_examples: Examples with images in one file, if that is known.
        reinforcement_images: Images may stand in reinforcement examples.
        outputs: Messages in one output of a preference example; None for any number.
        examples: The least number of examples in a file.
        byte_order_mark: A file may begin with one.
    """

    images: int = 10
    image_bytes: int = 10 * 1024 * 1024
    image_examples: int | None = 50_000
    reinforcement_images: bool = True
    outputs: int | None = 1
    examples: int = 10
    byte_order_mark: bool = False


_OPENAI = Allowed()
_AZURE = Allowed(
    images=64,
    image_examples=None,
    reinforcement_images=False,
    outputs=None,
    byte_order_mark=True,
)
_ALLOWED: Mapping[str, Allowed] = {
    "openai": _OPENAI,
    "local": _OPENAI,
    "compatible": _OPENAI,
    "azure": _AZURE,
    "azure-classic": _AZURE,
}

_CONTEXT_LENGTHS: Mapping[str, int] = {
    # https://platform.openai.com/docs/guides/fine-tuning, "Token limits": tokens of one example
    "gpt-4o-mini": 65_536,
    "gpt-3.5-turbo-1106": 16_385,
    "gpt-3.5-turbo-0613": 4_096,
}


def allowed_by(provider: object) -> Allowed:
    """Look a provider up by its name or, if that is not known, by the name of its limits."""
    names = [getattr(provider, "name", provider), getattr(provider, "limits", None)]
    for name in names:
        if isinstance(name, str) and name in _ALLOWED:
            return _ALLOWED[name]
    known = ", ".join(_ALLOWED)
    raise RequestError(f"provider is {names[0]!r}, which is not known here; use one of {known}.")


def context_length_of(model: str | None) -> int | None:
    """Tell how many tokens of one example `model` is trained on, where that is published."""
    return None if model is None else of_family(model, _CONTEXT_LENGTHS)


def of_family(model: str, families: Mapping[str, T]) -> T | None:
    """Look a model up by the name that its own begins with; a tuned one by its base model's."""
    base = model.split(":")[1] if model.startswith("ft:") else model
    for family, value in families.items():
        if base == family or base.startswith(f"{family}-"):
            return value
    return None
