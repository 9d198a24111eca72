"""One job that is looked at again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from finetune_client.errors import APIError
from finetune_client.models import FineTuningJob, FineTuningJobEvent, FineTuningJobStatus, Page
from finetune_client.waiting.history import History

if TYPE_CHECKING:
    from finetune_client.clock import Clock
    from finetune_client.waiting.outage import Outage

__all__ = ["FetchJob", "WalkEvents", "Watcher"]

FetchJob = Callable[[], FineTuningJob]
"""Fetches the job."""

WalkEvents = Callable[["str | None"], Iterator[Page[FineTuningJobEvent]]]
"""Walks the pages of the job's events in the server's order, from after an event or all."""

KNOWN = frozenset(text for name, text in vars(FineTuningJobStatus).items() if name.isupper())

_log = logging.getLogger("finetune_client")


class Watcher:
    """Looks at one job and at what is new among its events.

    Args:
        id: The job's id.
        fetch: Fetches it.
        clock: Tells the time.
        outage: Counts the failures.
        walk: Walks its events; without it, events are not looked at.
        after: The last event known from an earlier run.
        linger: Seconds to go on looking for events after the job has ended.
    """

    def __init__(
        self,
        id: str,
        *,
        fetch: FetchJob,
        clock: Clock,
        outage: Outage,
        walk: WalkEvents | None = None,
        after: str | None = None,
        linger: float = 0.0,
    ) -> None:
        self.id = id
        self.after = after
        self.job: FineTuningJob | None = None
        self.done = False
        self.failed = False
        self.retry_after = 0.0
        self._fetch = fetch
        self._walk = walk
        self._clock = clock
        self._outage = outage
        self._history = History(after)
        self._linger = linger
        self._ended_at: float | None = None
        self._looked_since = False
        self._told: set[str] = set()

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self._ended_at is not None

    @property
    def seen_out(self) -> bool:
        """Whether the job has ended, and its events were looked at since."""
        return self.ended and self._looked_since

    @property
    def closing(self) -> bool:
        """Whether the next look is the last: the job has ended, and was looked at since."""
        if self._ended_at is None or not self.seen_out:
            return False
        return self._clock.monotonic() - self._ended_at >= self._linger

    def hurry(self) -> None:
        """Linger no longer: the time is over."""
        self._linger = 0.0

    def look(self) -> list[FineTuningJobEvent]:
        """Look once; return the new events, oldest first.

        An error that may pass is endured: then nothing is returned and `failed` is set.

        Raises:
            APIError: It will not pass, or it has lasted too long.
        """
        try:
            fresh = self._look()
        except APIError as error:
            self.failed = True
            self.retry_after = min(error.retry_after or 0.0, self._outage.left())
            if not self._outage.allows(error):
                self._name(error)
                raise
            _log.info("a look at %s failed and is made again: %s", self.id, type(error).__name__)
            return []
        self.failed, self.retry_after = False, 0.0
        self._outage.over()
        return fresh

    def _name(self, error: APIError) -> None:
        """Let an error that ends the wait say of which job, and how that was last seen."""
        seen = (self.job and self.job.status) or "never"
        error.message += f" (while waiting for job {self.id}, last seen: {seen})"
        error.args = (error.message,)
        error.__dict__.update(job=self.job, job_id=self.id)

    def _look(self) -> list[FineTuningJobEvent]:
        closing = self.closing
        if self._ended_at is None:
            self._note(self._fetch())
        if self._walk is None:
            self.done = self.ended
            return []
        fresh = self._events(self._walk, closing=closing)
        self._looked_since = self.ended
        self.done = closing
        return fresh

    def _note(self, job: FineTuningJob) -> None:
        self.job = job
        if job.is_terminal:
            self._ended_at = self._clock.monotonic()
        elif job.status is not None and job.status not in KNOWN:
            self._tell(job.status)

    def _tell(self, status: str) -> None:
        if status not in self._told:
            self._told.add(status)
            _log.warning("job %s has a status that is not known: %r; waiting on", self.id, status)

    def _events(self, walk: WalkEvents, *, closing: bool) -> list[FineTuningJobEvent]:
        """Look at the events; the last look is at all of them, so that none can be missed."""
        start = None if closing else self._history.start()
        stop = self._history.reaches_back if closing else self._history.suffices
        rows: list[FineTuningJobEvent] = []
        whole = start is None
        for page in walk(start):
            rows.extend(page.data)
            if rows and stop(rows):
                whole = False
                break
        return self._history.take(rows, whole=whole)
