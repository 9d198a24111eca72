"""One line of a training file each; ``json.dumps(example.to_dict())`` is the line.

https://platform.openai.com/docs/guides/fine-tuning
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.models.base import APIObject
from finetune_client.models.codec import boolean, copied, nested, nested_list, text
from finetune_client.models.examples.messages import ChatMessage
from finetune_client.models.examples.tools import FunctionDefinition, Tool
from finetune_client.models.write import plain, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

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
        left = copied(cls, data)
        return cls(
            messages=nested_list(left, "messages", ChatMessage.from_dict),
            tools=nested_list(left, "tools", Tool.from_dict),
            parallel_tool_calls=boolean(left, "parallel_tool_calls"),
            functions=nested_list(left, "functions", FunctionDefinition.from_dict),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {
                "messages": plain(self.messages),
                "tools": plain(self.tools),
                "parallel_tool_calls": self.parallel_tool_calls,
                "functions": plain(self.functions),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class CompletionExample(APIObject):
    """A prompt and what shall follow it (``babbage-002`` and ``davinci-002``).

    Attributes:
        prompt: What the model is given.
        completion: What it shall go on with.
        extra: Keys that no field has.
    """

    prompt: str | None = None
    completion: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        left = copied(cls, data)
        return cls(prompt=text(left, "prompt"), completion=text(left, "completion"), extra=left)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written({"prompt": self.prompt, "completion": self.completion}, self.extra)


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
        left = copied(cls, data)
        return cls(
            messages=nested_list(left, "messages", ChatMessage.from_dict),
            tools=nested_list(left, "tools", Tool.from_dict),
            parallel_tool_calls=boolean(left, "parallel_tool_calls"),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {
                "messages": plain(self.messages),
                "tools": plain(self.tools),
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
        left = copied(cls, data)
        old = tuple(key for key in OLD_KEYS if _renamed(left, key))
        example = cls(
            input=nested(left, "input", PreferenceInput.from_dict),
            preferred_output=nested_list(left, "preferred_output", ChatMessage.from_dict),
            non_preferred_output=nested_list(left, "non_preferred_output", ChatMessage.from_dict),
            extra=left,
        )
        for key in old:
            if OLD_KEYS[key] in left:
                left[key] = left.pop(OLD_KEYS[key])
        example._old_keys = old
        return example

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        better, worse = (old if old in self._old_keys else new for old, new in OLD_KEYS.items())
        return written(
            {
                "input": plain(self.input),
                better: plain(self.preferred_output),
                worse: plain(self.non_preferred_output),
            },
            self.extra,
        )


OLD_KEYS = {
    "preferred_completion": "preferred_output",
    "non_preferred_completion": "non_preferred_output",
}


def _renamed(left: dict[str, Any], old: str) -> bool:
    """Give an old key its new name, if it is there and the new one is not."""
    if left.get(old) is None or left.get(OLD_KEYS[old]) is not None:
        return False
    left[OLD_KEYS[old]] = left.pop(old)
    return True


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ReinforcementExample(APIObject):
    """A conversation that the model shall answer, and what graders need to mark the answer.

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
        left = copied(cls, data)
        return cls(
            messages=nested_list(left, "messages", ChatMessage.from_dict),
            tools=nested_list(left, "tools", Tool.from_dict),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written({"messages": plain(self.messages), "tools": plain(self.tools)}, self.extra)
