"""Lists that come in pages: the first is fetched at once, the others while one walks, never endlessly.

The rules, for servers that keep to the API and for those that do not:

- the next page is asked for with the id of the last row (or ``last_id`` where the list says so);
- ``has_more: false`` ends the list, and so does a page without rows;
- without ``has_more`` the walk continues while pages bring new rows, and ends quietly when one
  brings none;
- a cursor that came before ends the walk too, with `PaginationError` if the server said that
  there was more;
- no row comes twice; a row that cannot be read is kept in its page's ``unreadable``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar

from finetune_client.errors import PaginationError
from finetune_client.models import Page
from finetune_client.models.page import Row

__all__ = ["LARGEST_PAGE", "Pager"]

LARGEST_PAGE = 100
"""Rows of a page where all pages are walked; servers send no more."""

T = TypeVar("T", bound="Row")

_log = logging.getLogger("finetune_client")


class Pager(Generic[T]):
    """A list of the API. Its first page is requested at once, so that a call that fails says so.

    Iterating yields every row of every page. `data`, `has_more`, `object`, `first_id` and
    `last_id` are those of the first page, which is kept; each walk fetches the others again and
    keeps none of them. It is false if its first page has no rows. It has no length, since only a
    walk tells how long a list is: ``len(list(pager))``.

    Rows that are created while one walks may be missing from the walk.

    Args:
        fetch: Fetches the page after a cursor; `None` for the first page.
        name: The list's name in messages, such as ``GET /fine_tuning/jobs``.
        after: The cursor that the first page starts after, if any.
        by_last_id: The next cursor is the page's ``last_id``, not the id of its last row.

    Raises:
        APIError: The first page could not be fetched.
    """

    def __init__(
        self,
        fetch: Callable[[str | None], Page[T]],
        *,
        name: str,
        after: str | None = None,
        by_last_id: bool = False,
    ) -> None:
        self._fetch = fetch
        self._name = name
        self._after = after
        self._by_last_id = by_last_id
        self._has_warned = False
        self._first = self._get(after)

    @classmethod
    def of(cls, page: Page[T], *, name: str) -> Pager[T]:
        """Return the pager of a list whose only page is here already."""
        only = replace(page, has_more=False)
        return cls(lambda _: only, name=name)

    @property
    def data(self) -> list[T]:
        """The rows of the first page."""
        return self._first.data

    @property
    def has_more(self) -> bool:
        """Whether the server says that there are pages after the first."""
        return bool(self._first.has_more)

    @property
    def object(self) -> str | None:
        """The kind of object, ``list``; `None` if the server did not say."""
        return self._first.object

    @property
    def first_id(self) -> str | None:
        """The id of the first page's first row, where the server sends it."""
        return self._first.first_id

    @property
    def last_id(self) -> str | None:
        """The id of the first page's last row, where the server sends it."""
        return self._first.last_id

    def first_page(self) -> Page[T]:
        """Return the first page."""
        return self._first

    def pages(self) -> Iterator[Page[T]]:
        """Yield the pages; a row that came before is left out of a later page.

        Raises:
            PaginationError: The server gave a cursor twice and said that there was more, or gave
                one that no request can hold.
            APIError: A page could not be fetched.
        """
        walk: _Walk[T] = _Walk(self._name, self._after, by_last_id=self._by_last_id)
        page = self._first
        yield _with_rows(page, walk.fresh_rows(page))
        cursor = walk.next_cursor(page)
        while cursor is not None:
            page = self._get(cursor)
            fresh = walk.fresh_rows(page)
            if fresh or page.unreadable:
                yield _with_rows(page, fresh)
            cursor = walk.next_cursor(page)

    def _get(self, cursor: str | None) -> Page[T]:
        page = self._fetch(cursor)
        if page.unreadable and not self._has_warned:
            self._has_warned = True
            _log.warning("%s has rows that cannot be read; see Page.unreadable", self._name)
        return page

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.data

    def __bool__(self) -> bool:
        return bool(self._first.data)

    def __repr__(self) -> str:
        return f"<Pager of {self._name}>"

    def __reduce__(self) -> str:
        raise TypeError(
            "A pager asks its client for the further pages, so it cannot be copied or pickled; "
            "list(pager) and pager.first_page() can."
        )

    def _repr_html_(self) -> str:
        """Show the first page in a notebook."""
        return self.first_page()._repr_html_()  # what notebooks call it


