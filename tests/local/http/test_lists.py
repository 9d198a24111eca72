from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import flask
import pytest

from finetune_client.local.http.errors import RequestRefusedError
from finetune_client.local.http.lists import Listing, list_page
from finetune_client.local.storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Listed = Callable[..., dict[str, Any]]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Five events of job a, and one of job b between them."""
    database = Database(tmp_path / "state.sqlite3", is_lasting=False)
    with database.write() as rows:
        rows.executemany(
            "INSERT INTO events (id, job, type, wire) VALUES (?, ?, 'message', ?)",
            [
                (f"e{number}", "b" if number == 3 else "a", json.dumps({"id": f"e{number}"}))
                for number in range(6)
            ],
        )
    yield database
    database.close()


@pytest.fixture
def listed(database: Database) -> Listed:
    app = flask.Flask("lists")

    def call(query: str, *, ends: bool = False, **listing: Any) -> dict[str, Any]:
        chosen = Listing("events", ("job = ?",), ("a",), **listing)
        with app.test_request_context(f"/?{query}"):
            body = list_page(database, chosen, ends=ends, without_rows="none").get_json()
        body["data"] = [row["id"] for row in body["data"]]
        return dict(body)

    return call


def test_list_page__holds_only_the_rows_of_the_list_newest_first(listed: Listed) -> None:
    assert listed("") == {
        "object": "list",
        "data": ["e5", "e4", "e2", "e1", "e0"],
        "has_more": False,
    }
    assert listed("", ascending=True)["data"] == ["e0", "e1", "e2", "e4", "e5"]


def test_list_page__begins_after_the_cursor_and_says_whether_more_follow(listed: Listed) -> None:
    assert listed("limit=2") == {"object": "list", "data": ["e5", "e4"], "has_more": True}
    assert listed("limit=2&after=e4") == {"object": "list", "data": ["e2", "e1"], "has_more": True}
    assert listed("after=e1", default=1) == {"object": "list", "data": ["e0"], "has_more": False}
    assert listed("after=e4", ascending=True)["data"] == ["e5"]


def test_list_page__names_its_ends(listed: Listed) -> None:
    body = listed("limit=2", ends=True)
    assert (body["first_id"], body["last_id"]) == ("e5", "e4")
    body = listed("after=e0", ends=True)
    assert (body["data"], body["first_id"], body["last_id"]) == ([], "none", "none")


@pytest.mark.parametrize("after", ["e3", "e9", ""])
def test_list_page__refuses_a_cursor_that_is_not_in_the_list(listed: Listed, after: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        listed(f"after={after}")
    assert (caught.value.status, caught.value.param) == (400, "after")
    assert str(caught.value) == f"No row of this list has the id '{after}'."


def test_events__of_a_job_are_found_by_an_index(database: Database) -> None:
    query = "SELECT id, wire FROM events WHERE job = ? AND number < ? ORDER BY number DESC LIMIT 20"
    plan = database.rows(f"EXPLAIN QUERY PLAN {query}", ("a", 5))
    assert [row[3] for row in plan] == [
        "SEARCH events USING INDEX events_of_jobs (job=? AND number<?)"
    ]
