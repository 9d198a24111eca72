"""A request's way: prepared, sent, read, judged, and perhaps sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from weakref import ref

from finetune_client.clock import SYSTEM_CLOCK, Clock
from finetune_client.errors import ConfigurationError
from finetune_client.transport.exchange.attempt import exchange
from finetune_client.transport.exchange.failures import Failure
from finetune_client.transport.exchange.prepare import prepare
from finetune_client.transport.exchange.response import StreamedResponse
from finetune_client.transport.hooks import log_retry
from finetune_client.transport.request import APIResponse
from finetune_client.transport.retry import wait_before_retry

if TYPE_CHECKING:
    from finetune_client.providers import Feature, Provider
    from finetune_client.transport.config import Config
    from finetune_client.transport.connections.sender import Sender
    from finetune_client.transport.exchange.prepare import Call
    from finetune_client.transport.request import Request

__all__ = ["Session"]


class Session:
    """What a client sends its requests with. It can be shared by threads.

    Attributes:
        config: Its settings.
        clock: What it waits with.
    """

    def __init__(
        self,
        config: Config,
        sender: Sender,
        *,
        clock: Clock = SYSTEM_CLOCK,
        owner: Session | None = None,
    ) -> None:
        self.config = config
        self.clock = clock
        self._sender = sender
        self._owner = ref(owner) if owner is not None else None
        self._closed = False

    @property
    def provider(self) -> Provider:
        """What kind of server it speaks to."""
        return self.config.provider

    def require(self, feature: Feature, what: str) -> None:
        """Refuse what the provider does not have, before anything is sent.

        Raises:
            ConfigurationError: The provider lacks ``feature``; ``what`` is what was asked for, in
                words.
        """
        if feature in self.provider.lacks:
            raise ConfigurationError(
                f"The provider {self.provider.name!r} does not support {what}: "
                f"{self.provider.lacks[feature]}. Nothing was sent. To ask all the same, give the "
                "client provider=dataclasses.replace(provider, lacks={})."
            )

    def sharing(self, config: Config, *, clock: Clock | None = None) -> Session:
        """Return a session with other settings, or another clock, over the same connections."""
        first = self._owner() if self._owner is not None else None
        return Session(config, self._sender, clock=clock or self.clock, owner=first or self)

    @property
    def is_closed(self) -> bool:
        """Whether it, or the session whose connections it shares, was closed."""
        owner = self._owner() if self._owner is not None else None
        return self._closed or (owner is not None and owner.is_closed)

    def close(self) -> None:
        """Close the connections, unless they are those of another session that lives on."""
        self._closed = True
        if self._connections_are_closed:
            self._sender.close()

    @property
    def _connections_are_closed(self) -> bool:
        owner = self._owner() if self._owner is not None else None
        return self._closed if owner is None else owner.is_closed

    def deadline(self) -> float | None:
        """Return when a call that begins now must be over, on the monotonic clock; None for no limit.

        A call that takes several requests puts it into each, so that they share one total timeout.
        """
        total = self.config.total_timeout
        return None if total is None else self.clock.monotonic() + total

    def send(self, request: Request) -> APIResponse:
        """Send a request and read its response.

        Raises:
            APIError: No answer came, or none that can be used.
            RequestError, ConfigurationError: The request cannot be sent.
        """
        return cast(APIResponse, self._send_with_retries(request, streamed=False))

    def stream(self, request: Request) -> StreamedResponse:
        """Send a request and hand its response over unread, for a with-statement.

        Raises:
            APIError: No answer came, or an error.
            RequestError, ConfigurationError: The request cannot be sent.
        """
        return cast(StreamedResponse, self._send_with_retries(request, streamed=True))

    def _send_with_retries(
        self, request: Request, *, streamed: bool
    ) -> APIResponse | StreamedResponse:
        if self.is_closed:
            raise ConfigurationError("The client is closed; make a new one.")
        call = prepare(request, self.config, self.clock, streamed=streamed)
        try:
            attempts = 0
            while True:
                attempts += 1
                result = exchange(call, self._sender, self.clock, attempts)
                if not isinstance(result, Failure):
                    return result
                wait = self._wait_before_retry(call, result, attempts)
                if wait is None:
                    result.error.attempts = attempts
                    try:
                        raise result.error
                    finally:
                        del result  # or the error would keep itself, and every frame, alive
                log_retry(request, result.error, wait=wait, attempts=attempts)
                self.clock.sleep(wait)
        finally:
            if self._connections_are_closed:  # meanwhile, so that one may have been opened since
                self._sender.drop_connections()

    def _wait_before_retry(self, call: Call, failure: Failure, attempts: int) -> float | None:
        """Return the seconds until the next attempt; None if there is none, or no time for it."""
        wait = wait_before_retry(
            self.config.retries,
            retry=failure.retry,
            idempotent=call.request.idempotent,
            attempts=attempts,
            retry_after=failure.error.retry_after,
            random_fraction=self.clock.random(),
        )
        if wait is None or call.deadline is None:
            return wait
        return wait if self.clock.monotonic() + wait < call.deadline else None
