"""What the commands that create a job from a description share."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client.cli.creating import Steps, create_with_steps
from finetune_client.cli.output import reporter
from finetune_client.cli.reporting import json_line, printable
from finetune_client.errors import RequestError, UnknownFieldWarning
from finetune_client.job_files import FILE_FIELDS, JobFile
from finetune_client.resources.jobs.creating import check_files
from finetune_client.resources.jobs.idempotency_keys import HEADER, with_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from finetune_client import Client, FineTuningJob
    from finetune_client.providers import Provider
    from finetune_client.rerun import Note
    from finetune_client.training_data import Report

__all__ = [
    "create_job",
    "dry_run_option",
    "job_file_option",
    "refuse_problems",
    "show_what_is_sent",
]

_SECRET_KEYS = frozenset({"api_key", "access_token", "password", "secret", "token"})
"""Keys in a request that hold a credential, such as that of Weights and Biases."""

dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Send nothing, and print what would be sent, without any key.",
)


def _read_job_file(
    ctx: click.Context,  # noqa: ARG001  # what click calls it with
    param: click.Parameter,  # noqa: ARG001
    path: Path | None,
) -> JobFile | None:
    return None if path is None else JobFile.read(path)


job_file_option = click.option(
    "--file",
    "-f",
    "job_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_read_job_file,
    metavar="JOB_FILE",
    help="A job described in a .json or .toml file.",
)


def refuse_problems(job: JobFile, provider: Provider) -> None:
    """Refuse a job that cannot be created, and warn of keys that are not known.

    Raises:
        RequestError: It has problems; all of them are named.
    """
    for text in job.unknown_fields(provider):
        click.echo(f"Warning: {printable(text)}", err=True)
    problems = job.problems(provider)
    if problems:
        listed = "".join(f"\n- {problem}" for problem in problems)
        raise RequestError(
            f"The job cannot be created so, and nothing was sent:{listed}", problems=problems
        )


def create_job(
    client: Client,
    job: JobFile,
    *,
    named: str | None,
    as_json: bool,
    ask: Callable[[Report | None], None],
) -> FineTuningJob:
    """Create the job, and report each step if there are files to upload.

    Args:
        client: The client.
        job: The job.
        named: The options that name the server in another command; `None` for the embedded server.
        as_json: Report no step: the job alone is to be printed.
        ask: Asks before the job is created, see `cost_question`.

    Raises:
        RequestError: It cannot be created.
        TrainingDataError: A file is not fit to train on.
    """
    refuse_problems(job, client.provider)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownFieldWarning)  # these were told already
        out = None if as_json or not job.paths else reporter(as_json=False)
        steps = Steps(out, server=named, files=len(job.paths), ask=ask)
        return create_with_steps(client, steps, **job.arguments())


def show_what_is_sent(
    client: Client, job: JobFile, *, as_json: bool, notes: Sequence[Note] | None = None
) -> None:
    """Check the job and its files, and print the requests that would create it.

    Args:
        client: Whose server would create it.
        job: The job.
        as_json: Print it on one line.
        notes: What could not be carried over from another server.

    Raises:
        RequestError: It cannot be created.
        TrainingDataError: A file is not fit to train on.
    """
    provider = client.provider
    refuse_problems(job, provider)
    body = job.request.to_dict()
    check_files(job.paths, body, provider, lambda _: None)
    uploads = [
        {
            "file": str(path),
            "bytes": path.stat().st_size,
            "purpose": "fine-tune",
            "becomes": name,
        }
        for name, path in job.paths.items()
    ]
    for name in FILE_FIELDS:
        if name in job.paths:
            body[name] = f"(the id of {job.paths[name].name} when it is uploaded)"
    key = job.idempotency_key or "(a new one)"
    if provider.marks_jobs:
        body = dict(with_key(body, key, provider.limits.metadata_pairs))
    sent: dict[str, Any] = {
        "uploads": uploads,
        "request": {
            "method": "POST",
            "url": f"{client.base_url}/fine_tuning/jobs",
            "headers": {HEADER: key},
            "body": _without_secrets(body),
        },
    }
    if notes is not None:
        sent["notes"] = [asdict(note) for note in notes]
    click.echo(json_line(sent) if as_json else json.dumps(sent, indent=2, allow_nan=False))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "(not shown)" if key in _SECRET_KEYS and one else _without_secrets(one)
            for key, one in value.items()
        }
    return [_without_secrets(one) for one in value] if isinstance(value, list) else value
