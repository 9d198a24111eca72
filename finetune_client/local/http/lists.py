"""Lists: a page of a table's rows, after a cursor, at the cost of the page.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.http.errors import RequestRefusedError
from finetune_client.local.http.request_fields import not_expected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finetune_client.local.storage.database import Database

__all__ = ["Listing", "json_response", "list_page"]

_MAX_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list is made of: the rows of a table that some conditions choose.

    Attributes:
        table: The name of the table, which has the columns ``number``, ``id`` and ``wire``.
        where: Conditions in SQL, with ``?`` for each of `values`; all of them must hold.
        values: The values.
        default: How many rows a page has if no limit is given.
        ascending: Whether the oldest row is first.
    """

    table: str
    where: Sequence[str] = ()
    values: Sequence[Any] = ()
    default: int = 20
    ascending: bool = False


def list_page(
    database: Database, listing: Listing, *, without_rows: str | None = None, ends: bool = True
) -> flask.Response:
    """Return the page that the query's ``after`` and ``limit`` ask for, as a list object.

    It costs what the page costs, however long the list is.

    Args:
        database: Where the rows are.
        listing: Which rows they are.
        without_rows: What ``first_id`` and ``last_id`` are in an empty list.
        ends: Whether the object has ``first_id`` and ``last_id``.
    """
    limit = _limit(flask.request.args.get("limit"), listing.default)
    where, values = list(listing.where), list(listing.values)
    after = flask.request.args.get("after")
    if after is not None:
        number = _number_of(database, listing, after)
        where.append("number > ?" if listing.ascending else "number < ?")
        values.append(number)
    order = "ASC" if listing.ascending else "DESC"
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    # Names of ours, never a client's: those are values.
    query = f"SELECT id, wire FROM {listing.table} {condition} ORDER BY number {order} LIMIT ?"  # noqa: S608
    rows = database.rows(query, (*values, limit + 1))
    page = rows[:limit]
    last: dict[str, Any] = {"has_more": len(rows) > limit}
    if ends:
        first_id = page[0][0] if page else without_rows
        last = {"first_id": first_id, "last_id": page[-1][0] if page else without_rows, **last}
    data = ", ".join(wire for _, wire in page)
    return json_response(f'{{"object": "list", "data": [{data}], {json.dumps(last)[1:]}')


def _number_of(database: Database, listing: Listing, row_id: str) -> int:
    where = " AND ".join([*listing.where, "id = ?"])
    query = f"SELECT number FROM {listing.table} WHERE {where}"  # noqa: S608 - names of ours
    row = database.row(query, (*listing.values, row_id))
    if row is None:
        message = f"No row of this list has the id '{row_id}'."
        raise RequestRefusedError(400, message, param="after")
    number: int = row[0]
    return number


def json_response(text: str) -> flask.Response:
    """Return a response of JSON that is there as text already, as rows have it."""
    return flask.Response(text, mimetype="application/json")


def _limit(value: str | None, default: int) -> int:
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,6}", value) or not 1 <= int(value) <= _MAX_PAGE:
        raise not_expected("limit", f"a whole number from 1 to {_MAX_PAGE}", value)
    return int(value)
