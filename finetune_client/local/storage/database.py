"""The state of a server in SQLite: one writer under a lock, and readers that never wait for it."""

from __future__ import annotations

import errno
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["DATABASE_FILE", "Database", "StoreClosedError"]

DATABASE_FILE = "state.sqlite3"
"""The name of the file in a server's directory."""

_CLOSE_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE files (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, wire TEXT NOT NULL, blob TEXT NOT NULL,
    purpose TEXT NOT NULL, expires_at INTEGER, model TEXT, path TEXT, project TEXT NOT NULL
);
CREATE INDEX files_of_projects ON files (project, number);
CREATE INDEX files_of_models ON files (model) WHERE model IS NOT NULL;
CREATE TABLE uploads (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, wire TEXT NOT NULL, status TEXT NOT NULL,
    expires_at INTEGER NOT NULL, file_seconds INTEGER, project TEXT NOT NULL
);
CREATE INDEX pending_uploads ON uploads (expires_at) WHERE status = 'pending';
CREATE TABLE parts (
    id TEXT PRIMARY KEY, upload TEXT NOT NULL, blob TEXT NOT NULL, bytes INTEGER NOT NULL
);
CREATE INDEX parts_of_uploads ON parts (upload);
CREATE TABLE models (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, base TEXT NOT NULL,
    created_at INTEGER NOT NULL, directory TEXT NOT NULL, project TEXT NOT NULL
);
CREATE TABLE permissions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, wire TEXT NOT NULL,
    checkpoint TEXT NOT NULL, project TEXT NOT NULL, UNIQUE (checkpoint, project)
);
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, wire TEXT NOT NULL, status TEXT NOT NULL,
    base TEXT NOT NULL, has_metadata INTEGER NOT NULL, place INTEGER, snapshot TEXT,
    snapshot_step INTEGER NOT NULL DEFAULT 0, step INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0, project TEXT NOT NULL
);
CREATE INDEX jobs_of_projects ON jobs (project, number);
CREATE INDEX unfinished_jobs ON jobs (number)
    WHERE status NOT IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX places_of_jobs ON jobs (place);
CREATE TABLE job_metadata (
    key TEXT NOT NULL, value TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (key, value, job)
) WITHOUT ROWID;
CREATE TABLE idempotency_keys (
    project TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, job TEXT NOT NULL,
    PRIMARY KEY (project, key)
) WITHOUT ROWID;
CREATE TABLE events (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job TEXT NOT NULL, type TEXT NOT NULL,
    wire TEXT NOT NULL
);
CREATE INDEX events_of_jobs ON events (job, number);
CREATE TABLE checkpoints (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job TEXT NOT NULL, step INTEGER NOT NULL,
    model TEXT NOT NULL, wire TEXT NOT NULL
);
CREATE INDEX checkpoints_of_jobs ON checkpoints (job, number);
CREATE INDEX checkpoints_by_model ON checkpoints (model);
"""
"""``wire`` is the API's object as JSON, and ``number`` the order in which rows were made.

