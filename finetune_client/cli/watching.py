"""Watching a job to its end, and telling how it ended."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_client.cli.reporting import printable
from finetune_client.errors import FineTuneError

if TYPE_CHECKING:
    from finetune_client import Client, FineTuningJob
    from finetune_client.cli.reporting import Reporter

__all__ = ["watch"]


def watch(
    client: Client,
    out: Reporter,
    job_id: str,
    *,
    again: str | None,
    after: str | None = None,
    save_to: Path | None = None,
) -> None:
    """Follow a job's events, then show its curve and its model.

    Args:
        client: The client.
        out: Where to tell.
        job_id: The job.
        again: What follows the job again, after ``finetune follow``; `None` for a job of the
            embedded server, which ends with this process.
        after: The id of the last event known.
        save_to: Where to write the metrics.

    Raises:
        JobFailedError: The job failed or was cancelled.
        FineTuneError: It succeeded, but its metrics could not be written to ``save_to``.
    """
    try:
        with out.training():
            for event in client.jobs.follow(job_id, after=after):
                out.event(event)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_interrupted(job_id, again)) from None
    job = client.jobs.wait(job_id)
    _draw(client, out, job)
    if save_to is None and again is None:
        save_to = Path(tempfile.gettempdir()) / f"{job.id}.csv"
    written, problem = _save(client, job, save_to)
    out.ended(job, written or (_metrics_place(job, again) if again else ""))
    if problem:
        raise FineTuneError(problem)


def _interrupted(job_id: str, again: str | None) -> str:
    if again is None:
        return f"Stopped. The embedded server lives in this process: job {job_id} ends with it."
    return f"Stopped watching; job {job_id} continues. Follow it with: finetune follow {again}"


def _draw(client: Client, out: Reporter, job: FineTuningJob) -> None:
    """Show the curve; a job that succeeded does not fail because its metrics cannot be had."""
    try:
        out.curve(client.jobs.metrics(job.id))
    except FineTuneError as error:
        click.echo(f"The metrics cannot be shown: {printable(error.message)}", err=True)


def _save(client: Client, job: FineTuningJob, target: Path | None) -> tuple[str, str]:
    """Write the result file to ``target``, and say where it is, or what was in the way."""
    files = job.result_files or []
    if target is None:
        return "", ""
    if not files:
        return "", f"The job has no result file, so nothing was written to {target}."
    try:
        client.files.download(files[0], target)
    except (FineTuneError, OSError) as error:
        return "", f"The job succeeded, but its metrics could not be written to {target}: {error}"
    return str(target), ""


def _metrics_place(job: FineTuningJob, again: str) -> str:
    place = f"result file {job.result_files[0]}" if job.result_files else "in the events of the job"
    return f"{place}; see them with: finetune metrics {again}"
