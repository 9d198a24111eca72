"""Chat completions: asking a model, such as one that was just tuned.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from finetune_client.backports import Unpack
from finetune_client.errors import DecodeError, RequestError
from finetune_client.lazy import part
from finetune_client.models import ChatCompletion, ChatMessage, Tool
from finetune_client.models.checks import needed_text, unsendable
from finetune_client.models.codec import APIObject, to_plain
from finetune_client.resources.arguments import as_list, check_arguments
from finetune_client.resources.base import Resource
from finetune_client.resources.options import RequestOptions
from finetune_client.transport import path_segment
from finetune_client.transport.config import DEFAULT_TIMEOUT
from finetune_client.transport.request import Request, Timeout

__all__ = ["Chat", "ChatCompletions"]

_SILENCE: Final = 600.0
"""Seconds. A server says nothing before the whole answer is there, which takes minutes for long ones."""


class Chat(Resource):
    """``client.chat``: holds `completions`."""

    @part
    def completions(self) -> ChatCompletions:
        """Chat completions."""
        return ChatCompletions(self._session)


class ChatCompletions(Resource):
    """Answers of models to conversations: ``client.chat.completions``.

    https://developers.openai.com/api/reference
    """

    def create(
        self,
        *,
        model: str,
        messages: Iterable[ChatMessage | Mapping[str, Any]],
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        n: int | None = None,
        stop: str | Sequence[str] | None = None,
        tools: Iterable[Tool | Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        logit_bias: Mapping[str, int] | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        stream: bool | None = None,
        audio: Mapping[str, Any] | None = None,
        function_call: str | Mapping[str, Any] | None = None,
        functions: Iterable[Mapping[str, Any]] | None = None,
        metadata: Mapping[str, str] | None = None,
        modalities: Sequence[str] | None = None,
        moderation: Mapping[str, Any] | None = None,
        prediction: Mapping[str, Any] | None = None,
        prompt_cache_key: str | None = None,
        prompt_cache_options: Mapping[str, Any] | None = None,
        prompt_cache_retention: str | None = None,
        safety_identifier: str | None = None,
        service_tier: str | None = None,
        store: bool | None = None,
        user: str | None = None,
        verbosity: str | None = None,
        web_search_options: Mapping[str, Any] | None = None,
        **options: Unpack[RequestOptions],
    ) -> ChatCompletion:
        """Ask a model and return its answer, whole.

        It costs tokens, so it is not repeated when its outcome is unknown. Where the client has its
        default ``timeout``, the server may be silent for 600 seconds and not for 60: it says nothing
        before the answer is complete.

        Each argument is sent as it is given; the server decides what it takes.

        Args:
            model: The model's name, such as a job's `fine_tuned_model`; on Azure that of its
                deployment.
            messages: The conversation: `ChatMessage` objects or the API's dicts.
            max_tokens: Tokens of the answer, at most; reasoning models take `max_completion_tokens`.
            max_completion_tokens: Tokens of the answer and of the reasoning before it, at most.
            temperature: From 0 to 2; 1 if not given.
            top_p: From 0 to 1; 1 if not given.
            seed: The same seed gives mostly the same answer.
            n: How many answers; 1 if not given.
            stop: A text, or up to four, before which the answer ends.
            tools: What the model may call: `Tool` objects or the API's dicts.
            tool_choice: ``"none"``, ``"auto"``, ``"required"``, or the tool to call.
            parallel_tool_calls: Whether it may call several tools at once.
            response_format: What the answer must look like, such as
                ``{"type": "json_schema", "json_schema": {"name": ..., "schema": ...}}``.
            reasoning_effort: How long a reasoning model thinks, such as ``"low"``.
            frequency_penalty: From -2 to 2; lowers what was said often already.
            presence_penalty: From -2 to 2; lowers what was said at all.
            logit_bias: Token ids -> -100 to 100, added to their chances.
            logprobs: Whether `Choice.logprobs` is wanted.
            top_logprobs: How many likely tokens at each place, 0 to 20.
            stream: Not available: True is refused.
            audio: The voice and the format of an answer in sound.
            function_call: The deprecated form of `tool_choice`.
            functions: The deprecated form of `tools`.
            metadata: Up to 16 pairs of texts, if it is stored.
            modalities: ``["text"]``, or ``["text", "audio"]``.
            moderation: Whether, and with which model, the conversation is moderated.
            prediction: What most of the answer is known to be.
            prompt_cache_key: What requests share whose beginning is the same.
            prompt_cache_options: How the beginning of the conversation is cached.
            prompt_cache_retention: ``"in_memory"`` or ``"24h"``.
            safety_identifier: Names your user, for the service's own checks.
            service_tier: How it is processed, such as ``"flex"``.
            store: Whether the service keeps the answer.
            user: The deprecated form of `safety_identifier` and `prompt_cache_key`.
            verbosity: ``"low"``, ``"medium"`` or ``"high"``.
            web_search_options: How the web is searched.
            **options: See `RequestOptions`.

        Raises:
            RequestError: An argument is of the wrong kind, or a stream was asked for; nothing was
                sent.
            NotFoundError: There is no such model, or on Azure no such deployment.
            APIResponseError: The answer is not a chat completion.
        """
        if stream:
            raise RequestError(
                "chat.completions.create returns the whole answer and does not stream: leave "
                "stream= out, or use the official SDK, openai.OpenAI(base_url=..., api_key=...), "
                "for a stream. Nothing was sent."
            )
        body = {
            "model": model,
            "messages": _as_array(messages),
            "max_tokens": max_tokens,
            "max_completion_tokens": max_completion_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "seed": seed,
            "n": n,
            "stop": stop,
            "tools": _as_array(tools),
            "tool_choice": to_plain(tool_choice),
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": to_plain(response_format),
            "reasoning_effort": reasoning_effort,
            "frequency_penalty": frequency_penalty,
            "presence_penalty": presence_penalty,
            "logit_bias": to_plain(logit_bias),
            "logprobs": logprobs,
            "top_logprobs": top_logprobs,
            "stream": stream,
            "audio": to_plain(audio),
            "function_call": to_plain(function_call),
            "functions": _as_array(functions),
            "metadata": to_plain(metadata),
            "modalities": to_plain(modalities),
            "moderation": to_plain(moderation),
            "prediction": to_plain(prediction),
            "prompt_cache_key": prompt_cache_key,
            "prompt_cache_options": to_plain(prompt_cache_options),
            "prompt_cache_retention": prompt_cache_retention,
            "safety_identifier": safety_identifier,
            "service_tier": service_tier,
            "store": store,
            "user": user,
            "verbosity": verbosity,
            "web_search_options": to_plain(web_search_options),
        }
        body = {name: value for name, value in body.items() if value is not None}
        check_arguments(
            "ask the model",
            needed_text("model", model),
            _messages_problems(body.get("messages")),
            unsendable("", body),
        )
        request = Request(
            method="POST",
            path=self._session.provider.chat_path.format(model=path_segment(model, "model")),
            json=body,
            timeout=self._timeout,
            idempotent=False,
        )
        return self._read(request, _read_completion, options)

    @property
    def _timeout(self) -> Timeout | None:
        """The limits of a call without ``timeout``; `None` for the client's, if they were chosen."""
        if self._session.config.timeout != DEFAULT_TIMEOUT:
            return None
        return DEFAULT_TIMEOUT[0], _SILENCE


def _as_array(value: Any) -> Any:
    """Return the JSON form of an array; one object, whose keys are no items, stays an object."""
    return to_plain(value if isinstance(value, (Mapping, APIObject)) else as_list(value))


def _messages_problems(messages: Any) -> Iterator[str]:
    if messages is None:
        yield "messages: is missing"
    elif not isinstance(messages, list) or not messages:
        found = "none" if messages == [] else type(messages).__name__
        yield f"messages: must be an array of messages, at least one, got {found}"
    else:
        for place, one in enumerate(messages):
            if not isinstance(one, dict):
                yield f"messages[{place}]: must be a message, got {type(one).__name__}"


def _read_completion(data: Any) -> ChatCompletion:
    """Read the answer; what has no choices, such as an error with the status 200, is not one.

    Raises:
        DecodeError: It is not a chat completion.
    """
    completion = ChatCompletion.from_dict(data)
    if completion.choices is None:
        raise DecodeError(
            'Cannot read a ChatCompletion: "choices" must be an array.', path="choices"
        )
    return completion
