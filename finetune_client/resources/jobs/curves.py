"""Where the training curves of a job come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.errors import APIStatusError
from finetune_client.metrics import Metrics
from finetune_client.resources.jobs.job_calls import MOST_A_PAGE

if TYPE_CHECKING:
    from finetune_client.resources.files.files import Files
    from finetune_client.resources.jobs.jobs import Jobs
    from finetune_client.resources.options import Options

__all__ = ["metrics_of"]


def metrics_of(jobs: Jobs, files: Files, job_id: str, options: Options) -> Metrics:
    """Read a job's result files, one download each; without usable ones, all its events."""
    job = jobs.retrieve(job_id, **options)
    for file_id in job.result_files or []:
        metrics = _result(files, file_id, options)
        if metrics:
            return metrics
    return Metrics.from_events(jobs.list_events(job_id, limit=MOST_A_PAGE, **options))


def _result(files: Files, file_id: str, options: Options) -> Metrics | None:
    """Read a result file; `None` if it is gone, or is not the key's to read."""
    try:
        return Metrics.from_csv(files.content(file_id, **options))
    except APIStatusError as error:
        if error.status_code in {403, 404, 410}:
            return None
        raise
