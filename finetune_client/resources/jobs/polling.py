"""Polling jobs: what `finetune_client.waiting` needs, made of the calls of `Jobs`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from finetune_client.errors import RequestError
from finetune_client.resources.arguments import check_callable
from finetune_client.resources.options import check_poll_options
from finetune_client.resources.pager import LARGEST_PAGE
from finetune_client.transport import with_changes
from finetune_client.waiting import Outage, Pace, Watcher
from finetune_client.waiting.pace import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Unpack

    from finetune_client.models import FineTuningJob, FineTuningJobEvent, Page
    from finetune_client.resources.options import PollOptions, RequestOptions
    from finetune_client.resources.pager import Pager
    from finetune_client.transport import Session
    from finetune_client.waiting import OnStalled

__all__ = ["JobPolling"]

_SHORTEST_CALL = 1.0
"""Seconds that a call may take even when the time is nearly over."""


class PolledCalls(Protocol):
    """The calls of `Jobs` that polling makes."""

    def retrieve(self, fine_tuning_job_id: str, **options: Unpack[RequestOptions]) -> FineTuningJob:
        """Return a job."""

    def list_events(
        self,
        fine_tuning_job_id: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> Pager[FineTuningJobEvent]:
        """List the events of a job."""


class JobPolling:
    """How the jobs of one wait are polled.

    Args:
        session: What they are fetched with; its provider says how often to poll.
        calls_over: Makes the calls over a session: `Jobs`.
        options: What is sent with every request.
        timeout: Seconds for the whole wait.
        poll_interval: Seconds between two polls.
        max_outage: Seconds that polls of a job may fail in a row.
        stalled_after: Seconds without an event or a change of status after which a job has stalled.
        on_stalled: Called with such a job.

    Raises:
        RequestError: A number of seconds is negative, or not a number; or ``on_stalled`` is not a
            function, or is given without ``stalled_after``.
        TypeError: A keyword is not known.
    """

    def __init__(
        self,
        session: Session,
        calls_over: Callable[[Session], PolledCalls],
        options: PollOptions,
        *,
        timeout: float | None,
        poll_interval: float | None,
        max_outage: float,
        stalled_after: float | None,
        on_stalled: OnStalled | None,
    ) -> None:
        self._session = session
        self._calls_over = calls_over
        self._options = check_poll_options(options)
        self._max_outage = seconds("max_outage", max_outage) or 0.0
        self.stalled_after = seconds("stalled_after", stalled_after)
        check_callable("on_stalled", on_stalled)
        if on_stalled is not None and stalled_after is None:
            raise RequestError("on_stalled is never called without stalled_after; give both.")
        self._poll_interval = poll_interval
        self.pace = self.new_pace(timeout)

    def new_pace(self, timeout: float | None) -> Pace:
        """Return the pauses of a wait that begins now and may last so many seconds."""
        return Pace(
            self._session.clock,
            first_poll=self._session.provider.first_poll,
            longest_poll=self._session.provider.longest_poll,
            poll_interval=self._poll_interval,
            timeout=timeout,
        )

    def watch_state(self, job_id: str) -> Watcher:
        """Return the watcher of a job's state alone."""
        return Watcher(
            job_id,
            fetch=lambda: self._calls().retrieve(job_id, **self._options),
            clock=self._session.clock,
            outage=self._outage(),
            stalled_after=self.stalled_after,
        )

    def watch_events(self, job_id: str, after: str | None = None, linger: float = 0.0) -> Watcher:
        """Return the watcher of a job's state and of its events, if the provider has events.

        Where it has none a job still comes to its end: to refuse to follow it would leave a job
        that is paid for without anybody who waits for it.
        """
        if "events" in self._session.provider.lacks:
            return self.watch_state(job_id)

        def walk(cursor: str | None) -> Iterator[Page[FineTuningJobEvent]]:
            events = self._calls().list_events(
                job_id, after=cursor, limit=LARGEST_PAGE, **self._options
            )
            return events.pages()

        return Watcher(
            job_id,
            fetch=lambda: self._calls().retrieve(job_id, **self._options),
            walk=walk,
            clock=self._session.clock,
            outage=self._outage(),
            after=after,
            linger=seconds("linger", linger) or 0.0,
            stalled_after=self.stalled_after,
        )

    def _outage(self) -> Outage:
        return Outage(self._session.clock, self._max_outage)

    def _calls(self) -> PolledCalls:
        """Return the calls of one poll; none lasts much longer than the remaining time."""
        remaining = self.pace.remaining()
        if math.isinf(remaining):
            return self._calls_over(self._session)
        config = self._session.config
        longest = min(max(remaining, _SHORTEST_CALL), config.total_timeout or math.inf)
        session = self._session.sharing(with_changes(config, total_timeout=longest))
        return self._calls_over(session)
