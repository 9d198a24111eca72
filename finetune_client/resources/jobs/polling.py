"""What waiting needs, made from the calls of `Jobs`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from finetune_client.resources.jobs.job_calls import MOST_A_PAGE, JobCalls
from finetune_client.resources.options import check_extras
from finetune_client.transport import with_changes
from finetune_client.waiting import Outage, Pace, Watcher
from finetune_client.waiting.pace import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client.models import FineTuningJob, FineTuningJobEvent, Page
    from finetune_client.resources.options import Extras
    from finetune_client.transport import Session

__all__ = ["Looks"]

SHORTEST_CALL = 1.0
"""Seconds that a look may take even when the time is nearly over."""


class Looks:
    """How the jobs of one wait are looked at.

    Args:
        session: What they are fetched with; its provider says how often to look.
        extras: What is sent with every look.
        timeout: Seconds for the whole wait.
        poll_interval: Seconds between two looks.
        max_outage: Seconds that looks at a job may fail in a row.

    Raises:
        RequestError: A number of seconds is none.
        TypeError: A keyword is not known.
    """

    def __init__(
        self,
        session: Session,
        extras: Extras,
        timeout: float | None,
        poll_interval: float | None,
        max_outage: float,
    ) -> None:
        self._session = session
        self._clock = session.clock
        self._extras = check_extras(extras)
        self._max_outage = seconds("max_outage", max_outage) or 0.0
        self.pace = Pace(
            session.clock,
            timeout=timeout,
            poll_interval=poll_interval,
            first=session.provider.first_poll,
            longest=session.provider.longest_poll,
        )

    def state(self, job_id: str) -> Watcher:
        """Look at a job's state alone."""
        return Watcher(
            job_id, fetch=self._fetching(job_id), clock=self._clock, outage=self._outage()
        )

    def events(self, job_id: str, after: str | None = None, linger: float = 0.0) -> Watcher:
        """Look at a job's state and its events."""
        return Watcher(
            job_id,
            fetch=self._fetching(job_id),
            walk=self._walking(job_id),
            clock=self._clock,
            outage=self._outage(),
            after=after,
            linger=seconds("linger", linger) or 0.0,
        )

    def _outage(self) -> Outage:
        return Outage(self._clock, self._max_outage)

    def _fetching(self, job_id: str) -> Callable[[], FineTuningJob]:
        return lambda: self._calls().retrieve(job_id, **self._extras)

    def _walking(self, job_id: str) -> Callable[[str | None], Iterator[Page[FineTuningJobEvent]]]:
        def walk(start: str | None) -> Iterator[Page[FineTuningJobEvent]]:
            calls = self._calls()
            events = calls.list_events(job_id, after=start, limit=MOST_A_PAGE, **self._extras)
            return events.pages()

        return walk

    def _calls(self) -> JobCalls:
        """Make the calls of one look; none lasts much longer than the time that is left."""
        left = self.pace.left()
        if math.isinf(left):
            return JobCalls(self._session)
        config = self._session.config
        longest = min(max(left, SHORTEST_CALL), config.total_timeout or math.inf)
        return JobCalls(self._session.sharing(with_changes(config, total_timeout=longest)))
