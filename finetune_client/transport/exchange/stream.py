"""A response that is read block by block."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from finetune_client.errors import IntegrityError
from finetune_client.transport.exchange.failures import (
    NETWORK_ERRORS,
    network_failure,
    scrub,
)
from finetune_client.transport.exchange.response import request_id
from finetune_client.transport.exchange.response_body import BLOCK, CutOffError, discard, raw_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import Response
    from typing_extensions import Self

    from finetune_client.errors import APIError
    from finetune_client.transport.connections.connection import Attempt

__all__ = ["StreamedResponse"]


class StreamedResponse:
    """A successful response whose body is read block by block; a context manager that closes it.

    Attributes:
        status: The status.
        headers: Those of the response.
        request_id: The server's name for the request, if it gave one.
    """

    def __init__(self, response: Response, attempt: Attempt, host: str, **facts: Any) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.request_id = request_id(response.headers)
        self._response = response
        self._attempt = attempt
        self._host = host
        self._facts = {**facts, "status_code": self.status, "request_id": self.request_id}

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yield the body as it comes, at most ``size`` bytes at a time.

        Raises:
            APITimeoutError: Nothing came within the read timeout, or the total timeout is over.
            APIConnectionError: The connection broke.
            IntegrityError: The body ended before its Content-Length.
        """
        blocks = raw_blocks(self._response, size)
        while True:
            block = self._next(blocks)
            if not isinstance(block, bytes):
                try:
                    raise block
                finally:
                    del block  # or the error would keep itself, and the connection, alive
            if not block:
                return
            yield block

    def close(self) -> None:
        """Close the connection, unless all was read: then it serves other requests already."""
        discard(self._response)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _next(self, blocks: Iterator[bytes]) -> bytes | APIError:
        """Return the next block, an empty one at the end, or what went wrong."""
        handled = sys.exc_info()[1]  # the caller's, which Python chains to what is raised here
        try:
            self._attempt.allow(1.0)
            return next(blocks, b"")
        except CutOffError as error:
            message = f"The answer of {self._host} is not whole: {error}."
            return IntegrityError(message, outcome="bad_answer", **self._facts)
        except NETWORK_ERRORS as error:
            scrub(error, handled)
            failure = network_failure(
                error, self._attempt, self._host, handled=handled, **self._facts
            )
            return failure.error
