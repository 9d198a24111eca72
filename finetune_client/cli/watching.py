"""Watching a job to its end, and telling how it ended."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune_client import Client, FineTuningJob
    from finetune_client.cli.reporting import Reporter

__all__ = ["watch"]


def watch(
    client: Client,
    out: Reporter,
    job_id: str,
    *,
    local: bool,
    after: str | None = None,
    save_to: Path | None = None,
) -> None:
    """Follow a job's events, then show its curve and its model.

    Raises:
        JobFailedError: The job failed or was cancelled.
    """
    try:
        with out.training():
            for event in client.jobs.follow(job_id, after=after):
                out.event(event)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_interrupted(job_id, local=local)) from None
    job = client.jobs.wait(job_id)
    out.curve(client.jobs.metrics(job_id))
    out.ended(job, _metrics_place(client, job, local=local, save_to=save_to))


def _interrupted(job_id: str, *, local: bool) -> str:
    if local:
        return f"Stopped. The embedded server lives in this process: job {job_id} ends with it."
    return f"Stopped watching; job {job_id} goes on. Follow it with: finetune follow {job_id}"


def _metrics_place(client: Client, job: FineTuningJob, *, local: bool, save_to: Path | None) -> str:
    files = job.result_files or []
    if not files:
        return f"in the events of the job; see them with: finetune metrics {job.id}"
    if not save_to and not local:
        return f"result file {files[0]}; see them with: finetune metrics {job.id}"
    target = save_to or Path(tempfile.gettempdir()) / f"{job.id}.csv"
    client.files.download(files[0], target)
    return str(target)
