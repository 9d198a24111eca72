from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from finetune_client.local.storage import database as database_module
from finetune_client.local.storage.database import Database, StoreClosedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADD = "INSERT INTO idempotency_keys (project, key, digest, job) VALUES ('', ?, '', '')"
KEYS = "SELECT key FROM idempotency_keys ORDER BY key"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "state.sqlite3", is_lasting=True)
    yield database
    database.close()


def keys(database: Database) -> list[str]:
    return [key for (key,) in database.rows(KEYS)]


def test_write__is_all_or_nothing_with_the_blocks_inside_it(database: Database) -> None:
    done: list[str] = []
    with database.write() as rows:
        rows.execute(ADD, "a")
        with database.write() as inner:
            inner.execute(ADD, "b")
            database.after_commit(lambda: done.append("b"))
        assert done == []

    def broken() -> None:
        with database.write() as rows:
            rows.execute(ADD, "c")
            with database.write() as inner:
                inner.execute(ADD, "d")
                database.after_commit(lambda: done.append("d"))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        broken()
    assert (keys(database), done) == (["a", "b"], ["b"])


def test_rows__are_seen_by_others_only_when_they_are_committed(database: Database) -> None:
    seen: list[list[str]] = []
    with database.write() as rows:
        rows.execute(ADD, "a")
        reader = threading.Thread(target=lambda: seen.append(keys(database)))
        reader.start()
        reader.join(10)
        assert (seen, keys(database)) == ([[]], ["a"])
    assert keys(database) == ["a"]
    assert database.row("SELECT key FROM idempotency_keys WHERE key = 'b'") is None


def test_write__that_the_disk_does_not_take_leaves_all_as_it_was(
    database: Database,
) -> None:
    with database.write() as rows:
        rows.execute(ADD, "a")
        rows.execute("PRAGMA max_page_count = 1")  # no more pages than there are

    def fill() -> None:
        with database.write() as rows:
            rows.executemany(ADD, [(f"{number}" * 100,) for number in range(1000)])

    with pytest.raises(sqlite3.OperationalError, match="database or disk is full"):
        fill()
    with database.write() as rows:
        rows.execute("PRAGMA max_page_count = 1000000")
        rows.execute(ADD, "b")
    assert keys(database) == ["a", "b"]


def test_lasting__is_synced_at_each_commit_and_a_temporary_one_never(tmp_path: Path) -> None:
    for is_lasting, expected in ((True, 2), (False, 0)):
        database = Database(tmp_path / f"{is_lasting}", is_lasting=is_lasting)
        with database.write() as rows:
            assert rows.execute("PRAGMA synchronous").fetchone() == (expected,)
            assert rows.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        database.close()


def test_close__leaves_one_file_that_can_be_opened_elsewhere(
    database: Database, tmp_path: Path
) -> None:
    with database.write() as rows:
        rows.execute(ADD, "a")
    assert keys(database) == ["a"]
    database.close()
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["state.sqlite3"]
    with closing(sqlite3.connect(tmp_path / "state.sqlite3")) as other:
        assert other.execute(KEYS).fetchall() == [("a",)]
    for use in (database.write().__enter__, lambda: keys(database)):
        with pytest.raises(StoreClosedError, match=r"^The embedded server has been closed\.$"):
            use()


def test_database__of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(f"{database_module._SCHEMA} PRAGMA user_version = 1;")
        old.execute(ADD, ("kept",))
        old.commit()
    for _ in range(2):
        database = Database(path, is_lasting=True)
        assert keys(database) == ["kept"]
        assert database.rows("SELECT id FROM webhooks") == []
        [version] = database.row("PRAGMA user_version")
        assert version == len(database_module._SCHEMAS)
        database.close()
