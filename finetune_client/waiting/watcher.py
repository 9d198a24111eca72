"""One job that is polled."""

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
"""Yields the pages of the job's events in the server's order, after an event or all of them."""

_KNOWN_STATUSES = frozenset(
    text for name, text in vars(FineTuningJobStatus).items() if name.isupper()
)

_log = logging.getLogger("finetune_client")


class Watcher:
    """Polls one job, and finds what is new among its events.

    Args:
        id: The job's id.
        fetch: Fetches it.
        clock: Tells the time.
        outage: Counts the failures.
        walk: Walks its events; without it, events are not polled.
        after: The last event known from an earlier run.
        linger: Seconds to continue polling for events after the job has ended.
        stalled_after: Seconds without a new event or a change of status after which the job has
            stalled; `None` if it never does.

    Attributes:
        stalled_after: As given.
        job: The job as last seen.
        done: Whether there is nothing more to poll for.
        failed: Whether the last poll failed.
        retry_after: Seconds that the server asked to wait when the last poll failed.
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
        stalled_after: float | None = None,
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
        self.stalled_after = stalled_after
        self._quiet_since = clock.monotonic()
        self._last_status: str | None = None
        self._ended_at: float | None = None
        self._polled_since_end = False
        self._logged_statuses: set[str] = set()

    @property
    def has_ended(self) -> bool:
        """Whether the job has ended."""
        return self._ended_at is not None

    @property
    def has_last_events(self) -> bool:
        """Whether the job has ended, and its events, if they are polled, were polled since."""
        return self.has_ended and self._polled_since_end

    @property
    def is_closing(self) -> bool:
        """Whether the next poll is the last: the job has ended, and was polled since."""
        if self._ended_at is None or not self.has_last_events:
            return False
        return self._clock.monotonic() - self._ended_at >= self._linger

    def stop_lingering(self) -> None:
        """Make the next poll after the job's end the last: the time is over."""
        self._linger = 0.0

    def poll(self) -> list[FineTuningJobEvent]:
        """Poll once; return the new events, oldest first.

        After an error that may pass, nothing is returned and `failed` is set.

        Raises:
            APIError: It will not pass, or polls have failed for too long.
        """
        try:
            new = self._poll()
        except APIError as error:
            self.failed = True
            self.retry_after = min(error.retry_after or 0.0, self._outage.remaining())
            if not self._outage.allows(error):
                self._add_job(error)
                raise
            _log.info("polling %s failed and is tried again: %s", self.id, type(error).__name__)
            return []
        self.failed, self.retry_after = False, 0.0
        self._outage.end()
        status = self.job.status if self.job else None
        if new or status != self._last_status:
            self._quiet_since, self._last_status = self._clock.monotonic(), status
        return new

    def take_stall(self) -> bool:
        """Return whether the job has stalled; if so, the next span begins.

        A failed poll tells nothing of the job, and a paused job waits for somebody.
        """
        if self.stalled_after is None or self.job is None or self.failed or self.has_ended:
            return False
        now = self._clock.monotonic()
        if self._last_status == FineTuningJobStatus.PAUSED:
            self._quiet_since = now
        if now - self._quiet_since < self.stalled_after or now == self._quiet_since:
            return False
        self._quiet_since = now
        return True

    def _add_job(self, error: APIError) -> None:
        """Add to an error that ends the wait which job it is about, and how that was last seen."""
        seen = (self.job and self.job.status) or "never"
        error.message += f" (while waiting for job {self.id}, last seen: {seen})"
        error.args = (error.message,)
        error.__dict__.update(job=self.job, job_id=self.id)

    def _poll(self) -> list[FineTuningJobEvent]:
        is_last = self.is_closing
        if self._ended_at is None:
            self._set_job(self._fetch())
        if self._walk is None:
            self.done = self._polled_since_end = self.has_ended
            return []
        new = self._new_events(self._walk, is_last=is_last)
        self._polled_since_end = self.has_ended
        self.done = is_last
        return new

    def _set_job(self, job: FineTuningJob) -> None:
        self.job = job
        status = job.status
        if job.is_terminal:
            self._ended_at = self._clock.monotonic()
        elif (
            status
            and job.folded_status not in _KNOWN_STATUSES
            and status not in self._logged_statuses
        ):
            self._logged_statuses.add(status)
            _log.warning(
                "job %s has a status that is not known: %r; still waiting", self.id, status
            )

    def _new_events(self, walk: WalkEvents, *, is_last: bool) -> list[FineTuningJobEvent]:
        """Return the new events; the last poll reads all of them, so that none can be missed."""
        cursor = None if is_last else self._history.cursor()
        is_enough = self._history.has_start if is_last else self._history.has_all_new
        rows: list[FineTuningJobEvent] = []
        complete = cursor is None
        for page in walk(cursor):
            rows.extend(page.data)
            if rows and is_enough(rows):
                complete = False
                break
        return self._history.add(rows, complete=complete)
