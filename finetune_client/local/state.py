"""What all parts of one server share: the lock, the store, the clock and the limits."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local.storage.store import Store

__all__ = ["Limits", "State"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much the server takes.

    Attributes:
        file_bytes: The largest file of ``POST /files``.
        upload_bytes: The largest file of the Uploads API.
        part_bytes: The largest part of an upload.
        upload_seconds: How long an upload may take before it expires.
    """

    file_bytes: int = 512 * 1024**2
    upload_bytes: int = 8 * 1024**3
    part_bytes: int = 64 * 1024**2
    upload_seconds: int = 3600


@dataclass(kw_only=True)
class State:
    """What all parts of one server share. Whoever reads or changes rows holds the `lock`.

    Attributes:
        store: Where bytes and records are kept.
        clock: Unix time in seconds.
        limits: See `Limits`.
        lock: What keeps threads apart.
        changed: Notified whenever a job's status changes; its lock is `lock`.
    """

    store: Store
    clock: Callable[[], float] = time.time
    limits: Limits = field(default_factory=Limits)
    lock: threading.RLock = field(default_factory=threading.RLock)
    changed: threading.Condition = field(init=False)
    _latest: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)

    def now(self) -> int:
        """Tell the time as the wire does, in whole seconds."""
        return int(self.clock())

    def new_id(self, prefix: str) -> str:
        """Make an id nobody has: ``prefix``, the time, and chance.

        Ids of one run sort in the order they were made, also while the clock stands still or goes
        back (that of Windows moves 64 times a second), so that records are read back in order.
        """
        with self.lock:
            self._latest = max(time.time_ns(), self._latest + 1)
            return f"{prefix}{self._latest:016x}{secrets.token_hex(4)}"
