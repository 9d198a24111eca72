"""Functions that a model may call, and its calls.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune_client.backports import Self
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    copy_object,
    pop_boolean,
    pop_model,
    pop_object,
    pop_text,
    to_plain,
    write_fields,
)

__all__ = ["FunctionCall", "FunctionDefinition", "Tool", "ToolCall"]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FunctionDefinition(APIObject):
    """A function that the model may call.

    Attributes:
        name: What it is called.
        description: When to call it.
        parameters: The JSON Schema of its arguments.
        strict: Whether the arguments must follow the schema to the letter.
        extra: Keys that no field has.
    """

    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            name=pop_text(rest, "name"),
            description=pop_text(rest, "description"),
            parameters=pop_object(rest, "parameters"),
            strict=pop_boolean(rest, "strict"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "name": self.name,
                "description": self.description,
                "parameters": copy_object(self.parameters),
                "strict": self.strict,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Tool(APIObject):
    """A tool that the model may use.

    Attributes:
        type: ``function``.
        function: The function.
        extra: Keys that no field has.
    """

    type: str | None = "function"
    function: FunctionDefinition | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_text(rest, "type"),
            function=pop_model(rest, "function", FunctionDefinition.from_dict),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"type": self.type, "function": to_plain(self.function)}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FunctionCall(APIObject):
    """A call of a function.

    Attributes:
        name: The function's name.
        arguments: Its arguments: JSON, as one text.
        extra: Keys that no field has.
    """

    name: str | None = None
    arguments: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(name=pop_text(rest, "name"), arguments=pop_text(rest, "arguments"), extra=rest)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"name": self.name, "arguments": self.arguments}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ToolCall(APIObject):
    """A call of a tool, in a message of the assistant.

    Attributes:
        id: What the answering ``tool`` message names it by.
        type: ``function``; a ``custom`` call has its settings in `extra`.
        function: The call of the function.
        extra: Keys that no field has.
    """

    id: str | None = None
    type: str | None = "function"
    function: FunctionCall | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_text(rest, "id"),
            type=pop_text(rest, "type"),
            function=pop_model(rest, "function", FunctionCall.from_dict),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {"id": self.id, "type": self.type, "function": to_plain(self.function)}, self.extra
        )
