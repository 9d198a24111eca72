"""What the benchmarks' servers answer, and what is read: jobs as the API sends them."""

from __future__ import annotations

from typing import Any

__all__ = ["FINISHED_JOB", "QUEUED_JOB", "page"]

_SETTINGS = {"n_epochs": 4, "batch_size": 1, "learning_rate_multiplier": 1.0}
_AUTO = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}

FINISHED_JOB: dict[str, Any] = {
    "object": "fine_tuning.job",
    "id": "ftjob-abc123",
    "model": "gpt-4o-mini-2024-07-18",
    "created_at": 1721764800,
    "finished_at": 1721768400,
    "fine_tuned_model": "ft:gpt-4o-mini-2024-07-18:my-org:custom_suffix:7q8mpxmy",
    "organization_id": "org-123",
    "result_files": ["file-abc123"],
    "status": "succeeded",
    "validation_file": None,
    "training_file": "file-abc123",
    "hyperparameters": _SETTINGS,
    "trained_tokens": 5768,
    "error": {},
    "user_provided_suffix": None,
    "seed": 950189191,
    "estimated_finish": 0,
    "integrations": [],
    "method": {"type": "supervised", "supervised": {"hyperparameters": _SETTINGS}},
    "metadata": {"key": "value"},
    "usage_metrics": None,
    "shared_with_openai": False,
}

QUEUED_JOB: dict[str, Any] = {
    **FINISHED_JOB,
    "finished_at": None,
    "fine_tuned_model": None,
    "result_files": [],
    "status": "queued",
    "hyperparameters": _AUTO,
    "trained_tokens": None,
    "estimated_finish": None,
    "method": {"type": "supervised", "supervised": {"hyperparameters": _AUTO}},
}
"""The same job before it runs. Its JSON is shorter, so that reading it counts for more."""


def page(row: dict[str, Any]) -> dict[str, Any]:
    """Return a list object of 100 such rows, with their own ids."""
    rows = [{**row, "id": f"{row['id']}{number}"} for number in range(100)]
    return {"object": "list", "data": rows, "has_more": True}
