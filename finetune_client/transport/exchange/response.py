"""Judging an answer: what it says, or what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from finetune_client.errors import APIConnectionError, APIResponseError, RedirectRefusedError
from finetune_client.transport.exchange.error_body import error_class, error_facts, request_id
from finetune_client.transport.exchange.failures import (
    NETWORK_ERRORS,
    Failure,
    being_handled,
    network_failure,
    scrub,
)
from finetune_client.transport.exchange.json_body import UnreadableError, decoded_json, excerpt
from finetune_client.transport.exchange.response_body import (
    CutOffError,
    EncodingError,
    TooLargeError,
    read_body,
    read_some,
)
from finetune_client.transport.hooks import LOGGER
from finetune_client.transport.request import APIResponse
from finetune_client.transport.retry import parse_retry_after, status_verdict
from finetune_client.transport.secret import HIDDEN, SHORTEST_KEY

if TYPE_CHECKING:
    from requests import Response

    from finetune_client.transport.connections.connection import Attempt
    from finetune_client.transport.exchange.prepare import Call
    from finetune_client.transport.secret import Secret

__all__ = ["LARGEST_ANSWER", "LARGEST_ERROR", "read_reply", "refusal", "refused_redirect"]

LARGEST_ANSWER: Final = 32 * 1024 * 1024
LARGEST_ERROR: Final = 64 * 1024

_LONGEST_MESSAGE: Final = 500
_EMPTY: Final = frozenset({204, 205})


def read_reply(
    response: Response, call: Call, attempt: Attempt, secret: Secret | None
) -> APIResponse | Failure:
    """Read a successful answer."""
    before = being_handled()
    try:
        body = read_body(response, LARGEST_ANSWER)
    except TooLargeError:
        limit = LARGEST_ANSWER // 2**20
        return _unreadable(response, call, f"it is larger than {limit} MiB", retry=False)
    except EncodingError as error:
        return _unreadable(response, call, str(error))
    except CutOffError as error:
        message = f"The answer of {call.host} to {_asked(call)} broke off: {error}."
        cut = APIConnectionError(message, outcome="bad_answer", **_facts(response, call))
        return Failure(cut, "if_idempotent")
    except NETWORK_ERRORS as error:
        scrub(error, before)
        facts = _facts(response, call)
        lost = network_failure(error, attempt, call.host, before=before, **facts)
        lost.error.outcome = "bad_answer"
        return lost
    return _reply(response, call, body, secret)


def refusal(
    response: Response, call: Call, attempt: Attempt, secret: Secret | None, now: float
) -> Failure:
    """Turn an error answer into a failure; a body that breaks off never hides the status."""
    if attempt.read is not None:
        attempt.end_within(attempt.read)
    body = _without(secret, read_some(response, LARGEST_ERROR, NETWORK_ERRORS))
    status, headers = response.status_code, response.headers
    said = error_facts(body)
    retry_after = parse_retry_after(headers, now)
    outcome, retry = status_verdict(
        status, headers, code=said["code"], kind=said["type"], retry_after=retry_after
    )
    text = said.pop("text") or f"The server answered {_phrase(status)} and said nothing more."
    message = _message(text, response, call, retry_after)
    facts = {**_facts(response, call), **said, "outcome": outcome, "retry_after": retry_after}
    return Failure(error_class(status)(message, **facts), retry)


def refused_redirect(response: Response, call: Call, reason: str) -> Failure:
    """Refuse a redirect; whoever it came from has not carried the request out."""
    message = (
        f"{call.host} answered {_asked(call)} with a redirect ({response.status_code}), which was "
        f"not followed: {reason}."
    )
    return Failure(RedirectRefusedError(message, outcome="refused", **_facts(response, call)))


def _reply(
    response: Response, call: Call, body: bytes, secret: Secret | None
) -> APIResponse | Failure:
    request, status = call.request, response.status_code
    if not body and (status in _EMPTY or request.any_answer):
        data: Any = None
    else:
        try:
            data = decoded_json(body)
        except UnreadableError as error:
            said = excerpt(_without(secret, body[:2000]).decode("utf-8", "replace"), 200)
            quoted = f"; it began {said!r}" if said else ""
            return _unreadable(response, call, f"{error}{quoted}", body=said or None)
        if not (isinstance(data, dict | list) or request.any_answer):
            return _unreadable(response, call, f"it is {_kind(data)} and no object", body=data)
    if request.expect_id is not None and isinstance(data, dict):
        wrong = _other_id(response, call, data.get("id"))
        if wrong is not None:
            return wrong
    return APIResponse(
        data=data,
        status=status,
        request_id=request_id(response.headers),
        headers=response.headers,
    )


def _other_id(response: Response, call: Call, found: Any) -> Failure | None:
    """Compare ids: the answer to somebody else's request must not be taken for ours."""
    expected = call.request.expect_id
    if found == expected:
        return None
    if call.config.provider.keeps_ids:
        shown = excerpt(str(found), 100)
        reason = f"it is about {shown!r} instead of {expected!r}"
        return replace(_unreadable(response, call, reason), crossed=True)
    LOGGER.warning("%s %s: the answer has another id", call.request.method, call.request.path)
    return None


def _unreadable(
    response: Response, call: Call, reason: str, *, retry: bool = True, body: Any = None
) -> Failure:
    message = (
        f"{call.host} answered {_asked(call)} with {_phrase(response.status_code)}, but the answer "
        f"cannot be used: {reason}."
    )
    error = APIResponseError(message, outcome="bad_answer", body=body, **_facts(response, call))
    return Failure(error, "if_idempotent" if retry else "no")


def _message(text: str, response: Response, call: Call, retry_after: float | None) -> str:
    notes = [f"HTTP {response.status_code}", _asked(call)]
    if name := request_id(response.headers):
        notes.append(f"request {name}")
    if retry_after:
        notes.append(f"retry after {retry_after:g} s")
    tail = f" ({', '.join(notes)})"
    return excerpt(text, max(100, _LONGEST_MESSAGE - len(tail))) + tail


def _asked(call: Call) -> str:
    return f"{call.request.method} {excerpt(call.request.path, 120)}"


def _facts(response: Response, call: Call) -> dict[str, Any]:
    return {
        **call.facts,
        "status_code": response.status_code,
        "request_id": request_id(response.headers),
    }


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _kind(data: Any) -> str:
    return "null" if data is None else {str: "a text"}.get(type(data), "a number or a truth value")


def _without(secret: Secret | None, body: bytes) -> bytes:
    """Take the key out of what a server said, should it repeat it."""
    if secret is None or len(secret) < SHORTEST_KEY:
        return body
    return body.replace(secret.encode(), HIDDEN.encode())
