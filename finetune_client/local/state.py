"""What all parts of one server share: the store, the lock, the clock and the limits."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from finetune_client.grading import PythonLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local.storage.database import Database
    from finetune_client.local.storage.store import Store

__all__ = ["ServerLimits", "State"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerLimits:
    """How large files may be, how long an upload or a grader may take, and how much is asked at once.

    Attributes:
        file_bytes: The largest file of ``POST /files``.
        upload_bytes: The largest file of the Uploads API.
        part_bytes: The largest part of an upload.
        upload_seconds: How long an upload may take; then it expires.
        chat_requests: How many chat completions are answered, or wait for a model, at once.
        python_graders: What each call of a python grader may use.
    """

    file_bytes: int = 512 * 1024**2
    upload_bytes: int = 8 * 1024**3
    part_bytes: int = 64 * 1024**2
    upload_seconds: int = 3600
    chat_requests: int = 16
    python_graders: PythonLimits = field(default_factory=PythonLimits)


@dataclass(kw_only=True)
class State:
    """What all parts of one server share.

    Attributes:
        store: Where bytes are kept.
        clock: Returns the Unix time in seconds.
        limits: See `ServerLimits`.
        allow_python_graders: Whether the code of python graders is run.
        database: Where rows are kept.
        lock: The lock of all changes of rows.
        on_status: Called with a job's id and its new status, inside the change of it.
        status_changed: Notified whenever a job's status changes; its lock is `lock`.
    """

    store: Store
    clock: Callable[[], float]
    limits: ServerLimits
    allow_python_graders: bool = False
    on_status: Callable[[str, str], None] | None = None
    status_changed: threading.Condition = field(init=False)
    _id_lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _last_id_time: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.status_changed = threading.Condition(self.lock)

    @property
    def database(self) -> Database:
        """See above."""
        return self.store.database

    @property
    def lock(self) -> threading.RLock:
        """See above."""
        return self.store.database.lock

    def now(self) -> int:
        """Return the Unix time in whole seconds, as the API's objects have it."""
        return int(self.clock())

    def new_id(self, prefix: str) -> str:
        """Return a unique id: ``prefix``, the time, and a random part.

        Ids of one run sort in the order in which they were made, even if the clock stands still
        (that of Windows moves 64 times a second) or goes back.
        """
        with self._id_lock:
            self._last_id_time = max(time.time_ns(), self._last_id_time + 1)
            return f"{prefix}{self._last_id_time:016x}{secrets.token_hex(4)}"
