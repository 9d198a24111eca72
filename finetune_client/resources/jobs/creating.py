"""Sending a create: once, and when its outcome is unknown, finding out."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from finetune_client.errors import APIError, DecodeError, FineTuneError
from finetune_client.models import FineTuningJob
from finetune_client.resources.base import read_reply
from finetune_client.resources.jobs.idempotency import (
    HEADER,
    job_may_exist,
    like,
    look_for,
    mark,
    mark_in,
    new_key,
)
from finetune_client.resources.jobs.job_calls import MOST_A_PAGE, PATH
from finetune_client.resources.options import apply, without_body
from finetune_client.transport.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from finetune_client.resources.jobs.jobs import Jobs
    from finetune_client.resources.options import Options
    from finetune_client.transport import Session

__all__ = ["create_job"]

_log = logging.getLogger("finetune_client")


def create_job(
    jobs: Jobs, session: Session, body: Mapping[str, Any], key: str | None, options: Options
) -> FineTuningJob:
    """Create a job, over a fresh connection, with a mark where the provider keeps one.

    Raises:
        JobMayExistError: The job may have been created, and could not be found.
        APIError: It was certainly not created.
    """
    own = new_key() if key is None else key
    request, marked = _request(session, body, own, options)
    try:
        return _send_or_find(jobs, session, request, own, without_body(options), marked=marked)
    except KeyboardInterrupt:
        _interrupted(own, marked=marked)


def _send_or_find(
    jobs: Jobs, session: Session, request: Request, key: str, around: Options, *, marked: bool
) -> FineTuningJob:
    started = session.clock.now()
    try:
        return read_reply(request, session.send(request), _read_created)
    except APIError as error:
        if error.outcome not in {"ambiguous", "bad_answer"}:
            raise
        _log.warning("the outcome of creating a job is unknown; looking for it")
        until = session.deadline()
        if marked and (found := look_for(lambda: jobs.find(key, **around), session.clock, until)):
            return found
        candidates = list(like(_newest(jobs, around), request.json, key, started))
        raise job_may_exist(error, key, candidates, marked=marked) from error


def _request(
    session: Session, body: Mapping[str, Any], key: str, options: Options
) -> tuple[Request, bool]:
    plain = Request(
        method="POST",
        path=PATH,
        json=body,
        headers={HEADER: key},
        idempotent=False,
        fresh_connection=True,
    )
    request = apply(plain, options)
    provider = session.provider
    marked = (
        mark(request.json, key, provider.limits.metadata_pairs) if provider.marks_jobs else None
    )
    if marked is not None:
        request = replace(request, json=marked)
    return request, mark_in(request.json) == key


def _read_created(data: Any) -> FineTuningJob:
    """Read the new job; one whose id is empty could never be asked for again.

    Raises:
        DecodeError: It is no job, or has no id.
    """
    job = FineTuningJob.from_dict(data)
    if not job.id:
        raise DecodeError('Cannot read a FineTuningJob: "id" is empty.', path="id")
    return job


def _newest(jobs: Jobs, options: Options) -> list[FineTuningJob]:
    """Return the newest jobs; none if they cannot be listed."""
    try:
        return jobs.list(limit=MOST_A_PAGE, **options).data
    except FineTuneError:
        return []


def _interrupted(key: str, *, marked: bool) -> NoReturn:
    look = f"client.jobs.find({key!r})" if marked else "client.jobs.list()"
    raise KeyboardInterrupt(
        f"The job may have been created all the same: {look} tells, before it is created again."
    ) from None
