"""The messages that a model which grades answers is sent.

Text may hold ``{{item.key}}`` and ``{{sample.output_text}}``.
https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune_client.backports import Self
from finetune_client.display import format_value
from finetune_client.errors import DecodeError
from finetune_client.models.checks import choice, needed_object, needed_text
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    copy_object,
    pop_model,
    pop_object,
    pop_required,
    pop_text,
    to_plain,
    write_fields,
)

__all__ = [
    "AudioData",
    "EvalItem",
    "EvalItemContent",
    "EvalItemPart",
    "InputAudio",
    "InputImage",
    "InputText",
    "OutputText",
]

_ROLES = ("user", "assistant", "system", "developer")


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class InputText(APIObject):
    """A text that is given to the model.

    Attributes:
        type: ``input_text``.
        text: The text itself.
        prompt_cache_breakpoint: ``{"mode": "explicit"}`` ends a cached prompt here.
        extra: Keys that no field has.
    """

    type: str = "input_text"
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
class OutputText(APIObject):
    """A text that a model gave.

    Attributes:
        type: ``output_text``.
        text: The text itself.
        extra: Keys that no field has.
    """

    type: str = "output_text"
    text: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(type=pop_required(cls, rest, "type"), text=pop_text(rest, "text"), extra=rest)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"type": self.type, "text": self.text}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class InputImage(APIObject):
    """A picture.

    Attributes:
        type: ``input_image``.
        image_url: Its address, or the picture itself as a ``data:`` address.
        detail: ``auto``, ``low`` or ``high``.
        file_id: An uploaded file instead of an address.
        extra: Keys that no field has.
    """

    type: str = "input_image"
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            image_url=pop_text(rest, "image_url"),
            detail=pop_text(rest, "detail"),
            file_id=pop_text(rest, "file_id"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "image_url": self.image_url,
                "detail": self.detail,
                "file_id": self.file_id,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class AudioData(APIObject):
    """A sound.

    Attributes:
        data: The sound in base64.
        format: ``mp3`` or ``wav``.
        extra: Keys that no field has.
    """

    data: str | None = None
    format: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(data=pop_text(rest, "data"), format=pop_text(rest, "format"), extra=rest)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"data": self.data, "format": self.format}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class InputAudio(APIObject):
    """A sound that is given to the model.

    Attributes:
        type: ``input_audio``.
        input_audio: The sound itself.
        extra: Keys that no field has.
    """

    type: str = "input_audio"
    input_audio: AudioData | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            input_audio=pop_model(rest, "input_audio", AudioData.from_dict),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {"type": self.type, "input_audio": to_plain(self.input_audio)}, self.extra
        )


EvalItemPart = str | InputText | OutputText | InputImage | InputAudio | dict[str, Any]
"""One piece of an item's content; a kind that is not known yet stays a dict."""

EvalItemContent = EvalItemPart | list[EvalItemPart]
"""The API takes one piece or an array of them."""

_PARTS: dict[str, Callable[[Mapping[str, Any]], EvalItemPart]] = {
    "input_text": InputText.from_dict,
    "output_text": OutputText.from_dict,
    "input_image": InputImage.from_dict,
    "input_audio": InputAudio.from_dict,
}


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class EvalItem(APIObject):
    """One message to the model that grades answers.

    Attributes:
        role: ``user``, ``assistant``, ``system`` or ``developer``.
        content: One piece, or a list of them.
        type: ``message``, or nothing.
        extra: Keys that no field has.
    """

    role: str | None = None
    content: EvalItemContent | None = None
    type: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            role=pop_text(rest, "role"),
            content=pop_model(rest, "content", _content),
            type=pop_text(rest, "type"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {"role": self.role, "content": to_plain(self.content), "type": self.type}, self.extra
        )


def _content(value: Any) -> EvalItemContent:
    if isinstance(value, (list, tuple)):
        return [_part(one) for one in value]
    return _part(value)


def _part(value: Any) -> EvalItemPart:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        found = type(value).__name__
        raise DecodeError(f"Cannot read content: it must be text or an object, got {found}.")
    kind = value.get("type")
    read = _PARTS.get(kind) if isinstance(kind, str) else None
    return read(value) if read else dict(value)


def eval_items_problems(at: str, items: Any) -> Iterator[str]:
    """Find what makes the JSON form of an array of items one that the API would not take."""
    if items is None:
        yield f"{at}: is missing"
    elif not isinstance(items, (list, tuple)) or not items:
        yield f"{at}: must be an array of messages, at least one, got {format_value(items)}"
    else:
        for place, one in enumerate(items):
            yield from _item_problems(f"{at}[{place}]", one)


def _item_problems(at: str, item: Any) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield from needed_object(at, item)
        return
    yield from choice(f"{at}.role", item.get("role"), _ROLES)
    content = item.get("content")
    if content is None:
        yield f"{at}.content: is missing"
    elif isinstance(content, (list, tuple)):
        for place, one in enumerate(content):
            yield from _part_problems(f"{at}.content[{place}]", one, "text or an object")
    else:
        yield from _part_problems(f"{at}.content", content, "text, an object or an array")


def _part_problems(at: str, part: Any, kinds: str) -> Iterator[str]:
    if isinstance(part, Mapping):
        yield from needed_text(f"{at}.type", part.get("type"))
    elif not isinstance(part, str):
        yield f"{at}: must be {kinds}, got {format_value(part)}"
