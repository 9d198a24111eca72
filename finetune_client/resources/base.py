"""What the resources share: sending a request and reading its answer as a model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from finetune_client.errors import APIResponseError, DecodeError
from finetune_client.models import Page
from finetune_client.resources.options import apply
from finetune_client.resources.pager import Pager
from finetune_client.transport import merge_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.models.page import Row
    from finetune_client.resources.options import Options
    from finetune_client.transport import APIResponse, Request, Session, StreamedResponse

__all__ = ["Resource", "answer_facts", "read_reply"]

T = TypeVar("T")
R = TypeVar("R", bound="Row")


class Resource:
    """A part of the API, over a session."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.provider.name}>"

    def _read(self, request: Request, read: Callable[[Any], T], options: Options) -> T:
        """Send ``request`` and give its answer to ``read``, a model's ``from_dict``."""
        sent = apply(request, options)
        return read_reply(sent, self._session.send(sent), read)

    def _pager(
        self,
        request: Request,
        row: type[R],
        options: Options,
        *,
        after: str | None = None,
        paged: bool = True,
        by_last_id: bool = False,
    ) -> Pager[R]:
        """Make the pager of a list.

        Args:
            request: The list's request; an ``after`` in its query gives way to the cursor.
            row: The model of a row.
            options: The call's options.
            after: Where to start, if not at the start.
            paged: Whether the server has pages at all for this list.
            by_last_id: See `Pager`.
        """
        base = apply(request, options)

        def fetch(cursor: str | None) -> Page[R]:
            pairs = [] if cursor is None else [("after", cursor)]
            sent = replace(base, query=merge_query(base.query, pairs))
            reply = self._session.send(sent)
            page = read_reply(sent, reply, lambda data: Page.from_dict(data, row))
            if isinstance(reply.data, list) or not paged:
                page.has_more = False
            return page

        name = f"{request.method} {request.path}"
        return Pager(fetch, name=name, after=after, by_last_id=by_last_id)


def read_reply(request: Request, reply: APIResponse, read: Callable[[Any], T]) -> T:
    """Read an answer.

    Raises:
        APIResponseError: It is not the thing that was asked for; `body` holds it.
    """
    try:
        return read(reply.data)
    except DecodeError as error:
        message = f"The answer to {request.method} {request.path} cannot be read: {error.message}"
        raise APIResponseError(message, body=reply.data, **answer_facts(request, reply)) from None


def answer_facts(request: Request, reply: APIResponse | StreamedResponse) -> dict[str, Any]:
    """Give what an exception carries of an answer that says success and cannot be used."""
    return {
        "outcome": "bad_answer",
        "method": request.method,
        "path": request.path,
        "status_code": reply.status,
        "request_id": reply.request_id,
    }
