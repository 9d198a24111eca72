"""One page of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from finetune_client.backports import Self
from finetune_client.display import counted
from finetune_client.errors import DecodeError
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_boolean,
    pop_text,
    to_plain,
    write_fields,
)

__all__ = ["Page"]


class Row(Protocol):
    """What a page can be made of."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""


T = TypeVar("T", bound=Row)


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Page(APIObject, Generic[T]):
    """One page of a list; iterating it gives the rows of this page.

    Attributes:
        data: The rows, in the server's order.
        object: ``list``.
        has_more: Whether there are more pages; `None` if the server did not say.
        first_id, last_id: The ids at the ends, where the server sends them.
        unreadable: Rows as sent that could not be read; they are not in `data`.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    data: list[T]
    object: str | None = None
    has_more: bool | None = None
    first_id: str | None = None
    last_id: str | None = None
    unreadable: list[Any] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    _places: list[int] = field(default_factory=list, init=False, compare=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | list[Any], row: type[T]) -> Page[T]:
        """Read a list object, or a bare array.

        Args:
            data: The JSON form; ``"data": null`` is an empty list, as some servers send it.
            row: What the rows are. One that cannot be read goes to `unreadable`.

        Raises:
            DecodeError: It is neither, or has no rows; no rows are not an empty list.
        """
        rest = {"data": data} if isinstance(data, list) else copy_fields(cls, data)
        sent = _sent_rows(rest)
        page = cls(
            data=[],
            object=pop_text(rest, "object"),
            has_more=pop_boolean(rest, "has_more"),
            first_id=pop_text(rest, "first_id"),
            last_id=pop_text(rest, "last_id"),
            extra=rest,
        )
        read = row.from_dict
        try:
            page.data = [read(one) for one in sent]
        except DecodeError:
            page._sort(sent, row)
        return page

    def _sort(self, sent: list[Any], row: type[T]) -> None:
        """Read row by row, putting aside those that cannot be read."""
        for place, one in enumerate(sent):
            try:
                self.data.append(row.from_dict(one))
            except DecodeError:  # noqa: PERF203 - the slow path, row by row
                self.unreadable.append(one)
                self._places.append(place)

    def _rows(self) -> list[Any]:
        """All rows, each where it came."""
        rows: list[Any] = list(self.data)
        for number, one in enumerate(self.unreadable):
            rows.insert(self._places[number] if number < len(self._places) else len(rows), one)
        return rows

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, a list object; fields that are `None` are left out."""
        return write_fields(
            {
                "object": self.object,
                "data": [to_plain(one) for one in self._rows()],
                "has_more": self.has_more,
                "first_id": self.first_id,
                "last_id": self.last_id,
            },
            self.extra,
        )

    def _repr_html_(self) -> str:
        """Show it in a notebook: a row a row, with the fields that its repr has."""
        from finetune_client.tables import html_table

        rows = [one.to_dict() for one in self.data]
        shown = getattr(type(self.data[0]), "_repr_fields", ()) if rows else ()
        names = shown or [*dict.fromkeys(name for row in rows for name in row)]
        table = html_table(names, ([row.get(name) for name in names] for row in rows))
        notes = []
        if not rows:
            notes.append("The page has no rows.")
        if self.has_more:
            notes.append("There are more pages.")
        if self.unreadable:
            notes.append(f"{counted(len(self.unreadable), 'row')} cannot be read; see unreadable.")
        return f"<div>{table if rows else ''}{''.join(f'<p>{note}</p>' for note in notes)}</div>"


def _sent_rows(rest: dict[str, Any]) -> list[Any]:
    """Pop the rows.

    Raises:
        DecodeError: There are none, not even ``null``.
    """
    if "data" not in rest:
        raise DecodeError('Cannot read a Page: "data" is missing.', path="data")
    rows = rest.pop("data")
    if rows is None:
        return []
    if isinstance(rows, list):
        return rows
    raise DecodeError(
        f'Cannot read a Page: "data" must be an array, got {type(rows).__name__}.', path="data"
    )
