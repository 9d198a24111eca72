"""Finding the job of a create whose answer was lost, and what is said where it cannot be found."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from finetune_client.errors import (
    APIResponseError,
    APIStatusError,
    DecodeError,
    FineTuneError,
    JobMayExistError,
    RequestError,
)
from finetune_client.resources.jobs.idempotency_keys import key_in
from finetune_client.transport import path_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from finetune_client.clock import Clock
    from finetune_client.errors import APIError
    from finetune_client.models import FineTuningJob

__all__ = [
    "candidates",
    "check_id",
    "find_candidates",
    "find_repeatedly",
    "first_with_key",
    "job_may_exist",
    "listed",
]

_MAX_JOBS_SEARCHED = 1000
"""So many of the newest jobs are looked through for a job that may exist."""

_LOOKUP_PAUSES = (0.0, 1.0, 4.0)
"""Seconds before each lookup of a job that may exist: a list may lag behind. This is not a back-off:
how long a list lags does not depend on how often it is asked."""

_CLOCK_SKEW = 120.0
"""Seconds that a server's clock may be behind this machine's."""

_FINAL_STATUSES = frozenset({400, 401, 403, 404, 405, 422, 501})
"""Statuses of a lookup after which the next one would fail in the same way."""


def check_id(job: FineTuningJob) -> None:
    """Check that a job that the server names can be asked for.

    Raises:
        DecodeError: No path can have its id in it.
    """
    try:
        path_segment(job.id, "id")
    except RequestError as error:
        raise DecodeError(error.message, path="id") from None


def first_with_key(jobs: Iterable[FineTuningJob], key: str) -> FineTuningJob | None:
    """Return the first job with a key in its metadata, among the newest ones.

    Raises:
        APIResponseError: There is one, and no request can ask for its id.
    """
    for job in islice(jobs, _MAX_JOBS_SEARCHED):
        if job.idempotency_key == key:
            try:
                check_id(job)
            except DecodeError as error:
                raise APIResponseError(
                    f"The server lists a job with the idempotency key {key!r} that no request can "
                    f"ask for: {error.message}",
                    outcome="bad_answer",
                    method="GET",
                ) from None
            return job
    return None


def find_repeatedly(
    find: Callable[[], FineTuningJob | None], clock: Clock, deadline: float | None = None
) -> FineTuningJob | None:
    """Return what one of a few lookups finds; a lookup that fails counts as not found.

    Args:
        find: Looks the job up once.
        clock: Tells the time.
        deadline: When to stop, on the monotonic clock; the first lookup is made in any case.
    """
    for pause in _LOOKUP_PAUSES:
        if pause and deadline is not None and clock.monotonic() + pause >= deadline:
            return None
        if pause:
            clock.sleep(pause)
        try:
            job = find()
        except APIStatusError as error:
            if error.status_code in _FINAL_STATUSES:
                return None
        except FineTuneError:  # a callable for the key that fails is one, too
            continue
        else:
            if job is not None:
                return job
    return None


def find_candidates(
    list_newest: Callable[[], Iterable[FineTuningJob]],
    body: Mapping[str, Any],
    key: str,
    started: float,
) -> tuple[list[FineTuningJob], bool]:
    """Return the `candidates` among the newest jobs, and whether all of those could be listed."""
    found: list[FineTuningJob] = []
    try:
        for job in candidates(islice(list_newest(), _MAX_JOBS_SEARCHED), body, key, started):
            found.append(job)  # noqa: PERF402  # what came before an error is kept
    except FineTuneError:
        return found, False
    return found, True


def candidates(
    jobs: Iterable[FineTuningJob], body: Mapping[str, Any], key: str, started: float
) -> Iterator[FineTuningJob]:
    """Yield the jobs that the create of ``body`` may have made.

    A body whose training file was still to be uploaded may have made a job of any file.
    """
    own_key = key_in(body) or key
    training_file = body.get("training_file")
    for job in jobs:
        has_other_key = job.idempotency_key not in {None, own_key}
        created = job.created.timestamp() if job.created else started
        if has_other_key or created < started - _CLOCK_SKEW:
            continue
        same_file = training_file is None or job.training_file in {None, training_file}
        if same_file and _is_same_model(job.model, str(body.get("model"))):
            yield job


def _is_same_model(answered: str | None, requested: str) -> bool:
    """Compare models; servers answer with the dated name of what was requested."""
    return answered is None or answered == requested or answered.startswith(f"{requested}-")


def listed(jobs: Iterable[FineTuningJob], *, are_all: bool) -> str:
    """Write down the jobs that may be the one looked for; others may be there if not `are_all`."""
    text = ", ".join(f"{job.id} ({job.status})" for job in jobs)
    if are_all:
        return text or "none seen so far"
    return f"{text}, and perhaps more" if text else "unknown, as they could not be listed"


def job_may_exist(
    error: APIError,
    key: str,
    found: list[FineTuningJob],
    *,
    are_all: bool,
    has_key: bool,
    ledger_advice: str | None = None,
) -> JobMayExistError:
    """Return the error that says what is known of a create, and what to do.

    Args:
        error: What the create ended with.
        key: Its key.
        found: Its `candidates`.
        are_all: Whether all of them could be listed.
        has_key: Whether the job has the key in its metadata.
        ledger_advice: How the key's entry is settled, if there is a ledger.
    """
    if ledger_advice is not None:
        advice = ledger_advice
    elif has_key:
        advice = (
            f"Before creating again, ask client.jobs.find({key!r}), or pass "
            f"idempotency_key={key!r} to client.jobs.create, which asks first."
        )
    else:
        advice = "It does not carry the key: look through client.jobs.list() before creating again."
    return JobMayExistError(
        f"The job may exist, and may be billed: {error.message} Jobs like it: {listed(found, are_all=are_all)}. "
        f"{advice}",
        idempotency_key=key,
        candidates=found,
        outcome=error.outcome,
        status_code=error.status_code,
        request_id=error.request_id,
    )
