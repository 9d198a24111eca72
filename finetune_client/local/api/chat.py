"""``/chat/completions``: asking a base model or a tuned one, whole or as server-sent events.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import secrets
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.api.chat_request import read_chat_request
from finetune_client.local.api.models import TUNED_PREFIX
from finetune_client.local.http.access import IS_GONE_KEY
from finetune_client.local.http.errors import RequestRefusedError, failure, no_such_model
from finetune_client.local.http.request_fields import json_body
from finetune_client.local.training.trainer import GenerationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from finetune_client.local.api.chat_request import ChatRequest
    from finetune_client.local.api.models import Models
    from finetune_client.local.state import State
    from finetune_client.local.training.trainer import Piece, Trainer

__all__ = ["Chat"]

_log = logging.getLogger("finetune_client.local")
_MAX_RETRY_AFTER = 60


class Chat:
    """The chat completions of one server.

    Args:
        state: What the server's parts share.
        models: Where tuned models are looked up.
        trainers: What answers.
    """

    def __init__(self, state: State, models: Models, trainers: Iterable[Trainer]) -> None:
        self._state = state
        self._models = models
        self._by_model = {name: trainer for trainer in trainers for name in trainer.models()}
        self._lock = threading.Lock()
        self._requests = 0
        self._last_seconds = 0.0

    def create(self, deployment: str | None = None) -> flask.Response | dict[str, Any]:
        """``POST /chat/completions``; on Azure's paths the deployment is the model."""
        body = json_body()
        request = read_chat_request(body if deployment is None else {**body, "model": deployment})
        trainer, base, directory = self._find(request.model)
        answer = _Answer(self._state.new_id("chatcmpl-"), self._state.now(), request)
        with ExitStack() as closing:
            closing.callback(self._leave, self._enter())
            generated = trainer.generate(base, directory, request.asked)
            if hasattr(generated, "close"):
                closing.callback(generated.close)
            pieces = _checked(generated, request.asked.n)
            if not request.is_streamed:
                return answer.whole(pieces)
            # Until the first piece is there, what goes wrong is an error response.
            first = next(pieces)
            events = flask.Response(
                answer.events(first, pieces),
                content_type="text/event-stream; charset=utf-8",
                # The second is for nginx, which would hold events back to fill its buffer.
                headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            )
            events.call_on_close(closing.pop_all().close)
            return events

    def _find(self, name: str) -> tuple[Trainer, str, Path | None]:
        """Return what answers for a model, the base model, and the tuned model's directory."""
        tuned = self._models.find(name)
        if tuned is None and name.startswith(TUNED_PREFIX):
            raise no_such_model(name)
        base = self._models.trained_as(name if tuned is None else tuned.base)
        if base is None:
            has = f"Base models that this server has: {', '.join(self._models.bases)}."
            if tuned is None:
                raise no_such_model(name, hint=has)
            message = (
                f"The model '{name}' was made from '{tuned.base}', which is missing here. {has}"
            )
            raise RequestRefusedError(404, message, code="model_not_found", param="model")
        directory = None if tuned is None else self._state.store.path(tuned.directory)
        return self._by_model[base], base, directory

    def _enter(self) -> float:
        """Count a request, and return when it began; one too many is refused."""
        most = self._state.limits.chat_requests
        with self._lock:
            if self._requests >= most:
                raise RequestRefusedError(
                    429,
                    f"This server answers at most {most} chat completions at once, with those that "
                    "wait for a model. Try again in a moment.",
                    code="rate_limit_exceeded",
                    type="requests",
                    retry_after=min(max(math.ceil(self._last_seconds), 1), _MAX_RETRY_AFTER),
                )
            self._requests += 1
        return self._state.clock()

    def _leave(self, begun: float) -> None:
        with self._lock:
            self._requests -= 1
            self._last_seconds = self._state.clock() - begun


