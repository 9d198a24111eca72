"""Following one job, and waiting for one or many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias, get_args

from finetune_client.errors import JobFailedError, JobStalledError, RequestError, WaitTimeoutError
from finetune_client.models import FineTuningJob, FineTuningJobEvent

if TYPE_CHECKING:
    from finetune_client.waiting.pace import Pace
    from finetune_client.waiting.watcher import Watcher

__all__ = ["OnPaused", "OnStalled", "follow", "wait", "wait_all"]

OnPaused = Literal["wait", "return", "raise"]
"""What waiting does when the job is paused."""

OnStalled: TypeAlias = Callable[[FineTuningJob], object]
"""Is called with a job that has stalled, after which waiting continues."""


def follow(
    watcher: Watcher, pace: Pace, *, on_stalled: OnStalled | None = None
) -> Iterator[FineTuningJobEvent]:
    """Yield each event of a job once, oldest first, until the job has ended.

    Raises:
        JobStalledError: The job has stalled, and there is no ``on_stalled``.
        WaitTimeoutError: The time was over first.
        APIError: Polling failed in a way that will not pass, or for too long.
    """
    last = watcher.after
    try:
        for _, events in _poll([watcher], pace):
            for event in events:
                last = event.id or last
                yield event
            if watcher.take_stall():
                _report_stalled(watcher, [watcher], on_stalled, _follow_call(watcher.id, last))
    except KeyboardInterrupt:
        _interrupted([watcher], _follow_call(watcher.id, last))
    if not watcher.has_last_events:
        raise _timed_out([watcher], _follow_call(watcher.id, last))


def wait(
    watcher: Watcher,
    pace: Pace,
    *,
    on_event: Callable[[FineTuningJobEvent], object] | None = None,
    on_poll: Callable[[FineTuningJob], object] | None = None,
    raise_on_failure: bool = True,
    on_paused: OnPaused = "wait",
    on_stalled: OnStalled | None = None,
) -> FineTuningJob:
    """Return a job when it has ended (or is paused, if that is asked for).

    Raises:
        JobFailedError: It failed or was cancelled, or is paused and ``on_paused`` is "raise".
        JobStalledError: It has stalled, and there is no ``on_stalled``.
        WaitTimeoutError: The time was over first.
        APIError: Polling failed in a way that will not pass, or for too long.
    """
    [job] = wait_all(
        [watcher],
        pace,
        on_event=on_event and (lambda _, event: on_event(event)),
        on_poll=on_poll,
        raise_on_failure=raise_on_failure,
        on_paused=on_paused,
        on_stalled=on_stalled,
    )
    return job


def wait_all(
    watchers: Sequence[Watcher],
    pace: Pace,
    *,
    on_event: Callable[[str, FineTuningJobEvent], object] | None = None,
    on_job: Callable[[FineTuningJob], object] | None = None,
    on_poll: Callable[[FineTuningJob], object] | None = None,
    raise_on_failure: bool = False,
    on_paused: OnPaused = "wait",
    on_stalled: OnStalled | None = None,
) -> list[FineTuningJob]:
    """Return many jobs when all have ended, in the order of ``watchers``.

    Raises:
        RequestError: ``on_paused`` is not one of its values.
        JobFailedError: All have ended, and one failed or was cancelled, or one is paused and
            ``on_paused`` is "raise".
        JobStalledError: One has stalled, and there is no ``on_stalled``.
        WaitTimeoutError: The time was over first; `jobs` holds the last states.
        APIError: Polling failed in a way that will not pass, or for too long.
    """
    if on_paused not in get_args(OnPaused):
        raise RequestError(f"on_paused must be 'wait', 'return' or 'raise', not {on_paused!r}.")
    try:
        for watcher, events in _poll(watchers, pace):
            for event in events:
                if on_event:
                    on_event(watcher.id, event)
            if on_poll and watcher.job:
                on_poll(watcher.job)
            _stop_if_paused(watcher, on_paused)
            if on_job and watcher.done and watcher.job:
                on_job(watcher.job)
            if not watcher.done and watcher.take_stall():
                pending = [one for one in watchers if not one.done]
                _report_stalled(watcher, pending, on_stalled, _wait_call(pending))
    except KeyboardInterrupt:
        _interrupted(watchers, _wait_call([w for w in watchers if not w.done]))
    return _results(watchers, raise_on_failure=raise_on_failure)


def _poll(
    watchers: Iterable[Watcher], pace: Pace
) -> Iterator[tuple[Watcher, list[FineTuningJobEvent]]]:
    """Poll each job in turn, again and again, until all are done or the time is over."""
    pending = list(watchers)
    while pending:
        for watcher in pending:
            yield watcher, watcher.poll()
            if watcher.is_closing and not watcher.done and not watcher.failed:
                yield watcher, watcher.poll()
        pending = [watcher for watcher in pending if not watcher.done]
        if pending and not pace.pause(max(watcher.retry_after for watcher in pending)):
            yield from _poll_last(pending)
            return


def _poll_last(pending: list[Watcher]) -> Iterator[tuple[Watcher, list[FineTuningJobEvent]]]:
    for watcher in pending:
        watcher.stop_lingering()
        if watcher.is_closing and not watcher.failed:
            yield watcher, watcher.poll()


def _stop_if_paused(watcher: Watcher, on_paused: OnPaused) -> None:
    job = watcher.job
    if job is None or not job.is_paused or on_paused == "wait":
        return
    if on_paused == "raise":
        raise JobFailedError(
            f"Job {watcher.id} is paused. It continues after client.jobs.resume({watcher.id!r}).",
            job=job,
        )
    watcher.done = True


def _report_stalled(
    watcher: Watcher, pending: Sequence[Watcher], on_stalled: OnStalled | None, call: str
) -> None:
    job = watcher.job
    if job is None or watcher.stalled_after is None:
        return
    if on_stalled is not None:
        on_stalled(job)
        return
    raise JobStalledError(
        f"Job {watcher.id} ({job.status}) has had no event and no change of status for "
        f"{watcher.stalled_after:g} seconds. Nothing was cancelled. To continue waiting, call "
        f"{call}; to stop the job, call client.jobs.cancel({watcher.id!r}).",
        job=job,
        jobs=[one.job for one in pending if one.job is not None],
    )


def _results(watchers: Sequence[Watcher], *, raise_on_failure: bool) -> list[FineTuningJob]:
    jobs = [w.job for w in watchers if w.job is not None and (w.has_ended or w.done)]
    if len(jobs) < len(watchers):
        pending = [watcher for watcher in watchers if not (watcher.has_ended or watcher.done)]
        raise _timed_out(pending, _wait_call(pending))
    for job in jobs:
        if raise_on_failure and job.is_terminal and not job.is_succeeded:
            raise _failed(job)
    return jobs


def _failed(job: FineTuningJob) -> JobFailedError:
    code = job.error.code if job.error else None
    param = job.error.param if job.error else None
    text = job.error.message if job.error else None
    facts = [f"{name}: {value}" for name, value in (("code", code), ("param", param)) if value]
    message = f"Job {job.id} {'failed' if job.is_failed else f'ended as {job.status}'}"
    message += f": {text}" if text else "."
    message += f" ({', '.join(facts)})" if facts else ""
    return JobFailedError(message, job=job, code=code, param=param)


def _timed_out(pending: Sequence[Watcher], call: str) -> WaitTimeoutError:
    names = ", ".join(f"{w.id} ({_status(w)})" for w in pending)
    return WaitTimeoutError(
        f"The time to wait is over and not everything is done: {names}. Nothing was cancelled. "
        f"To continue waiting, call {call}.",
        job=pending[0].job,
        jobs=[watcher.job for watcher in pending if watcher.job is not None],
    )


def _status(watcher: Watcher) -> str:
    return (watcher.job and watcher.job.status) or "status unknown"


def _wait_call(watchers: Sequence[Watcher]) -> str:
    ids = [watcher.id for watcher in watchers]
    return f"client.jobs.wait({ids[0]!r})" if len(ids) == 1 else f"client.jobs.wait_all({ids!r})"


def _follow_call(id: str, last: str | None) -> str:
    return f"client.jobs.follow({id!r}, after={last!r})" if last else f"client.jobs.follow({id!r})"


def _interrupted(watchers: Sequence[Watcher], call: str) -> NoReturn:
    names = ", ".join(f"{w.id} ({_status(w)})" for w in watchers if not w.done)
    raise KeyboardInterrupt(
        f"Nothing was cancelled, and the server continues: {names}. To continue waiting, call "
        f"{call}; to stop a job, call client.jobs.cancel(id)."
    ) from None
