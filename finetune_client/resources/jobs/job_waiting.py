"""Following jobs and waiting for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from finetune_client.errors import RequestError
from finetune_client.resources.arguments import check_callable, several
from finetune_client.resources.jobs.job_calls import JobCalls
from finetune_client.resources.jobs.polling import Looks
from finetune_client.transport import path_segment
from finetune_client.waiting import follow, wait, wait_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from typing_extensions import Unpack

    from finetune_client.models import FineTuningJob, FineTuningJobEvent
    from finetune_client.resources.options import Extras
    from finetune_client.waiting import OnPaused

__all__ = ["JobWaiting"]

JobList: TypeAlias = "list[FineTuningJob]"


class JobWaiting(JobCalls):
    """The waiting calls of `Jobs`."""

    __slots__ = ()

    def follow(
        self,
        fine_tuning_job_id: str,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        after: str | None = None,
        linger: float = 0,
        max_outage: float = 600,
        **extras: Unpack[Extras],
    ) -> Iterator[FineTuningJobEvent]:
        """Give each event of a job once, oldest first, as it comes, until the job has ended.

        It does not raise because the job failed; `retrieve` tells how it ended.

        Args:
            fine_tuning_job_id: The job.
            timeout: Seconds for all of it; `None` for as long as it takes.
            poll_interval: Seconds between two looks; without it they grow from 2 to 30.
            after: The id of the last event that is known already, to go on from there.
            linger: Seconds to go on looking after the job has ended (Azure sends the last events
                minutes later).
            max_outage: Seconds that looks may fail in a row before the failure is raised.
            **extras: See `Extras`.

        Raises:
            WaitTimeoutError: The time was over first.
            APIError: Looking failed in a way that will not pass, or for too long.
        """
        looks = Looks(self._session, extras, timeout, poll_interval, max_outage)
        path_segment(fine_tuning_job_id, "fine_tuning_job_id")
        if after is not None:
            path_segment(after, "after")
        return follow(looks.events(fine_tuning_job_id, after, linger), looks.pace)

    def wait(
        self,
        fine_tuning_job_id: str,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_event: Callable[[FineTuningJobEvent], object] | None = None,
        raise_on_failure: bool = True,
        on_paused: OnPaused = "wait",
        max_outage: float = 600,
        **extras: Unpack[Extras],
    ) -> FineTuningJob:
        """Return a job when it has ended. Ctrl-C ends the wait, never the job.

        Args:
            fine_tuning_job_id: The job.
            timeout: Seconds for all of it; `None` for as long as it takes.
            poll_interval: Seconds between two looks; without it they grow from 2 to 30.
            on_event: Called with each event once, oldest first.
            raise_on_failure: Whether a job that failed or was cancelled is an error.
            on_paused: What to do when the job is paused: "wait", "return" it, or "raise".
            max_outage: Seconds that looks may fail in a row before the failure is raised.
            **extras: See `Extras`.

        Raises:
            JobFailedError: The job failed or was cancelled, or is paused and that shall raise.
            WaitTimeoutError: The time was over first; `job` is the last that was seen of it.
            APIError: Looking failed in a way that will not pass, or for too long.
        """
        looks = Looks(self._session, extras, timeout, poll_interval, max_outage)
        path_segment(fine_tuning_job_id, "fine_tuning_job_id")
        check_callable("on_event", on_event)
        return wait(
            looks.events(fine_tuning_job_id) if on_event else looks.state(fine_tuning_job_id),
            looks.pace,
            on_event=on_event,
            raise_on_failure=raise_on_failure,
            on_paused=on_paused,
        )

    def wait_all(
        self,
        fine_tuning_job_ids: Iterable[str],
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_event: Callable[[str, FineTuningJobEvent], object] | None = None,
        on_job: Callable[[FineTuningJob], object] | None = None,
        raise_on_failure: bool = False,
        on_paused: OnPaused = "wait",
        max_outage: float = 600,
        **extras: Unpack[Extras],
    ) -> JobList:
        """Return many jobs when all have ended, in the order of the ids.

        One loop looks at each job that has not ended, so no thread is needed.

        Args:
            fine_tuning_job_ids: The jobs.
            timeout: Seconds for all of it; `None` for as long as it takes.
            poll_interval: Seconds between two rounds; without it they grow from 2 to 30.
            on_event: Called with a job's id and each of its events once, oldest first.
            on_job: Called with each job when it has ended.
            raise_on_failure: Whether, when all have ended, one that failed is an error.
            on_paused: What to do with a job that is paused, see `wait`.
            max_outage: Seconds that looks at a job may fail in a row.
            **extras: See `Extras`.

        Raises:
            RequestError: ``fine_tuning_job_ids`` is one text, not several.
            JobFailedError: One failed or was cancelled, and that shall raise.
            WaitTimeoutError: The time was over first; `jobs` are those that have not ended.
            APIError: Looking at one failed in a way that will not pass, or for too long.
        """
        looks = Looks(self._session, extras, timeout, poll_interval, max_outage)
        ids = several(fine_tuning_job_ids)
        if not isinstance(ids, list):
            raise RequestError("fine_tuning_job_ids must be a list of ids; for one job take wait.")
        names = [name for name in ids if path_segment(name, "fine_tuning_job_ids")]
        check_callable("on_event", on_event)
        check_callable("on_job", on_job)
        look = looks.events if on_event else looks.state
        ended = wait_all(
            [look(name) for name in dict.fromkeys(names)],
            looks.pace,
            on_event=on_event,
            on_job=on_job,
            raise_on_failure=raise_on_failure,
            on_paused=on_paused,
        )
        by_name = dict(zip(dict.fromkeys(names), ended, strict=True))
        return [by_name[name] for name in names]
