"""A file on this machine that remembers which idempotency key created which job.

It is for servers that keep no metadata: there a job does not bear its key, and nothing else tells a
script that is run again that it has created its job already. One create goes like this::

    with ledger.begin(server, key, digest, timeout=60) as claim:
        claim.job_id           not None: the job exists, and nothing must be sent
        claim.is_unknown       an earlier create with this key was cut short: the job may exist
        ...                    otherwise this caller, and no other, may create the job now
        claim.created(job_id)  or claim.release(), if it was certainly not created

Whoever leaves the block without `created` or `release`, or dies in it, leaves an entry whose
outcome is unknown.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shlex
import sqlite3
import warnings
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from finetune_client.clock import SYSTEM_CLOCK
from finetune_client.errors import ConfigurationError, JobMayExistError, RequestError
from finetune_client.file_lock import LockFile, descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from finetune_client.clock import Clock

__all__ = ["Claim", "Entry", "Ledger", "request_digest"]

_APPLICATION_ID = int.from_bytes(b"ftlg", "big")
"""What tells a ledger from the SQLite databases of other programs."""

_VERSION = 1
_TABLE = """CREATE TABLE entries (
    server TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL,
    job_id TEXT, begun_at INTEGER NOT NULL, created_at INTEGER, PRIMARY KEY (server, key)
)"""
_SELECT = "SELECT server, key, digest, job_id, begun_at, created_at FROM entries"

_BUSY_TIMEOUT = 10.0
"""Seconds that one access to the file waits for those of others, which take milliseconds."""

_POLL_INTERVAL = 0.1
"""Seconds between two tries for a key that is claimed: a file lock cannot be waited for with a
time limit."""

_FULL = "The disk of the ledger {} is full; make room on it, and try again."
_NOT_WRITABLE = (
    "The ledger {} cannot be written; allow writing to it and to its folder, or give another path."
)


def request_digest(body: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a request's JSON as hex digits, whatever the order of its keys."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What is remembered of one idempotency key.

    Attributes:
        server: The base URL; the same key on another server is another entry.
        key: The idempotency key.
        digest: What was asked for, see `request_digest`.
        job_id: The job; None until it is known.
        begun_at: When the create began, in Unix seconds.
        created_at: When the job became known, in Unix seconds.
    """

    server: str
    key: str
    digest: str
    job_id: str | None = None
    begun_at: int
    created_at: int | None = None

    @property
    def state(self) -> Literal["begun", "created"]:
        """``created`` if the job is known; ``begun`` while it is being created, or may have been."""
        return "begun" if self.job_id is None else "created"

    @property
    def begun(self) -> datetime:
        """When the create began."""
        return datetime.fromtimestamp(self.begun_at, timezone.utc)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return {**asdict(self), "state": self.state}


class Claim:
    """The right to create the job of one key, which ends with the block of `Ledger.begin`.

    Attributes:
        entry: What the ledger holds for the key.
        is_unknown: Whether an earlier create with this key was cut short, so that the job may
            exist. Whoever has the claim may settle it: with `created` if the job is found, with
            `release` if it is certain that there is none.
    """

    __slots__ = ("_clock", "_file", "_lock", "entry", "is_unknown")

    def __init__(
        self, entry: Entry, file: _File, key_lock: LockFile, clock: Clock, *, is_unknown: bool
    ) -> None:
        self.entry = entry
        self.is_unknown = is_unknown
        self._file = file
        self._lock = key_lock
        self._clock = clock

    @property
    def job_id(self) -> str | None:
        """The job that the key created; None if it is not known."""
        return self.entry.job_id

    @property
    def is_fresh(self) -> bool:
        """Whether nobody had the key before, so that the job may be created."""
        return self.job_id is None and not self.is_unknown

    @property
    def origin(self) -> str:
        """Where the job's id is from, and how the key is freed, as sentences."""
        return (
            f"The ledger has this job for the idempotency key {self.entry.key!r}. If it is of no "
            f"use to you, free the key with: {self._file.command('forget', self.entry.key)}"
        )

    @property
    def advice(self) -> str:
        """How a person settles an entry whose outcome is unknown, as a sentence."""
        return (
            "Look for the job on the server. If it is there, record it with: "
            f"{self._file.command('set', self.entry.key, 'JOB')} (JOB is its id); if it is not, "
            f"free the key with: {self._file.command('forget', self.entry.key)}"
        )

    def created(self, job_id: str) -> None:
        """Record the job.

        If that fails, this warns and does not raise: the caller has a job that is paid for. The
        entry stays one whose outcome is unknown.
        """
        self._check_held()
        self.entry = replace(self.entry, job_id=job_id, created_at=int(self._clock.now()))
        try:
            with self._file.writing() as database:
                _store(database, self.entry)
        except ConfigurationError as error:
            _warn(
                f"Job {job_id} was created, but could not be recorded. {error} Then record it "
                f"with: {self._file.command('set', self.entry.key, job_id)}"
            )

    def release(self) -> None:
        """Free the key, because the job was certainly not created.

        If that fails, this warns and does not raise: the caller has the reason to tell.
        """
        self._check_held()
        try:
            with self._file.writing() as database:
                _delete(database, self.entry)
        except ConfigurationError as error:
            _warn(
                f"No job was created, but the idempotency key {self.entry.key!r} could not be "
                f"freed. {error} Then free it with: {self._file.command('forget', self.entry.key)}"
            )

    def _check_held(self) -> None:
        if not self._lock.is_held:
            raise RequestError(
                f"This process has no claim on the idempotency key {self.entry.key!r} any more; "
                "begin again."
            )


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=3)


