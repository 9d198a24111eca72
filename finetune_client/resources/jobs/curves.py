"""Where the training curves of a job come from: its result file, its events or its checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from finetune_client.errors import APIStatusError, ConfigurationError, RequestError
from finetune_client.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from finetune_client.models import (
        FineTuningJob,
        FineTuningJobCheckpoint,
        FineTuningJobEvent,
    )

__all__ = ["read_curves"]

_ListCheckpoints: TypeAlias = "Callable[[], Iterable[FineTuningJobCheckpoint]]"


def read_curves(
    job: FineTuningJob,
    *,
    content: Callable[[str], bytes] | None,
    list_events: Callable[[], Iterable[FineTuningJobEvent]],
    list_checkpoints: _ListCheckpoints,
) -> Metrics:
    """Return the curves of a job from its result file, or else its events, or else its checkpoints.

    Args:
        job: The job.
        content: Fetches a result file; None where result files are not metrics.
        list_events: Lists the job's events.
        list_checkpoints: Lists its checkpoints.

    Raises:
        APIStatusError, ConfigurationError: The server has neither events nor checkpoints.
    """
    for file_id in job.result_files or []:
        if content is not None and (metrics := _of_result_file(content, file_id)):
            if job.validation_file is None or metrics.has_whole_validation:
                return metrics
            return metrics.with_others(_of_checkpoints(list_checkpoints) or Metrics())
    refusal: APIStatusError | ConfigurationError | None = None
    try:
        metrics = Metrics.from_events(list_events())
    except (APIStatusError, ConfigurationError) as error:  # a server without events
        if not _is_lacking(error):
            raise
        refusal, metrics = error, Metrics()
    if metrics:
        return metrics
    of_checkpoints = _of_checkpoints(list_checkpoints)
    if of_checkpoints is None and refusal is not None:
        raise refusal
    return of_checkpoints or metrics


def _of_result_file(content: Callable[[str], bytes], file_id: str) -> Metrics | None:
    """Read a result file; return `None` if it is gone, or may not be read with this key."""
    try:
        return Metrics.from_csv(content(file_id))
    except APIStatusError as error:
        if error.status_code in {403, 404, 410}:
            return None
        raise
    except RequestError:  # the server named a file that no request can ask for
        return None


def _of_checkpoints(list_checkpoints: _ListCheckpoints) -> Metrics | None:
    """Read the checkpoints; return `None` if the server has no such list."""
    try:
        return Metrics.from_checkpoints(list_checkpoints())
    except (APIStatusError, ConfigurationError) as error:
        if not _is_lacking(error):
            raise
        return None


def _is_lacking(error: APIStatusError | ConfigurationError) -> bool:
    """Return whether an error of a list may mean that the server has no such list."""
    return isinstance(error, ConfigurationError) or error.status_code in {403, 404, 405, 501}
