"""One line of a training file each; ``json.dumps(example.to_dict())`` is the line.

https://developers.openai.com/api/docs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune_client.backports import Self
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_boolean,
    pop_model,
    pop_models,
    pop_text,
    to_plain,
    write_fields,
)
from finetune_client.models.examples.messages import ChatMessage
from finetune_client.models.examples.tools import FunctionDefinition, Tool

__all__ = [
    "ChatExample",
    "CompletionExample",
    "PreferenceExample",
    "PreferenceInput",
    "ReinforcementExample",
]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ChatExample(APIObject):
    """A conversation to learn from (supervised).

    Attributes:
        messages: The conversation, with at least one message of the assistant.
        tools: What the model may use.
        parallel_tool_calls: Whether it may use several at once.
        functions: The deprecated form of `tools`.
        extra: Keys that no field has.
    """

    messages: list[ChatMessage] | None = None
    tools: list[Tool] | None = None
    parallel_tool_calls: bool | None = None
    functions: list[FunctionDefinition] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            messages=pop_models(rest, "messages", ChatMessage.from_dict),
            tools=pop_models(rest, "tools", Tool.from_dict),
            parallel_tool_calls=pop_boolean(rest, "parallel_tool_calls"),
            functions=pop_models(rest, "functions", FunctionDefinition.from_dict),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "messages": to_plain(self.messages),
                "tools": to_plain(self.tools),
                "parallel_tool_calls": self.parallel_tool_calls,
                "functions": to_plain(self.functions),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class CompletionExample(APIObject):
    """A prompt and the text that follows it (``babbage-002`` and ``davinci-002``).

    Attributes:
        prompt: What the model is given.
        completion: What it is to continue with.
        extra: Keys that no field has.
    """

    prompt: str | None = None
    completion: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            prompt=pop_text(rest, "prompt"), completion=pop_text(rest, "completion"), extra=rest
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"prompt": self.prompt, "completion": self.completion}, self.extra)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class PreferenceInput(APIObject):
    """The conversation that two answers are compared for.

    Attributes:
        messages: The conversation.
        tools: What the model may use.
        parallel_tool_calls: Whether it may use several at once.
        extra: Keys that no field has.
    """

    messages: list[ChatMessage] | None = None
    tools: list[Tool] | None = None
    parallel_tool_calls: bool | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            messages=pop_models(rest, "messages", ChatMessage.from_dict),
            tools=pop_models(rest, "tools", Tool.from_dict),
            parallel_tool_calls=pop_boolean(rest, "parallel_tool_calls"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "messages": to_plain(self.messages),
                "tools": to_plain(self.tools),
                "parallel_tool_calls": self.parallel_tool_calls,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class PreferenceExample(APIObject):
    """A better and a worse answer to one conversation (DPO).

    An older form has the answers under ``preferred_completion`` and
    ``non_preferred_completion``. It is read too, and written back as it came.

    Attributes:
        input: The conversation.
        preferred_output: The better answer, one message.
        non_preferred_output: The worse answer, one message.
        extra: Keys that no field has.
    """

    input: PreferenceInput | None = None
    preferred_output: list[ChatMessage] | None = None
    non_preferred_output: list[ChatMessage] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    _old_keys: tuple[str, ...] = field(default=(), init=False, compare=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        old = tuple(key for key in _OLD_KEYS if _rename_key(rest, key))
        example = cls(
            input=pop_model(rest, "input", PreferenceInput.from_dict),
            preferred_output=pop_models(rest, "preferred_output", ChatMessage.from_dict),
            non_preferred_output=pop_models(rest, "non_preferred_output", ChatMessage.from_dict),
            extra=rest,
        )
        for key in old:
            if _OLD_KEYS[key] in rest:
                rest[key] = rest.pop(_OLD_KEYS[key])
        example._old_keys = old
        return example

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        better, worse = (old if old in self._old_keys else new for old, new in _OLD_KEYS.items())
        return write_fields(
            {
                "input": to_plain(self.input),
                better: to_plain(self.preferred_output),
                worse: to_plain(self.non_preferred_output),
            },
            self.extra,
        )


_OLD_KEYS = {
    "preferred_completion": "preferred_output",
    "non_preferred_completion": "non_preferred_output",
}


def _rename_key(rest: dict[str, Any], old: str) -> bool:
    """Rename an old key, if it is there and the new one is not."""
    if rest.get(old) is None or rest.get(_OLD_KEYS[old]) is not None:
        return False
    rest[_OLD_KEYS[old]] = rest.pop(old)
    return True


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ReinforcementExample(APIObject):
    """A conversation that the model is to answer, and what graders need to score the answer.

    Attributes:
        messages: The conversation; the last message is the user's.
        tools: What the model may use.
        extra: All other keys; graders find them as ``{{item.key}}``.
    """

    messages: list[ChatMessage] | None = None
    tools: list[Tool] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            messages=pop_models(rest, "messages", ChatMessage.from_dict),
            tools=pop_models(rest, "tools", Tool.from_dict),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {"messages": to_plain(self.messages), "tools": to_plain(self.tools)}, self.extra
        )
