"""Lists that come in pages, walked lazily and never endlessly.

The rules, for servers that keep to the API and for those that do not:

- the next page is asked for with the id of the last row (or ``last_id`` where the list says so);
- ``has_more: false`` ends the list, and so does a page without rows;
- without ``has_more`` the walk goes on while pages bring new rows, and ends quietly when one
  brings none;
- a cursor that came before ends the walk too, with `PaginationError` if the server said that
  there was more;
- no row is given twice; a row that cannot be read is kept in its page's ``unreadable``.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from finetune_client.errors import PaginationError
from finetune_client.resources.seen import SeenIds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client.models import Page
    from finetune_client.models.page import Row

__all__ = ["Pager"]

T = TypeVar("T", bound="Row")

_log = logging.getLogger("finetune_client")


class Pager(Generic[T]):
    """A list of the API. Nothing is asked for until it is used.

    Iterating gives every row of every page. `data` and `has_more` speak of the first page, which
    is fetched once and kept; the others are fetched anew by each walk and let go of.

    Rows that are created while one walks may be missing from the walk.

    Args:
        fetch: Gets the page after a cursor; `None` for the first page.
        name: What the list is called in messages, such as ``GET /fine_tuning/jobs``.
        after: The cursor that the first page starts from, if any.
        by_last_id: The next cursor is the page's ``last_id``, not the id of its last row.
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
        self._first: Page[T] | None = None
        self._told = False

    @classmethod
    def of(cls, page: Page[T], *, name: str) -> Pager[T]:
        """Make the pager of a list that is one page, which is here already."""
        pager = cls(lambda _: page, name=name)
        pager._first = replace(page, has_more=False)
        return pager

    @property
    def data(self) -> list[T]:
        """The rows of the first page."""
        return self.first_page().data

    @property
    def has_more(self) -> bool:
        """Whether the server says that there are pages after the first."""
        return bool(self.first_page().has_more)

    def first_page(self) -> Page[T]:
        """Return the first page; it is fetched once."""
        if self._first is None:
            self._first = self._get(self._after)
        return self._first

    def pages(self) -> Iterator[Page[T]]:
        """Walk the pages; a row that came before is left out of a later page.

        Raises:
            PaginationError: The server gave a cursor twice and said that there was more.
            APIError: A page could not be fetched.
        """
        walk: _Walk[T] = _Walk(self._name, self._after, by_last_id=self._by_last_id)
        page = self.first_page()
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
        if page.unreadable and not self._told:
            self._told = True
            _log.warning("%s has rows that cannot be read; see Page.unreadable", self._name)
        return page

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.data

    def __repr__(self) -> str:
        return f"<Pager of {self._name}>"


class _Walk(Generic[T]):
    """One walk over a list: what came already, and what to ask for next."""

    def __init__(self, name: str, after: str | None, *, by_last_id: bool) -> None:
        self._name = name
        self._by_last_id = by_last_id
        self._rows = SeenIds()
        self._cursors = SeenIds()
        if after is not None:
            self._cursors.add(after)
        self._tail: list[T] = []
        self._brought_rows = False

    def fresh_rows(self, page: Page[T]) -> list[T]:
        """Return the rows of ``page`` that did not come before.

        Rows without an id are judged by their place: those before a row that is known are known.
        """
        ids = [_id(row) for row in page.data]
        if all(ids):
            fresh = [row for row, name in zip(page.data, ids, strict=True) if self._rows.add(name)]
        else:
            fresh = self._fresh_by_place(page.data, ids)
        self._brought_rows = bool(fresh or (page.unreadable and not page.data))
        return fresh

    def _fresh_by_place(self, rows: list[T], ids: list[str]) -> list[T]:
        """Sort out rows of which some have no id."""
        known = max((i for i, name in enumerate(ids) if name and name in self._rows), default=-1)
        tail = self._tail
        if tail and rows[known + 1 : known + 1 + len(tail)] == tail:
            known += len(tail)
        return [
            row
            for i, (row, name) in enumerate(zip(rows, ids, strict=True))
            if (self._rows.add(name) if name else i > known)
        ]

    def next_cursor(self, page: Page[T]) -> str | None:
        """Return what to go on from after ``page``, which `fresh_rows` has seen."""
        if page.has_more is False or not (page.data or page.unreadable):
            return None
        cursor = self._cursor(page)
        if cursor is None or (page.has_more is None and not self._brought_rows):
            return None
        if self._cursors.add(cursor):
            return cursor
        if page.has_more:
            raise PaginationError(
                f"{self._name} would never end: the server gave the cursor {cursor!r} twice and "
                "said that there was more. The rows given so far are right.",
                outcome="bad_answer",
                method=self._name.partition(" ")[0],
                path=self._name.partition(" ")[2],
            )
        return None

    def _cursor(self, page: Page[T]) -> str | None:
        """Find the cursor; rows after it have no id and will lead the next page."""
        self._tail = []
        if self._by_last_id and page.last_id:
            return page.last_id
        for i in range(len(page.data) - 1, -1, -1):
            if row_id := _id(page.data[i]):
                self._tail = page.data[i + 1 :]
                return row_id
        if page.has_more and not page.last_id:
            _log.warning("%s has more pages, but no id to go on from", self._name)
        return page.last_id or None


def _with_rows(page: Page[T], rows: list[T]) -> Page[T]:
    return page if len(rows) == len(page.data) else replace(page, data=rows)


def _id(row: Any) -> str:
    return getattr(row, "id", None) or ""