``digest`` of ``idempotency_keys`` is one or more digests of the request, with spaces between them.
Columns beside ``wire`` are what rows are found by. ``project`` is whose a row is; of ``permissions``
it is the project that may use the checkpoint. A file that belongs to a ``model`` is at ``path`` in
the model's directory, whose key is its ``blob``. Of ``jobs``: ``place`` is the job's place in the
queue, ``step`` the last step that was reported, ``snapshot`` the directory that training resumes
from and ``snapshot_step`` the step after which it was saved.
"""

_WEBHOOKS = """
CREATE TABLE webhooks (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
    created_at INTEGER NOT NULL, next_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0
);
"""
"""Those that no receiver has taken yet; ``next_at`` is when the next try is due."""

_SCHEMAS = (_SCHEMA, _WEBHOOKS)
"""What makes a database of each version from that of the version before. `PRAGMA user_version` is
how many of them a database has; what has been released is never changed, only added to."""


class StoreClosedError(Exception):
    """Something was to be saved or read after the store had been closed."""


class Database:
    """One SQLite database in WAL mode.

    What `write` has written is on the disk when the block ends, and readers see it only then:
    SQLite shows a commit to others after it has put it on the disk.

    Args:
        path: The file; made if it is not there.
        is_lasting: Whether it must survive the process; a temporary one is never synced.

    Attributes:
        lock: The lock of all changes; `write` holds it.

    Raises:
        OSError: It is damaged, or of a later version.
    """

    def __init__(self, path: Path, *, is_lasting: bool) -> None:
        self._path = path
        self._is_lasting = is_lasting
        self.lock = threading.RLock()
        self._after: list[Callable[[], object]] = []
        self._all: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Condition()
        self._readers = 0
        self._is_closed = False
        self._writing_thread: int | None = None
        try:
            self._writer = self._connect()
            self._prepare()
        except sqlite3.Error as error:
            self.close()
            message = f"The database of the embedded server cannot be used ({error})"
            raise OSError(errno.EIO, message, str(path)) from None
        except BaseException:
            self.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        # A connection serves one thread at a time, but not always the same one.
        connection = sqlite3.connect(
            self._path, timeout=60, isolation_level=None, check_same_thread=False
        )
        self._all.append(connection)
        synchronous = "FULL" if self._is_lasting else "OFF"
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        return connection

    def _prepare(self) -> None:
        self._writer.execute("PRAGMA journal_mode = WAL")
        # Written over soon again: to sync a file that has grown took 4 ms, and one that has not 0.1.
        self._writer.execute("PRAGMA wal_autocheckpoint = 100")
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_SCHEMAS):
            message = (
                "This directory was used by a later version of finetune_client; use that one, or "
                "give another directory"
            )
            raise OSError(errno.EINVAL, message, str(self._path))
        if version < len(_SCHEMAS):
            missing = "".join(_SCHEMAS[version:])
            self._writer.executescript(
                f"BEGIN IMMEDIATE; {missing} PRAGMA user_version = {len(_SCHEMAS)}; COMMIT;"
            )

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Change rows: all that the block does, with the blocks inside it, or nothing.

        Raises:
            StoreClosedError: The database has been closed.
            sqlite3.Error: The change cannot be put on the disk; nothing has changed.
        """
        with self.lock:
            if self._is_closed:
                raise StoreClosedError("The embedded server has been closed.")
            if self._writer.in_transaction:
                yield self._writer
                return
            self._writer.execute("BEGIN IMMEDIATE")
            self._writing_thread = threading.get_ident()
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                self._after.clear()
                with suppress(sqlite3.Error):  # some errors have rolled it back already
                    self._writer.execute("ROLLBACK")
                raise
            finally:
                self._writing_thread = None
            after, self._after = self._after, []
        for action in after:
            action()

    def after_commit(self, action: Callable[[], object]) -> None:
        """Call ``action`` when the change that is being written is on the disk, if it ever is."""
        self._after.append(action)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query; inside `write` those that it has changed are seen.

        Raises:
            StoreClosedError: The database has been closed.
        """
        if self._writing_thread == threading.get_ident():
            return self._writer.execute(query, values).fetchall()
        connection = self._reader()
        try:
            return connection.execute(query, values).fetchall()
        finally:
            self._give_back(connection)

    def row(self, query: str, values: Sequence[Any] = ()) -> Any:
        """Return the first row of a query, or `None`."""
        found = self.rows(query, values)
        return found[0] if found else None

    def _reader(self) -> sqlite3.Connection:
        with self._idle_lock:
            if self._is_closed:
                raise StoreClosedError("The embedded server has been closed.")
            self._readers += 1
            return self._idle.pop() if self._idle else self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._idle_lock:
            self._idle.append(connection)
            self._readers -= 1
            self._idle_lock.notify_all()

    def close(self) -> None:
        """Close all connections, once they are not used any more. It can be called again."""
        with self.lock, self._idle_lock:
            self._is_closed = True
            self._idle_lock.wait_for(lambda: self._readers == 0, _CLOSE_SECONDS)
            for connection in self._all:
                connection.close()
            self._all.clear()
