"""Messages of a conversation, as they stand in training files.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune_client.backports import Self
from finetune_client.errors import DecodeError
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    copy_object,
    pop_integer,
    pop_model,
    pop_models,
    pop_object,
    pop_required,
    pop_text,
    to_plain,
    write_fields,
)
from finetune_client.models.examples.tools import FunctionCall, ToolCall

__all__ = [
    "ChatMessage",
    "ContentPart",
    "ImagePart",
    "ImageUrl",
    "RefusalPart",
    "TextPart",
]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class TextPart(APIObject):
    """A piece of text.

    Attributes:
        type: ``text``.
        text: The text itself.
        prompt_cache_breakpoint: ``{"mode": "explicit"}`` ends a cached prompt here.
        extra: Keys that no field has.
    """

    type: str = "text"
    text: str | None = None
    prompt_cache_breakpoint: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            text=pop_text(rest, "text"),
            prompt_cache_breakpoint=pop_object(rest, "prompt_cache_breakpoint"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "text": self.text,
                "prompt_cache_breakpoint": copy_object(self.prompt_cache_breakpoint),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ImageUrl(APIObject):
    """Where a picture is.

    Attributes:
        url: Its address, or the picture itself as a ``data:`` address.
        detail: ``auto``, ``low`` or ``high``.
        extra: Keys that no field has.
    """

    url: str | None = None
    detail: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(url=pop_text(rest, "url"), detail=pop_text(rest, "detail"), extra=rest)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"url": self.url, "detail": self.detail}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ImagePart(APIObject):
    """A picture, in messages of the user only.

    Attributes:
        type: ``image_url``.
        image_url: Where the picture is.
        prompt_cache_breakpoint: ``{"mode": "explicit"}`` ends a cached prompt here.
        extra: Keys that no field has.
    """

    type: str = "image_url"
    image_url: ImageUrl | None = None
    prompt_cache_breakpoint: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            image_url=pop_model(rest, "image_url", ImageUrl.from_dict),
            prompt_cache_breakpoint=pop_object(rest, "prompt_cache_breakpoint"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "image_url": to_plain(self.image_url),
                "prompt_cache_breakpoint": copy_object(self.prompt_cache_breakpoint),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class RefusalPart(APIObject):
    """A refusal, in messages of the assistant only.

    Attributes:
        type: ``refusal``.
        refusal: The text of the refusal.
        extra: Keys that no field has.
    """

    type: str = "refusal"
    refusal: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"), refusal=pop_text(rest, "refusal"), extra=rest
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"type": self.type, "refusal": self.refusal}, self.extra)


ContentPart = TextPart | ImagePart | RefusalPart | dict[str, Any]
"""One piece of a message; a kind that has no type here (``file``) stays a dict."""

_PARTS: dict[str, Callable[[Mapping[str, Any]], ContentPart]] = {
    "text": TextPart.from_dict,
    "image_url": ImagePart.from_dict,
    "refusal": RefusalPart.from_dict,
}


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ChatMessage(APIObject):
    """One message, of any role; the server decides which fields go with which role.

    Attributes:
        role: ``system``, ``developer``, ``user``, ``assistant``, ``tool`` or ``function``.
        content: Text, or a list of pieces.
        name: Distinguishes participants who share a role; the function's name for role ``function``.
        refusal: The assistant's refusal, instead of an answer.
        weight: 0 or 1: whether an assistant's message is trained on.
        tool_calls: What the assistant asks tools.
        tool_call_id: The call that a ``tool`` message answers.
        function_call: The deprecated form of `tool_calls`.
        audio: The earlier answer in sound, ``{"id": ...}``.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    role: str | None = None
    content: str | list[ContentPart] | None = None
    name: str | None = None
    refusal: str | None = None
    weight: int | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    audio: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        role, content = pop_text(rest, "role"), pop_model(rest, "content", _content)
        if not rest:  # most messages, and training files have millions
            return cls(role=role, content=content)
        return cls(
            role=role,
            content=content,
            name=pop_text(rest, "name"),
            refusal=pop_text(rest, "refusal"),
            weight=pop_integer(rest, "weight"),
            tool_calls=pop_models(rest, "tool_calls", ToolCall.from_dict),
            tool_call_id=pop_text(rest, "tool_call_id"),
            function_call=pop_model(rest, "function_call", FunctionCall.from_dict),
            audio=pop_object(rest, "audio"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "role": self.role,
                "content": to_plain(self.content),
                "name": self.name,
                "refusal": self.refusal,
                "weight": self.weight,
                "tool_calls": to_plain(self.tool_calls),
                "tool_call_id": self.tool_call_id,
                "function_call": to_plain(self.function_call),
                "audio": copy_object(self.audio),
            },
            self.extra,
        )


def _content(value: Any) -> str | list[ContentPart]:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return [_part(one) for one in value]
    found = type(value).__name__
    raise DecodeError(f"Cannot read content: it must be text or an array, got {found}.")


def _part(value: Any) -> ContentPart:
    if not isinstance(value, Mapping):
        found = type(value).__name__
        raise DecodeError(f"Cannot read a part of content: it must be an object, got {found}.")
    kind = value.get("type")
    read = _PARTS.get(kind) if isinstance(kind, str) else None
    return read(value) if read else dict(value)
