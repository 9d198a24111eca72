"""An answer that is read block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.errors import IntegrityError
from finetune_client.transport.exchange.error_body import request_id
from finetune_client.transport.exchange.failures import (
    NETWORK_ERRORS,
    being_handled,
    network_failure,
    scrub,
)
from finetune_client.transport.exchange.response_body import BLOCK, CutOffError, discard, raw_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import Response
    from typing_extensions import Self

    from finetune_client.errors import APIError
    from finetune_client.transport.connections.connection import Attempt

__all__ = ["Stream"]


class Stream:
    """See `finetune_client.transport.request.StreamedResponse`."""

    def __init__(self, response: Response, attempt: Attempt, host: str, **facts: Any) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.request_id = request_id(response.headers)
        self._response = response
        self._attempt = attempt
        self._host = host
        self._facts = {**facts, "status_code": self.status, "request_id": self.request_id}

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
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
        """Give the next block, an empty one at the end, or what went wrong."""
        before = being_handled()
        try:
            self._attempt.allow(1.0)
            return next(blocks, b"")
        except CutOffError as error:
            message = f"The answer of {self._host} is not whole: {error}."
            return IntegrityError(message, outcome="bad_answer", **self._facts)
        except NETWORK_ERRORS as error:
            scrub(error, before)
            failure = network_failure(
                error, self._attempt, self._host, before=before, **self._facts
            )
            return failure.error
