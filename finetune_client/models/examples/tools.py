"""Functions that a model may call, and its calls.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.models.base import APIObject
from finetune_client.models.codec import boolean, copied, mapping, nested, text
from finetune_client.models.write import copy_of, plain, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

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
        left = copied(cls, data)
        return cls(
            name=text(left, "name"),
            description=text(left, "description"),
            parameters=mapping(left, "parameters"),
            strict=boolean(left, "strict"),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {
                "name": self.name,
                "description": self.description,
                "parameters": copy_of(self.parameters),
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
        left = copied(cls, data)
        return cls(
            type=text(left, "type"),
            function=nested(left, "function", FunctionDefinition.from_dict),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written({"type": self.type, "function": plain(self.function)}, self.extra)


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
        left = copied(cls, data)
        return cls(name=text(left, "name"), arguments=text(left, "arguments"), extra=left)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written({"name": self.name, "arguments": self.arguments}, self.extra)


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
        left = copied(cls, data)
        return cls(
            id=text(left, "id"),
            type=text(left, "type"),
            function=nested(left, "function", FunctionCall.from_dict),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {"id": self.id, "type": self.type, "function": plain(self.function)}, self.extra
        )
