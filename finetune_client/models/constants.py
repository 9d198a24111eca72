"""Known values of the API's open sets: plain text, so that unknown ones are kept as sent.

Each constant equals its text: ``job.status == FineTuningJobStatus.SUCCEEDED``.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "FilePurpose",
    "FileStatus",
    "FineTuningJobEventLevel",
    "FineTuningJobEventType",
    "FineTuningJobStatus",
    "GraderType",
    "MethodType",
    "UploadStatus",
]


class FineTuningJobStatus:
    """The states of a job; servers may send others. `PAUSED` is at rest but not ended."""

    VALIDATING_FILES: Final = "validating_files"
    QUEUED: Final = "queued"
    RUNNING: Final = "running"
    PAUSING: Final = "pausing"
    PAUSED: Final = "paused"
    SUCCEEDED: Final = "succeeded"
    FAILED: Final = "failed"
    CANCELLED: Final = "cancelled"
    CREATED: Final = "created"  # Azure
    PENDING: Final = "pending"  # Azure


class FineTuningJobEventLevel:
    """How grave an event is."""

    INFO: Final = "info"
    WARN: Final = "warn"
    ERROR: Final = "error"


class FineTuningJobEventType:
    """What an event tells."""

    MESSAGE: Final = "message"
    METRICS: Final = "metrics"
    MODERATION_CHECKS: Final = "moderation_checks"


class MethodType:
    """The ways to fine-tune."""

    SUPERVISED: Final = "supervised"
    DPO: Final = "dpo"
    REINFORCEMENT: Final = "reinforcement"


class GraderType:
    """The kinds of graders."""

    STRING_CHECK: Final = "string_check"
    TEXT_SIMILARITY: Final = "text_similarity"
    PYTHON: Final = "python"
    SCORE_MODEL: Final = "score_model"
    LABEL_MODEL: Final = "label_model"
    MULTI: Final = "multi"


class FilePurpose:
    """What a file is for."""

    ASSISTANTS: Final = "assistants"
    ASSISTANTS_OUTPUT: Final = "assistants_output"
    BATCH: Final = "batch"
    BATCH_OUTPUT: Final = "batch_output"
    EVALS: Final = "evals"
    FINE_TUNE: Final = "fine-tune"
    FINE_TUNE_RESULTS: Final = "fine-tune-results"
    USER_DATA: Final = "user_data"
    VISION: Final = "vision"


class FileStatus:
    """The states of a file; the API calls the field deprecated and often leaves it out."""

    UPLOADED: Final = "uploaded"
    PROCESSED: Final = "processed"
    ERROR: Final = "error"
    PENDING: Final = "pending"  # Azure
    RUNNING: Final = "running"  # Azure
    DELETING: Final = "deleting"  # Azure
    DELETED: Final = "deleted"  # Azure


class UploadStatus:
    """The states of an upload."""

    PENDING: Final = "pending"
    COMPLETED: Final = "completed"
    CANCELLED: Final = "cancelled"
    EXPIRED: Final = "expired"
