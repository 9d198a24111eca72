"""What the resources share: sending a request and reading its response as a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from finetune_client import resources
from finetune_client.errors import APIResponseError, DecodeError
from finetune_client.models.page import Page, Row
from finetune_client.resources.options import RequestOptions, with_options
from finetune_client.resources.pager import Pager
from finetune_client.transport import APIResponse, Request, Session, StreamedResponse, merge_query

__all__ = ["Part", "Resource", "read_response", "response_facts"]

T = TypeVar("T")
R = TypeVar("R", bound="Row")


class Part:
    """What stands below a client: calls, or further parts."""

    def __reduce__(self) -> str:
        raise TypeError(
            "A part of a client holds a key and connections, so it cannot be pickled; make a client "
            "in each process."
        )

    @property
    def with_raw_response(self) -> resources.RawCalls:
        """The same calls; each returns a `RawResponse`, which has the response's headers too."""
        return resources.RawCalls(self)

    @property
    def with_streaming_response(self) -> resources.StreamingCalls:
        """The same calls; each is a context manager that gives a `StreamingResponse`."""
        return resources.StreamingCalls(self)


class Resource(Part):
    """A part of the API, over a session."""

    STREAMED_CALLS: ClassVar[Mapping[str, str]] = {}
    """Calls whose answer is no JSON, each with the call that gives it block by block."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.provider.name}>"

    def _read(self, request: Request, read: Callable[[Any], T], options: RequestOptions) -> T:
        """Send a request and return what ``read``, a model's ``from_dict``, makes of the response."""
        sent = with_options(request, options) if options else request
        return read_response(sent, self._session.send(sent), read)

    def _pager(
        self,
        request: Request,
        row: type[R],
        options: RequestOptions,
        *,
        after: str | None = None,
        paged: bool = True,
        by_last_id: bool = False,
        on_rows: Callable[[list[R]], None] | None = None,
    ) -> Pager[R]:
        """Return the pager of a list.

        Args:
            request: The list's request; the cursor replaces an ``after`` in its query.
            row: The model of a row.
            options: The call's options.
            after: Where to start, if not at the start.
            paged: Whether the server has pages at all for this list.
            by_last_id: See `Pager`.
            on_rows: Called with the rows of each page.
        """
        base = with_options(request, options)

        def fetch(cursor: str | None) -> Page[R]:
            pairs = [] if cursor is None else [("after", cursor)]
            sent = replace(base, query=merge_query(base.query, pairs))
            response = self._session.send(sent)
            page = read_response(sent, response, lambda data: Page.from_dict(data, row))
            if isinstance(response.data, list) or not paged:
                page.has_more = False
            if on_rows is not None:
                on_rows(page.data)
            return page

        name = f"{request.method} {request.path}"
        return Pager(fetch, name=name, after=after, by_last_id=by_last_id)


def read_response(request: Request, response: APIResponse, read: Callable[[Any], T]) -> T:
    """Return what ``read`` makes of a response.

    Raises:
        APIResponseError: It is not the thing that was asked for; `body` holds it.
    """
    try:
        return read(response.data)
    except DecodeError as error:
        message = f"The answer to {request.method} {request.path} cannot be read: {error.message}"
        facts = response_facts(request, response)
        raise APIResponseError(message, body=response.data, **facts) from None


def response_facts(request: Request, response: APIResponse | StreamedResponse) -> dict[str, Any]:
    """Return what an exception carries of a response that says success and cannot be used."""
    return {
        "outcome": "bad_answer",
        "method": request.method,
        "path": request.path,
        "status_code": response.status,
        "request_id": response.request_id,
    }