def _checked(generated: Iterator[Piece], answers: int) -> Iterator[Piece]:
    """Yield the pieces while somebody wants them, with their errors as the API has them.

    Raises:
        RequestRefusedError: The model cannot answer, its answer is not whole, or nobody waits for
            it any more.
    """
    is_gone = flask.request.environ.get(IS_GONE_KEY, lambda: False)
    try:
        for piece in generated:
            if is_gone():
                raise RequestRefusedError(499, "The client has closed the connection.")
            answers -= piece.finish_reason is not None
            yield piece
    except GenerationError as error:
        if error.param is not None:
            raise RequestRefusedError(400, str(error), code=error.code, param=error.param) from None
        raise RequestRefusedError(500, str(error), code=error.code, type="server_error") from None
    if answers > 0:
        message = "The answer ended before it was whole; the server may be closing."
        raise RequestRefusedError(503, message, type="server_error")


class _Answer:
    """The answer to one request, as one object or as events.

    Args:
        answer_id: Its id.
        created: Its time.
        request: What it answers.
    """

    def __init__(self, answer_id: str, created: int, request: ChatRequest) -> None:
        self._id = answer_id
        self._created = created
        self._request = request
        self._prompt_tokens = 0
        self._completion_tokens = 0

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._request.model,
            "choices": choices,
        }

    def _count(self, piece: Piece) -> None:
        """Add the tokens of a piece; those of the conversation, which all answers share, once."""
        self._prompt_tokens = max(self._prompt_tokens, piece.prompt_tokens)
        self._completion_tokens += piece.completion_tokens

    def _usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": self._completion_tokens,
            "total_tokens": self._prompt_tokens + self._completion_tokens,
        }

    def whole(self, pieces: Iterator[Piece]) -> dict[str, Any]:
        """Return the answer as a ``chat.completion``."""
        texts: list[list[str]] = [[] for _ in range(self._request.asked.n)]
        calls: list[list[dict[str, Any]]] = [[] for _ in texts]
        reasons: list[str | None] = [None for _ in texts]
        for piece in pieces:
            self._count(piece)
            texts[piece.index].append(piece.text)
            calls[piece.index] += _calls(piece)
            reasons[piece.index] = piece.finish_reason
        choices = [
            {
                "index": index,
                "message": _message("".join(parts), calls[index]),
                "logprobs": None,
                "finish_reason": reasons[index],
            }
            for index, parts in enumerate(texts)
        ]
        return {**self._object("chat.completion", choices), "usage": self._usage()}

    def events(self, first: Piece, rest: Iterator[Piece]) -> Iterator[str]:
        """Yield the answer as server-sent events; an error that comes so late is one of them."""
        try:
            yield from self._chunks(first, rest)
        except RequestRefusedError as error:
            yield _event(error.body())
        except Exception as error:  # noqa: BLE001 - it is logged, and the client is told
            _log.exception("a stream failed within the server")
            yield _event(failure(error).body())

    def _chunks(self, first: Piece, rest: Iterator[Piece]) -> Iterator[str]:
        called: dict[int, int] = {}  # how many calls each answer has had that has begun

        for piece in itertools.chain((first,), rest):
            self._count(piece)
            index = piece.index
            if index not in called:
                called[index] = 0
                yield self._chunk(index, {"role": "assistant", "content": "", "refusal": None})
            if piece.text:
                yield self._chunk(index, {"content": piece.text})
            for call in _calls(piece):
                yield self._chunk(index, {"tool_calls": [{"index": called[index], **call}]})
                called[index] += 1
            if piece.finish_reason is not None:
                yield self._chunk(index, {}, piece.finish_reason)
        if self._request.counts_stream:
            chunk = self._object("chat.completion.chunk", [])
            yield _event({**chunk, "usage": self._usage()})
        yield "data: [DONE]\n\n"

    def _chunk(self, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> str:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        chunk = self._object("chat.completion.chunk", [choice])
        # As the API does it: each chunk has the key if the last one will have the usage.
        return _event({**chunk, "usage": None} if self._request.counts_stream else chunk)


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _calls(piece: Piece) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": dict(call)}
        for call in piece.tool_calls
    ]


def _message(text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if calls:
        message |= {"content": text or None, "tool_calls": calls}
    return message
