"""A body whose own failures are told from the network's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client.transport.request import Body

__all__ = ["BodyFailure", "Shielded"]


class BodyFailure(Exception):  # noqa: N818  # it is caught by whoever sends, and never shown
    """A body could not be given to its end; `error` is what it raised.

    It is of no kind that urllib3, requests or their users take for a broken connection.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Shielded:
    """A body as it is sent; what it raises passes through the libraries below as `BodyFailure`."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.content_type = body.content_type

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception as error:  # noqa: BLE001  # a progress function may raise anything
            raise BodyFailure(error) from None
