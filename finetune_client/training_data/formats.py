"""The formats of training files, and which method trains on which, as data.

https://platform.openai.com/docs/guides/fine-tuning
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMATS", "METHODS", "Format", "FormatName"]

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
