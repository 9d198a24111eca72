"""The answer of a model to a conversation.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from finetune_client.backports import Self
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    copy_object,
    pop_integer,
    pop_model,
    pop_models,
    pop_object,
    pop_text,
    to_plain,
    write_fields,
)
from finetune_client.models.examples.messages import ChatMessage

__all__ = ["ChatCompletion", "Choice", "Usage"]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Usage(APIObject):
    """The tokens that an answer took, which are what is billed.

    Attributes:
        prompt_tokens: Tokens of the conversation that was sent.
        completion_tokens: Tokens that were generated.
        total_tokens: Both together.
        prompt_tokens_details: Parts of `prompt_tokens`, such as ``cached_tokens``.
        completion_tokens_details: Parts of `completion_tokens`, such as ``reasoning_tokens``.
        extra: Keys that no field has.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            prompt_tokens=pop_integer(rest, "prompt_tokens"),
            completion_tokens=pop_integer(rest, "completion_tokens"),
            total_tokens=pop_integer(rest, "total_tokens"),
            prompt_tokens_details=pop_object(rest, "prompt_tokens_details"),
            completion_tokens_details=pop_object(rest, "completion_tokens_details"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "prompt_tokens": self.prompt_tokens,
                "completion_tokens": self.completion_tokens,
                "total_tokens": self.total_tokens,
                "prompt_tokens_details": copy_object(self.prompt_tokens_details),
                "completion_tokens_details": copy_object(self.completion_tokens_details),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Choice(APIObject):
    """One answer; there are as many as were asked for with ``n``.

    Attributes:
        index: Its place among the answers, from 0.
        message: What the model said, and the tools it calls.
        finish_reason: Why it ended: ``stop``, ``length``, ``tool_calls``, ``content_filter`` or
            ``function_call``.
        logprobs: The log probabilities of the tokens in ``content`` and ``refusal``, if asked for.
        extra: Keys that no field has, such as Azure's ``content_filter_results``.
    """

    index: int | None = None
    message: ChatMessage | None = None
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            index=pop_integer(rest, "index"),
            message=pop_model(rest, "message", ChatMessage.from_dict),
            finish_reason=pop_text(rest, "finish_reason"),
            logprobs=pop_object(rest, "logprobs"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "index": self.index,
                "message": to_plain(self.message),
                "finish_reason": self.finish_reason,
                "logprobs": copy_object(self.logprobs),
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class ChatCompletion(APIObject):
    """A model's answer, whole.

    Attributes:
        id: Its name.
        object: ``chat.completion``.
        created: Seconds since 1970; here the API's own word is `created`, not ``created_at``.
        model: The model that answered.
        choices: The answers.
        usage: The tokens it took.
        service_tier: How it was processed.
        system_fingerprint: Names the configuration behind the model: the same ``seed`` gives the
            same answer only while this stays the same.
        metadata: Pairs of texts of your own, if it is stored.
        moderation: What a moderation of the conversation and the answer found, if asked for.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    metadata: dict[str, Any] | None = None
    moderation: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    _repr_fields: ClassVar[tuple[str, ...]] = ("id", "model", "choices", "usage")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_text(rest, "id"),
            object=pop_text(rest, "object"),
            created=pop_integer(rest, "created"),
            model=pop_text(rest, "model"),
            choices=pop_models(rest, "choices", Choice.from_dict),
            usage=pop_model(rest, "usage", Usage.from_dict),
            service_tier=pop_text(rest, "service_tier"),
            system_fingerprint=pop_text(rest, "system_fingerprint"),
            metadata=pop_object(rest, "metadata"),
            moderation=pop_object(rest, "moderation"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "object": self.object,
                "created": self.created,
                "model": self.model,
                "choices": to_plain(self.choices),
                "usage": to_plain(self.usage),
                "service_tier": self.service_tier,
                "system_fingerprint": self.system_fingerprint,
                "metadata": copy_object(self.metadata),
                "moderation": copy_object(self.moderation),
            },
            self.extra,
        )
