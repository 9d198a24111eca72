"""One attempt at a request: sent, redirected where that is safe, read and judged."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from finetune_client.transport.connections.connection import Attempt
from finetune_client.transport.connections.sender import BodyError
from finetune_client.transport.credentials import without_key
from finetune_client.transport.exchange.failures import (
    NETWORK_ERRORS,
    Failure,
    network_failure,
    scrub,
)
from finetune_client.transport.exchange.fakes import (
    check_response,
    unanswered,
    words_of_fake,
)
from finetune_client.transport.exchange.redirects import (
    REDIRECTS,
    RedirectNotFollowed,
    Target,
    redirect_target,
)
from finetune_client.transport.exchange.response import (
    Received,
    StreamedResponse,
    read_response,
    refusal,
    refused_redirect,
    request_id,
)
from finetune_client.transport.exchange.response_body import discard
from finetune_client.transport.hooks import report_response

if TYPE_CHECKING:
    from finetune_client.clock import Clock
    from finetune_client.transport.connections.sender import Sender
    from finetune_client.transport.exchange.prepare import Call
    from finetune_client.transport.request import APIResponse

__all__ = ["exchange"]


def exchange(
    call: Call, sender: Sender, clock: Clock, number: int
) -> APIResponse | StreamedResponse | Failure:
    """Make one attempt.

    Args:
        call: The request, made ready.
        sender: What it goes over; a request that asks for it gets connections of its own.
        clock: What durations and deadlines are counted in.
        number: 1 for the first attempt.

    Raises:
        ConfigurationError: A callable did not give a key, or a test's fake has no answer.
        Exception: Whatever the body raised.
    """
    # Python chains it to whatever is raised meanwhile, although it has nothing to do with that: a
    # create called in an `except ConnectTimeout:` would count as not sent, and be sent again.
    handled = sys.exc_info()[1]
    used = sender.with_own_connections() if call.request.fresh_connection else sender
    try:
        return _Exchange(call, used, clock, number, handled).run()
    except BodyError as error:
        failed = error.error
    except BaseException as error:
        scrub(error, handled)
        raise
    finally:
        if used is not sender:
            used.close()
    try:
        raise failed
    finally:
        del failed  # or it would keep itself, and every frame, alive


class _Exchange:
    """What the steps of one attempt share."""

    __slots__ = ("attempt", "call", "clock", "handled", "number", "secret", "sender")

    def __init__(
        self,
        call: Call,
        sender: Sender,
        clock: Clock,
        number: int,
        handled: BaseException | None,
    ) -> None:
        self.call = call
        self.sender = sender
        self.clock = clock
        self.number = number
        self.handled = handled
        self.secret = call.credential.secret()
        connect, read = call.timeout
        self.attempt = Attempt(
            connect=connect, read=read, deadline=call.deadline, monotonic=clock.monotonic
        )

    def run(self) -> APIResponse | StreamedResponse | Failure:
        """Send, follow redirects as far as that is safe, and read."""
        call = self.call
        target = Target(call.url)
        redirects = 0
        while True:
            received = self._send(target)
            if isinstance(received, Failure):
                return self._without_key(received)
            response = received.response
            if response.status_code not in REDIRECTS:
                break
            redirects += 1
            discard(response)
            try:
                target = redirect_target(
                    redirects,
                    call.request.method,
                    response.headers,
                    current=target,
                    base=call.config.base_url,
                    allow_cross_origin=call.streamed,
                    allow_http=call.config.allow_http,
                )
            except RedirectNotFollowed as reason:
                return self._without_key(refused_redirect(received, str(reason)))
        succeeded = 200 <= response.status_code < 300
        if succeeded and call.streamed:
            return StreamedResponse(response, self.attempt, call.host, **call.facts)
        try:
            result = read_response(received) if succeeded else refusal(received, self.clock.now())
        finally:
            discard(response)
        if not isinstance(result, Failure):
            return result
        if result.mixed_up:
            self.sender.drop_connections()
        return self._without_key(result)

    def _send(self, target: Target) -> Received | Failure:
        call, attempt = self.call, self.attempt
        began = self.clock.monotonic()
        if attempt.expired:
            attempt.used = True  # so that it is known that nothing was sent
            return network_failure(TimeoutError(), attempt, call.host, **call.facts)
        words = None
        try:
            given = self.sender.send(call.address(target, self.secret), attempt)
        except BodyError:
            raise
        except Exception as error:
            words = words_of_fake(error, self.handled)
            if words is None and not isinstance(error, NETWORK_ERRORS):
                raise
            scrub(error, self.handled)
            if words is None:
                return network_failure(
                    error, attempt, call.host, handled=self.handled, **call.facts
                )
        if words is not None:
            raise unanswered(call.request.method, call.request.path, words, self.secret)
        response = check_response(given)
        name = request_id(response.headers)
        report_response(
            call.request,
            response.status_code,
            without_key(name, self.secret) if name else None,
            headers=response.headers,
            duration=self.clock.monotonic() - began,
            number=self.number,
            hook=call.config.on_response,
        )
        return Received(response, call, attempt, self.secret, self.handled)

    def _without_key(self, failure: Failure) -> Failure:
        """Take the key out of what an error says, should a server repeat it in a header or an id."""
        error = failure.error
        for name, value in vars(error).items():
            if isinstance(value, str):
                setattr(error, name, without_key(value, self.secret))
        error.args = (error.message,)
        return failure
