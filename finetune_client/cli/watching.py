"""Watching a job to its end, and showing how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from finetune_client.cli.interrupts import (
    while_training_here,
    while_watching,
    while_watching_several,
)
from finetune_client.cli.local import is_in_process
from finetune_client.cli.reporting import printable
from finetune_client.display import counted
from finetune_client.errors import FineTuneError, JobFailedError
from finetune_client.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from finetune_client import Client, FineTuningJob
    from finetune_client.cli.live_table import JobTable
    from finetune_client.cli.reporting import Reporter

__all__ = ["watch", "watch_several"]


def watch(
    client: Client,
    out: Reporter,
    job_id: str,
    *,
    named: str,
    grading: str = "",
    after: str | None = None,
    save_to: Path | None = None,
) -> FineTuningJob:
    """Follow a job's events, show its curve and its model, and return it.

    Args:
        client: The client.
        out: Where to report.
        job_id: The job.
        named: The arguments that name the job, and its server, to another command.
        grading: Those of ``finetune follow`` that let its server grade.
        after: The id of the last event that is known.
        save_to: Where to write the metrics.

    Raises:
        JobFailedError: The job failed or was cancelled.
        FineTuneError: It succeeded, but its metrics could not be written to ``save_to``.
    """
    try:
        with out.training():
            job = client.jobs.wait(job_id, on_event=out.event, after=after)
    except KeyboardInterrupt:
        stopped = while_training_here if is_in_process(client) else while_watching
        raise KeyboardInterrupt(stopped(job_id, f"{named}{grading}")) from None
    written, problem = _save(client, job, save_to)
    _draw(client, out, job, written)
    out.ended(job, str(written) if written else f"finetune metrics {named}")
    if problem:
        raise FineTuneError(problem)
    return job


def watch_several(client: Client, table: JobTable, job_ids: Sequence[str], *, named: str) -> None:
    """Follow several jobs until all have ended.

    Args:
        client: The client.
        table: Where to report.
        job_ids: The jobs.
        named: The arguments of ``finetune follow`` that follow them again.

    Raises:
        JobFailedError: One or more of them failed or were cancelled.
    """
    try:
        with table:
            for job_id in job_ids:
                table.status(job_id, client.jobs.retrieve(job_id).status or "unknown")
            jobs = client.jobs.wait_all(
                job_ids, on_event=table.event, on_job=lambda job: table.ended(job.id, job)
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(while_watching_several(named)) from None
    failed = [job for job in jobs if not job.is_succeeded]
    if failed:
        names = ", ".join(f"{job.id} ({job.status})" for job in failed)
        raise JobFailedError(
            f"{len(failed)} of {counted(len(jobs), 'job')} did not succeed: {names}.", job=failed[0]
        )


def _save(client: Client, job: FineTuningJob, target: Path | None) -> tuple[Path | None, str]:
    """Write the result file to ``target``; return its path, or else what was in the way."""
    files = job.result_files or []
    if target is None:
        return None, ""
    if not files:
        return None, f"The job has no result file, so nothing was written to {target}."
    try:
        return client.files.download(files[0], target), ""
    except (FineTuneError, OSError) as error:
        return None, f"The job succeeded, but its metrics could not be written to {target}: {error}"


def _draw(client: Client, out: Reporter, job: FineTuningJob, result_file: Path | None) -> None:
    """Show the curve, from the result file if it is here already and has all of it.

    A job that succeeded does not fail because its metrics cannot be had.
    """
    try:
        metrics = Metrics.from_csv(result_file.read_bytes()) if result_file else Metrics()
        # Losses over the whole validation file, by which the best step is told, may be with the
        # checkpoints alone.
        if not metrics or (job.validation_file and not metrics.has_whole_validation):
            metrics = client.jobs.metrics(job)
        out.curve(metrics)
    except (FineTuneError, OSError) as error:
        click.echo(f"The metrics cannot be shown: {printable(str(error))}", err=True)
