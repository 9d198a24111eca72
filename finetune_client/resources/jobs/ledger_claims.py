"""A create whose key is claimed in the client's ledger."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from finetune_client.errors import FineTuneError, JobMayExistError, NotFoundError
from finetune_client.file_digest import file_digest
from finetune_client.resources.jobs.lost_answers import find_candidates, listed
from finetune_client.transport.exchange.json_body import encode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from finetune_client.ledger import Claim
    from finetune_client.models import FineTuningJob
    from finetune_client.transport import Session

__all__ = ["claim_key", "job_of_claim", "released_unless_sent"]

_LONGEST_WAIT = 600.0
"""Seconds to wait for another process or thread that creates the job of the same key: it may be
uploading a large file."""


@contextmanager
def claim_key(
    session: Session, key: str, body: Mapping[str, Any], paths: Mapping[str, Path]
) -> Iterator[Claim | None]:
    """Claim a create's key for the length of a block; yield None if the client has no ledger.

    Args:
        session: Its configuration names the ledger.
        key: The idempotency key.
        body: The body of the create.
        paths: The files that are still to be uploaded. The request is known by what is in them:
            each upload gives another id.

    Raises:
        RequestError: The key belongs to another request, or the body cannot be written as JSON.
        JobMayExistError: Another process or thread has the key, and was not done in time.
        ConfigurationError: The ledger cannot be used.
        OSError: A file cannot be read.
    """
    config = session.config
    if config.ledger is None:
        yield None
        return
    from finetune_client.ledger import Ledger, request_digest

    sent = json.loads(encode_json(body))
    contents = {name: f"sha256:{file_digest(path)}" for name, path in paths.items()}
    longest = min(_LONGEST_WAIT, config.total_timeout or _LONGEST_WAIT)
    with Ledger(config.ledger, session.clock).begin(
        config.base_url.url, key, request_digest({**sent, **contents}), timeout=longest
    ) as claim:
        yield claim


@contextmanager
def released_unless_sent(claim: Claim | None) -> Iterator[None]:
    """Free a claimed key if the block raises: nothing that could create a job was sent in it."""
    try:
        yield
    except BaseException:
        if claim is not None and claim.is_fresh:
            claim.release()
        raise


def job_of_claim(
    claim: Claim,
    body: Mapping[str, Any],
    *,
    retrieve: Callable[[str], FineTuningJob],
    find: Callable[[], FineTuningJob | None] | None,
    list_newest: Callable[[], Iterable[FineTuningJob]],
) -> FineTuningJob:
    """Return the job that an earlier create with the key has created.

    Args:
        claim: A claim that is not fresh.
        body: The body of the create; without a file that is still to be uploaded.
        retrieve: Fetches a job.
        find: Looks for a job with the key in its metadata; None if the server keeps no metadata.
        list_newest: Lists the newest jobs.

    Raises:
        JobMayExistError: An earlier create was cut short, and its job was not found.
        APIError: The job that is known could not be fetched.
    """
    if claim.job_id is not None:
        try:
            return retrieve(claim.job_id)
        except NotFoundError as error:
            error.message += f" {claim.origin}"
            error.args = (error.message,)
            raise
    with suppress(FineTuneError):
        if find is not None and (job := find()) is not None:
            claim.created(job.id)
            return job
    key, begun = claim.entry.key, claim.entry.begun
    found, are_all = find_candidates(list_newest, body, key, begun.timestamp())
    raise JobMayExistError(
        f"A create with the idempotency key {key!r} that began at {begun:%Y-%m-%d %H:%M:%S} UTC "
        "was cut short, so its job may exist, and may be billed; nothing was sent now. Jobs like "
        f"it: {listed(found, are_all=are_all)}. {claim.advice}",
        idempotency_key=key,
        candidates=found,
    )