class _Walk(Generic[T]):
    """One walk over a list: which rows came already, and which page is next."""

    def __init__(self, name: str, after: str | None, *, by_last_id: bool) -> None:
        self._name = name
        self._by_last_id = by_last_id
        self._row_ids: set[str] = set()
        self._cursors: set[str] = set() if after is None else {after}
        self._tail: list[T] = []
        self._brought_rows = False

    def fresh_rows(self, page: Page[T]) -> list[T]:
        """Return the rows of ``page`` that did not come before.

        Rows without an id are judged by their place: those before a row that is known are known.
        """
        ids = [_id(row) for row in page.data]
        if all(ids):
            rows = zip(page.data, ids, strict=True)
            fresh = [row for row, row_id in rows if self._is_new(row_id)]
        else:
            fresh = self._fresh_by_place(page.data, ids)
        self._brought_rows = bool(fresh or (page.unreadable and not page.data))
        return fresh

    def _fresh_by_place(self, rows: list[T], ids: list[str]) -> list[T]:
        """Return the new rows of a page on which some rows have no id."""
        known = max((i for i, row_id in enumerate(ids) if row_id in self._row_ids), default=-1)
        tail = self._tail
        if tail and rows[known + 1 : known + 1 + len(tail)] == tail:
            known += len(tail)
        return [
            row
            for i, (row, row_id) in enumerate(zip(rows, ids, strict=True))
            if (self._is_new(row_id) if row_id else i > known)
        ]

    def _is_new(self, row_id: str) -> bool:
        """Return whether an id came for the first time, and remember it."""
        before = len(self._row_ids)
        self._row_ids.add(row_id)
        return len(self._row_ids) > before

    def next_cursor(self, page: Page[T]) -> str | None:
        """Return the cursor of the page after ``page``, which `fresh_rows` has seen."""
        if page.has_more is False or not (page.data or page.unreadable):
            return None
        cursor = self._cursor(page)
        if cursor is None or (page.has_more is None and not self._brought_rows):
            return None
        if cursor not in self._cursors:
            try:
                cursor.encode()
            except UnicodeEncodeError:
                raise self._error(
                    f"cannot be continued: the server gave the cursor {cursor!r}, which is not "
                    "valid Unicode"
                ) from None
            self._cursors.add(cursor)
            return cursor
        if page.has_more:
            raise self._error(
                f"would never end: the server gave the cursor {cursor!r} twice and said that "
                "there was more"
            )
        return None

    def _error(self, problem: str) -> PaginationError:
        method, _, path = self._name.partition(" ")
        message = f"{self._name} {problem}. The rows so far are right."
        return PaginationError(message, outcome="bad_answer", method=method, path=path)

    def _cursor(self, page: Page[T]) -> str | None:
        """Return the cursor; rows after it have no id and will stand first on the next page."""
        self._tail = []
        if self._by_last_id and page.last_id:
            return page.last_id
        for i in range(len(page.data) - 1, -1, -1):
            if row_id := _id(page.data[i]):
                self._tail = page.data[i + 1 :]
                return row_id
        if page.has_more and not page.last_id:
            _log.warning("%s has more pages, but no id to continue from", self._name)
        return page.last_id or None


def _with_rows(page: Page[T], rows: list[T]) -> Page[T]:
    return page if len(rows) == len(page.data) else replace(page, data=rows)


def _id(row: Any) -> str:
    return getattr(row, "id", None) or ""
