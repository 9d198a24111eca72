"""Creating a job: what is checked, and how it is sent once and found again."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from finetune_client import resources
from finetune_client.errors import (
    APIError,
    ConfigurationError,
    RequestError,
    TrainingDataError,
)
from finetune_client.models import FileObject, FineTuningJob, FineTuningJobRequest
from finetune_client.models.job_request import needed_features, request_problems
from finetune_client.models.unknown_keys import warn_unknown_fields
from finetune_client.resources.base import read_response
from finetune_client.resources.jobs.idempotency_keys import HEADER, key_in, with_key
from finetune_client.resources.jobs.lost_answers import (
    check_id,
    find_candidates,
    find_repeatedly,
    job_may_exist,
)
from finetune_client.resources.options import with_options
from finetune_client.resources.shutdowns import warn_of_shutdowns

if TYPE_CHECKING:
    from finetune_client.ledger import Claim
    from finetune_client.providers import Provider
    from finetune_client.resources.options import RequestOptions
    from finetune_client.transport import Session
    from finetune_client.transport.request import Request

__all__ = [
    "CreateStep",
    "FileArgument",
    "OnStep",
    "check_files",
    "check_request",
    "create_job",
    "paths_in",
]

FileArgument = str | os.PathLike[str]
"""A file id, or a path (not text) of a file to check and upload."""

_FILE_ID = re.compile(r"file-[A-Za-z0-9_-]+")

_log = logging.getLogger("finetune_client")


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateStep:
    """A step of `Jobs.create`, as its ``on_step`` gets it.

    Attributes:
        kind: ``"checked"`` for each file, ``"uploading"`` again and again while a file is sent,
            ``"uploaded"``, ``"creating"`` right before the job is created, then ``"created"``;
            or ``"found"`` if a job with the idempotency key exists.
        path: The file that was checked, or is or was uploaded.
        report: What the check found.
        sent: Bytes of the file sent so far.
        total: Bytes of the file.
        file: The uploaded file.
        job: The job that was found or created.
    """

    kind: Literal["checked", "uploading", "uploaded", "found", "creating", "created"]
    path: Path | None = None
    report: resources.Report | None = None
    sent: int = 0
    total: int = 0
    file: FileObject | None = None
    job: FineTuningJob | None = None


OnStep = Callable[[CreateStep], object]


def paths_in(files: Mapping[str, FileArgument | None]) -> dict[str, Path]:
    """Return the arguments that are paths."""
    return {name: Path(value) for name, value in files.items() if isinstance(value, os.PathLike)}


def check_request(
    request: FineTuningJobRequest,
    body: Mapping[str, Any],
    paths: Mapping[str, Path],
    session: Session,
) -> None:
    """Check all that can be known before anything is sent.

    Args:
        request: The request, without the files that are still to be uploaded.
        body: Its JSON form.
        paths: The files that are still to be uploaded.
        session: Its provider decides what is allowed.

    Raises:
        RequestError: Something is wrong with the values; `problems` lists all of it.
        ConfigurationError: The provider lacks a feature that is asked for.
    """
    complete = {**body, **dict.fromkeys(paths, "the id of a file that is to be uploaded")}
    problems = [*request_problems(complete, session.provider.limits), *_file_names(body)]
    if problems:
        listed = "".join(f"\n- {problem}" for problem in problems)
        raise RequestError(
            f"The job cannot be created so, and nothing was sent:{listed}", problems=problems
        )
    warn_unknown_fields(request, provider=session.provider)
    warn_of_shutdowns(session.provider, body.get("model"), session.clock.now())
    for feature, what in needed_features(body):
        session.require(feature, what)


def _file_names(body: Mapping[str, Any]) -> list[str]:
    """Return the problems of file ids that are names of files on this machine."""
    return [
        f"{name}: {value!r} is the name of a file here, not the id of one; pass "
        f"pathlib.Path({value!r}) to have it checked and uploaded"
        for name in ("training_file", "validation_file")
        if isinstance(value := body.get(name), str) and _is_file(value)
    ]


def _is_file(value: str) -> bool:
    if _FILE_ID.fullmatch(value) or "\0" in value:
        return False
    with suppress(OSError):  # longer than a name can be
        return Path(value).is_file()
    return False


def check_files(
    paths: Mapping[str, Path], body: Mapping[str, Any], provider: Provider, on_step: OnStep
) -> None:
    """Check training files as the service would.

    Raises:
        TrainingDataError: One is not fit to train on; `report` holds all that was found.
        OSError: One cannot be read.
    """
    from finetune_client import training_data  # many modules, for those who pass a path

    reports: list[tuple[Path, resources.Report]] = []
    for argument, path in paths.items():
        is_training_file = argument == "training_file"
        report = training_data.check(
            path,
            method=body.get("method") or "supervised",
            provider=provider,
            model=body.get("model"),
            validation=paths.get("validation_file") if is_training_file else None,
            least_examples=None if is_training_file else 1,
        )
        reports.append((path, report))
        on_step(CreateStep(kind="checked", path=path, report=report))
    for path, report in reports:
        if not report.ok:
            first = next(problem for problem in report.problems if problem.severity == "error")
            raise TrainingDataError(
                f"{path.name} is not fit to train on, and nothing was sent. The first problem: "
                f"{first} See error.problems, or finetune check, for all of them.",
                report=report,
                problems=report.problems,
            )


def create_job(
    session: Session,
    request: Request,
    key: str,
    options: RequestOptions,
    *,
    claim: Claim | None,
    find: Callable[[], FineTuningJob | None],
    list_newest: Callable[[], Iterable[FineTuningJob]],
) -> FineTuningJob:
    """Send a create once; when its outcome is unknown, find out.

    Args:
        session: What it is sent with.
        request: The create.
        key: Its key, which goes into a header, and into the metadata where the provider keeps it.
        options: The options of the request.
        claim: The claim on the key, if there is a ledger. It is released if the job was certainly
            not created; who calls this records the job.
        find: Looks for a job with the key in its metadata.
        list_newest: Lists the newest jobs.

    Raises:
        JobMayExistError: The job may have been created, and could not be found.
        APIError: It was certainly not created.
    """
    sent = with_options(replace(request, headers={HEADER: key}), options)
    if session.provider.marks_jobs:
        pairs = session.provider.limits.metadata_pairs
        sent = replace(sent, json=with_key(sent.json, key, pairs))
    has_key = key_in(sent.json) == key
    started = session.clock.now()
    try:
        try:
            return read_response(sent, session.send(sent), _read_created)
        except (APIError, ConfigurationError, RequestError) as error:
            if not isinstance(error, APIError) or error.outcome in {"refused", "not_sent"}:
                if claim is not None:
                    claim.release()
                raise
            _log.warning("the outcome of creating a job is unknown; looking for it")
            job = find_repeatedly(find, session.clock, session.deadline()) if has_key else None
            if job is not None:
                return job
            found, are_all = find_candidates(list_newest, sent.json, key, started)
            advice = claim.advice if claim is not None else None
            raise job_may_exist(
                error, key, found, are_all=are_all, has_key=has_key, ledger_advice=advice
            ) from error
    except KeyboardInterrupt:
        if claim is not None:
            message = f"The job may have been created all the same. {claim.advice}"
        else:
            lookup = f"client.jobs.find({key!r})" if has_key else "client.jobs.list()"
            message = (
                f"The job may have been created all the same: check with {lookup} before you "
                "create it again."
            )
        raise KeyboardInterrupt(message) from None


def _read_created(data: Any) -> FineTuningJob:
    """Read the new job, which must be one that can be asked for again.

    Raises:
        DecodeError: It is not a job, or no request can ask for its id.
    """
    job = FineTuningJob.from_dict(data)
    check_id(job)
    return job
