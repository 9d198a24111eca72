"""One try of a request: sent, led on by redirects where that is safe, read and judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.transport.connections.sender import BodyError
from finetune_client.transport.exchange.error_body import rate_limits, request_id
from finetune_client.transport.exchange.failures import (
    NETWORK_ERRORS,
    Failure,
    being_handled,
    network_failure,
    scrub,
)
from finetune_client.transport.exchange.redirects import REDIRECTS, RefusedHop, next_hop
from finetune_client.transport.exchange.response import read_reply, refusal, refused_redirect
from finetune_client.transport.exchange.response_body import discard
from finetune_client.transport.exchange.stream import Stream
from finetune_client.transport.hooks import ResponseInfo, report
from finetune_client.transport.secret import without_key

if TYPE_CHECKING:
    from requests import Response

    from finetune_client.clock import Clock
    from finetune_client.transport.connections.connection import Attempt
    from finetune_client.transport.connections.sender import Sender
    from finetune_client.transport.exchange.prepare import Call
    from finetune_client.transport.exchange.redirects import Hop
    from finetune_client.transport.request import APIResponse, StreamedResponse
    from finetune_client.transport.secret import Secret

__all__ = ["exchange"]


class _Try:
    """What the steps of one try share."""

    __slots__ = ("attempt", "call", "clock", "number", "secret", "sender")

    def __init__(self, call: Call, sender: Sender, clock: Clock, number: int) -> None:
        self.call = call
        self.sender = sender
        self.clock = clock
        self.number = number
        self.secret: Secret | None = call.credential.secret()
        self.attempt: Attempt = call.attempt(clock.monotonic)


def exchange(
    call: Call, sender: Sender, clock: Clock, number: int
) -> APIResponse | StreamedResponse | Failure:
    """Make one try.

    Args:
        call: The request, made ready.
        sender: What it goes over; a request that asks for it gets connections of its own.
        clock: What durations and deadlines are counted in.
        number: 1 for the first try.

    Raises:
        ConfigurationError: There is no key to be had.
        Exception: Whatever the body raised.
    """
    before = being_handled()
    try:
        return _made(call, sender, clock, number)
    except BodyError as failure:
        failed = failure.error
    except BaseException as error:
        scrub(error, before)
        raise
    try:
        raise failed
    finally:
        del failed  # or it would keep itself, and every frame, alive


def _made(
    call: Call, sender: Sender, clock: Clock, number: int
) -> APIResponse | StreamedResponse | Failure:
    used = sender.with_own_connections() if call.request.fresh_connection else sender
    try:
        return _judged(_Try(call, used, clock, number))
    finally:
        if used is not sender:
            used.close()


def _judged(this: _Try) -> APIResponse | StreamedResponse | Failure:
    response = _arrived(this)
    result = response if isinstance(response, Failure) else _taken(this, response)
    return _withheld(result, this.secret) if isinstance(result, Failure) else result


def _withheld(failure: Failure, secret: Secret | None) -> Failure:
    """Take the key out of what an error says, should a server repeat it in a header or an id."""
    error = failure.error
    for name, value in vars(error).items():
        if isinstance(value, str):
            setattr(error, name, without_key(value, secret))
    error.args = (error.message,)
    return failure


def _arrived(this: _Try) -> Response | Failure:
    """Send, and follow redirects as far as that is safe."""
    call = this.call
    hop = call.start
    hops = 0
    while True:
        response = _sent(this, hop)
        if isinstance(response, Failure) or response.status_code not in REDIRECTS:
            return response
        hops += 1
        discard(response)
        try:
            hop = next_hop(
                hops,
                call.request.method,
                response.headers,
                at=hop,
                base=call.config.base_url,
                abroad=call.streamed,
                allow_http=call.config.allow_http,
            )
        except RefusedHop as refused:
            return refused_redirect(response, call, str(refused))


def _sent(this: _Try, hop: Hop) -> Response | Failure:
    call = this.call
    before = being_handled()
    began = this.clock.monotonic()
    if this.attempt.expired:
        this.attempt.used = True  # so that it is known that nothing was sent
        return network_failure(TimeoutError(), this.attempt, call.host, **call.facts)
    try:
        response = this.sender.send(call.outgoing(hop, this.secret), this.attempt)
    except NETWORK_ERRORS as error:
        scrub(error, before)
        return network_failure(error, this.attempt, call.host, before=before, **call.facts)
    report(
        ResponseInfo(
            method=call.request.method,
            path=call.request.path,
            status=response.status_code,
            request_id=without_key(request_id(response.headers) or "", this.secret) or None,
            duration=this.clock.monotonic() - began,
            attempt=this.number,
            rate_limits=rate_limits(response.headers),
        ),
        call.config.on_response,
    )
    return response


def _taken(this: _Try, response: Response) -> APIResponse | StreamedResponse | Failure:
    call = this.call
    succeeded = 200 <= response.status_code < 300
    if succeeded and call.streamed:
        return Stream(response, this.attempt, call.host, **call.facts)
    try:
        if not succeeded:
            return refusal(response, call, this.attempt, this.secret, this.clock.now())
        reply = read_reply(response, call, this.attempt, this.secret)
    finally:
        discard(response)
    if isinstance(reply, Failure) and reply.crossed:
        this.sender.drop_connections()
    return reply
