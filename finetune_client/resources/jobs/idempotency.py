"""Finding the job that a create has made, by the mark that it was given.

No server is known to honour ``Idempotency-Key``, so the key also stands in the job's metadata,
where it can be looked for.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from finetune_client.errors import APIStatusError, FineTuneError, JobMayExistError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from finetune_client.clock import Clock
    from finetune_client.errors import APIError
    from finetune_client.models import FineTuningJob

__all__ = [
    "HEADER",
    "MARK",
    "NEWEST",
    "bearing",
    "checked_key",
    "job_may_exist",
    "like",
    "look_for",
    "mark",
    "mark_in",
    "new_key",
]

HEADER = "Idempotency-Key"
MARK = "idempotency_key"
"""The key of the metadata pair that holds a create's key."""

NEWEST = 1000
"""How many of the newest jobs are looked through."""

LONGEST_KEY = 255
PAUSES = (0.0, 1.0, 4.0)
"""Seconds before each look for a job that may exist: a list may lag behind. This is not a back-off:
how long a list lags does not depend on how often it is asked."""

SLACK = 120.0
"""Seconds that a server's clock may be behind this machine's."""

HOPELESS = frozenset({400, 401, 403, 404, 405, 422, 501})


def new_key() -> str:
    """Make the key of one call."""
    return str(uuid4())


def checked_key(key: object) -> str:
    """Check a key that a caller gave; it goes into a header and into metadata.

    Raises:
        RequestError: It is empty, too long, or not printable ASCII.
    """
    if not isinstance(key, str) or not key.strip():
        raise RequestError("idempotency_key must be text that is not empty.")
    if len(key) > LONGEST_KEY or not (key.isascii() and key.isprintable()) or key != key.strip():
        raise RequestError(
            f"idempotency_key must be at most {LONGEST_KEY} printable ASCII characters without "
            "spaces at the ends."
        )
    return key


def mark(body: Mapping[str, Any], key: str, pairs: int) -> dict[str, Any] | None:
    """Return ``body`` with ``key`` in its metadata; `None` if ``pairs`` leave no room for it.

    A mark that is there already (metadata copied from another job) is replaced.
    """
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict) or (len(metadata) >= pairs and MARK not in metadata):
        return None
    return {**body, "metadata": {**metadata, MARK: key}}


def mark_in(body: Mapping[str, Any]) -> str | None:
    """Return the mark in the metadata of ``body``, whoever put it there."""
    metadata = body.get("metadata")
    return metadata.get(MARK) if isinstance(metadata, dict) else None


def bearing(jobs: Iterable[FineTuningJob], key: str) -> FineTuningJob | None:
    """Return the first of ``jobs`` that bears the mark ``key``, within the newest ones."""
    for job in islice(jobs, NEWEST):
        if (job.metadata or {}).get(MARK) == key:
            return job
    return None


def look_for(
    find: Callable[[], FineTuningJob | None], clock: Clock, deadline: float | None = None
) -> FineTuningJob | None:
    """Look for a job a few times; what a look fails with is taken as not found.

    Args:
        find: Looks once.
        clock: Tells the time.
        deadline: When to stop looking again, on the monotonic clock; the first look is made anyhow.
    """
    for pause in PAUSES:
        if pause and deadline is not None and clock.monotonic() + pause >= deadline:
            return None
        if pause:
            clock.sleep(pause)
        try:
            job = find()
        except APIStatusError as error:
            if error.status_code in HOPELESS:
                return None
        except FineTuneError:  # also one that says that there is no key to be had any more
            continue
        else:
            if job is not None:
                return job
    return None


def like(
    jobs: Iterable[FineTuningJob], body: Mapping[str, Any], key: str, started: float
) -> Iterator[FineTuningJob]:
    """Give those of ``jobs`` that the create of ``body`` may have made."""
    borne = mark_in(body) or key
    for job in jobs:
        other = (job.metadata or {}).get(MARK, borne) != borne
        born = job.created.timestamp() if job.created else started
        if other or born < started - SLACK:
            continue
        same_file = job.training_file in {None, body.get("training_file")}
        if same_file and _same_model(job.model, str(body.get("model"))):
            yield job


def _same_model(made: str | None, asked: str) -> bool:
    """Compare models; servers answer with the dated name of what was asked for."""
    return made is None or made == asked or made.startswith(f"{asked}-")


def job_may_exist(
    error: APIError, key: str, candidates: list[FineTuningJob], *, marked: bool
) -> JobMayExistError:
    """Make the error that says what is known of a create, and what to do."""
    found = ", ".join(f"{job.id} ({job.status})" for job in candidates) or "none seen so far"
    if marked:
        way = (
            f"Before creating again, ask client.jobs.find({key!r}), or pass "
            f"idempotency_key={key!r} to client.jobs.create, which asks first."
        )
    else:
        way = "It bears no mark: look through client.jobs.list() before creating again."
    return JobMayExistError(
        f"The job may exist, and may be billed: {error.message} Jobs like it: {found}. {way}",
        idempotency_key=key,
        candidates=candidates,
        outcome=error.outcome,
        status_code=error.status_code,
        request_id=error.request_id,
    )