class Ledger:
    """The file, as those use it who create jobs or settle entries.

    It is opened for each access and closed again: threads and processes can share it, also across
    a fork, and nothing need be closed.

    Attributes:
        path: Where it is, links resolved.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Clock = SYSTEM_CLOCK) -> None:
        """Name the file; the first `begin` makes it, in a folder that must exist.

        Raises:
            ConfigurationError: This cannot be a path.
        """
        try:
            # The locks lie beside the file, so everybody must know it by one name.
            self.path = Path(os.path.realpath(os.fsdecode(path)))
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"The ledger must be the path of a file, not {path!r}."
            ) from None
        self._file = _File(self.path)
        self._clock = clock

    @contextmanager
    def begin(self, server: str, key: str, digest: str, *, timeout: float) -> Iterator[Claim]:
        """Claim a key for the length of a block; nobody else gets a claim on it meanwhile.

        Where the job is known already there is nothing to claim: the claim tells its `job_id`.

        Args:
            server: The base URL.
            key: The idempotency key.
            digest: What is asked for, see `request_digest`.
            timeout: Seconds to wait for another process or thread that has the key.

        Raises:
            RequestError: The key belongs to another request.
            JobMayExistError: Another has the key, and was not done in time.
            ConfigurationError: The file cannot be used.
        """
        self._file.make()
        key_lock = self._file.key_lock(server, key)
        give_up = self._clock.monotonic() + timeout
        try:
            entry = self._find(server, key, digest)
            while (entry is None or entry.job_id is None) and not self._file.acquire(key_lock):
                if self._clock.monotonic() >= give_up:
                    raise JobMayExistError(
                        f"Another process or thread is creating the job of idempotency key {key!r}"
                        f" and was not done within {timeout:g} seconds, so the job may exist. "
                        "Make the same call again to get it.",
                        idempotency_key=key,
                    )
                self._clock.sleep(_POLL_INTERVAL)
                entry = self._find(server, key, digest)
            if key_lock.is_held:
                yield self._enter(key_lock, server, key, digest)
            elif entry is not None:
                yield Claim(entry, self._file, key_lock, self._clock, is_unknown=False)
        finally:
            key_lock.release()

    def _find(self, server: str, key: str, digest: str) -> Entry | None:
        with self._file.reading() as database:
            entry = _entry_of(database, server, key)
        return self._checked(entry, digest)

    def _enter(self, key_lock: LockFile, server: str, key: str, digest: str) -> Claim:
        """Record that a create begins, unless whoever had the key before left an entry."""
        fresh = Entry(server=server, key=key, digest=digest, begun_at=int(self._clock.now()))
        with self._file.writing() as database:
            found = _entry_of(database, server, key)
            if found is None:
                _store(database, fresh)
        entry = self._checked(found, digest)
        is_unknown = entry is not None and entry.job_id is None
        return Claim(entry or fresh, self._file, key_lock, self._clock, is_unknown=is_unknown)

    def _checked(self, entry: Entry | None, digest: str) -> Entry | None:
        if entry is None or entry.digest == digest:
            return entry
        job = "may have created a job" if entry.job_id is None else f"created job {entry.job_id}"
        raise RequestError(
            f"The idempotency key {entry.key!r} belongs to another request, which {job}; nothing "
            "was sent. Use another key for this request. If that job is of no use to you, free the "
            f"key with: {self._file.command('forget', entry.key)}"
        )

    def entries(self) -> list[Entry]:
        """Return all entries, oldest first.

        Raises:
            ConfigurationError: There is no such file, or it cannot be used.
        """
        with self._file.reading() as database:
            rows = database.execute(f"{_SELECT} ORDER BY begun_at, server, key").fetchall()
        return [_entry(row) for row in rows]

    def set(self, key: str, job_id: str, server: str | None = None) -> Entry:
        """Record the job of a key by hand; return the entry.

        Args:
            key: The idempotency key; the ledger must hold an entry for it.
            job_id: The job.
            server: The base URL; only needed where the ledger holds the key for several.

        Raises:
            RequestError: There is no such entry, there are several, or one is being created now.
            ConfigurationError: The file cannot be used.
        """
        if not job_id.strip() or not job_id.isprintable():
            raise RequestError(
                f"{job_id!r} is not the id of a job; give the one that the server shows."
            )
        with self._settling(key, server) as entry, self._file.writing() as database:
            known = replace(entry, job_id=job_id, created_at=int(self._clock.now()))
            _store(database, known)
        return known

    def forget(self, key: str, server: str | None = None) -> Entry:
        """Free a key, which can then create a job again; return the entry that it had.

        Arguments and errors are those of `set`.
        """
        with self._settling(key, server) as entry, self._file.writing() as database:
            _delete(database, entry)
        return entry

    @contextmanager
    def _settling(self, key: str, server: str | None) -> Iterator[Entry]:
        found = self._only(key, server)
        key_lock = self._file.key_lock(found.server, key)
        try:
            if not self._file.acquire(key_lock):
                raise RequestError(
                    f"The job of idempotency key {key!r} is being created by another process or "
                    "thread right now; wait until it is done, or end it."
                )
            yield self._only(key, found.server)
        finally:
            key_lock.release()

    def _only(self, key: str, server: str | None) -> Entry:
        wanted = server and server.rstrip("/")
        found = [
            entry
            for entry in self.entries()
            if entry.key == key and wanted in {None, entry.server.rstrip("/")}
        ]
        if not found:
            on = f" on {server}" if server else ""
            raise RequestError(
                f"The ledger has no entry for the idempotency key {key!r}{on}; see its entries "
                f"with: {self._file.command('list')}"
            )
        if len(found) > 1:
            servers = ", ".join(entry.server for entry in found)
            raise RequestError(
                f"The ledger has the idempotency key {key!r} for several servers ({servers}); "
                "say which one by its base URL."
            )
        return found[0]


class _File:
    """The SQLite database, and the lock files beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def command(self, verb: str, *words: str) -> str:
        """Write the command that does something with this ledger."""
        return shlex.join(["finetune", "ledger", verb, *words, "--ledger", str(self._path)])

    def key_lock(self, server: str, key: str) -> LockFile:
        """Return the lock of a key, not acquired yet.

        The system takes a lock back from a process that is killed. A row that names the process
        could not tell whether that one still lives: another may have been given its number.
        """
        name = hashlib.sha256(f"{server}\n{key}".encode(errors="surrogatepass")).hexdigest()
        return LockFile(self._path.with_name(f"{self._path.name}-{name[:32]}.lock"))

    def acquire(self, key_lock: LockFile) -> bool:
        """Try to acquire the lock of a key; return whether it is held now."""
        try:
            return key_lock.acquire()
        except OSError as error:
            raise _unusable(self._path, error) from None

    def make(self) -> None:
        """Make the file if there is none; SQLite would let others read it."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        try:
            # Closing any descriptor of a file ends all of SQLite's own locks on it in this process
            # (POSIX), so nobody may open the new file for SQLite before this one is closed.
            with descriptors:
                os.close(os.open(self._path, flags, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise _unusable(self._path, error) from None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open the file; what is read in the block belongs together."""
        try:
            self._path.stat()
        except FileNotFoundError:  # SQLite would make it
            raise ConfigurationError(
                f"There is no ledger {str(self._path)!r}; the first job that is created with it "
                "makes it."
            ) from None
        except OSError as error:
            raise _unusable(self._path, error) from None
        with self._transaction("BEGIN") as database:
            yield database

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open the file; what is written in the block is on the disk after it, or not at all."""
        self.make()
        # IMMEDIATE, since a transaction that reads first and writes later can fail at once, without
        # waiting for its turn.
        with self._transaction("BEGIN IMMEDIATE") as database:
            yield database

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect()) as database:  # closing undoes what is not committed
                self._prepare(database)
                database.execute(begin)
                yield database
                database.execute("COMMIT")
        except sqlite3.Error as error:
            raise _unreadable(self._path, str(error)) from None

    def _connect(self) -> sqlite3.Connection:
        with descriptors:  # see `make`
            database = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT, isolation_level=None)
        # The default rollback journal, not WAL: at rest the ledger is one file, which can be copied
        # and put on any file system, and nothing here is so frequent that WAL's speed would count.
        # EXTRA is FULL and syncs the folder, too, when the journal is deleted: with FULL, a power
        # loss can bring back the journal, which would undo what was committed.
        # macOS writes through to the disk only with fullfsync.
        database.execute("PRAGMA synchronous = EXTRA")
        database.execute("PRAGMA fullfsync = ON")
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        if self._is_ledger(database):
            return
        database.execute("BEGIN IMMEDIATE")
        if not self._is_ledger(database):  # another may have been faster
            database.execute(_TABLE)
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_VERSION}")
        database.execute("COMMIT")

    def _is_ledger(self, database: sqlite3.Connection) -> bool:
        """Tell a ledger from an empty file.

        Raises:
            ConfigurationError: It is neither, or a ledger of a newer version.
        """
        query = (
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)"
            " FROM pragma_application_id, pragma_user_version"
        )
        application, version, tables = database.execute(query).fetchone()
        if (application, version, tables) == (0, 0, 0):
            return False
        if application != _APPLICATION_ID:
            raise ConfigurationError(
                f"{str(self._path)!r} is a database of another program, not a ledger; give the "
                "path of a ledger, or of a new file."
            )
        if version != _VERSION:
            raise ConfigurationError(
                f"The ledger {str(self._path)!r} is of version {version}, and this finetune_client "
                f"knows version {_VERSION} only; update finetune-client."
            )
        return True


def _entry_of(database: sqlite3.Connection, server: str, key: str) -> Entry | None:
    found = database.execute(f"{_SELECT} WHERE server = ? AND key = ?", (server, key))
    row = found.fetchone()
    return row and _entry(row)


def _entry(row: tuple[Any, ...]) -> Entry:
    server, key, digest, job_id, begun_at, created_at = row
    return Entry(
        server=server,
        key=key,
        digest=digest,
        job_id=job_id,
        begun_at=begun_at,
        created_at=created_at,
    )


def _store(database: sqlite3.Connection, entry: Entry) -> None:
    database.execute(
        "INSERT OR REPLACE INTO entries (server, key, digest, job_id, begun_at, created_at)"
        " VALUES (:server, :key, :digest, :job_id, :begun_at, :created_at)",
        asdict(entry),
    )


def _delete(database: sqlite3.Connection, entry: Entry) -> None:
    where = (entry.server, entry.key)
    database.execute("DELETE FROM entries WHERE server = ? AND key = ?", where)


def _unreadable(path: Path, said: str) -> ConfigurationError:
    """Turn what SQLite said into what to do; only Python 3.11 gives its error codes."""
    name = repr(str(path))
    if "database is locked" in said:
        message = f"The ledger {name} is locked by another program; close that one, and try again."
    elif "disk is full" in said:
        message = _FULL.format(name)
    elif "unable to open" in said and path.is_dir():
        message = f"{name} is a folder; give the path of a file for the ledger."
    elif "readonly" in said or "unable to open" in said:
        message = _NOT_WRITABLE.format(name)
    elif "disk I/O" in said:
        message = f"The ledger {name} cannot be read or written ({said}); check its disk."
    else:
        message = (
            f"{name} is not a ledger, or is damaged ({said}). Give another path, or put a copy of "
            "the ledger there; without one, each key that it held creates its job again."
        )
    return ConfigurationError(message)


def _unusable(path: Path, error: OSError) -> ConfigurationError:
    """Turn what the system said of the ledger, or of a file beside it, into what to do."""
    name = repr(str(path))
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        message = (
            f"There is no folder {str(path.parent)!r} for the ledger; make it, or give another."
        )
    elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        message = _NOT_WRITABLE.format(name)
    elif error.errno == errno.ENOSPC:
        message = _FULL.format(name)
    else:
        message = (  # a file system without locks, for one
            f"The ledger {name} cannot be used ({error.strerror}); give a path on a disk of this "
            "machine."
        )
    return ConfigurationError(message)
