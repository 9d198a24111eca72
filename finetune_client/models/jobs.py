"""A fine-tuning job.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from finetune_client.backports import Self
from finetune_client.models.codec import (
    NOT_A_KEY,
    APIObject,
    copy_fields,
    copy_object,
    pop_boolean,
    pop_integer,
    pop_model,
    pop_models,
    pop_object,
    pop_required,
    pop_text,
    pop_texts,
    to_plain,
    write_fields,
)
from finetune_client.models.hyperparameters import Hyperparameters
from finetune_client.models.integrations import Integration
from finetune_client.models.methods import FineTuningMethod
from finetune_client.models.times import moment_at

__all__ = ["FineTuningJob", "FineTuningJobError", "FineTuningJobStatus"]

IDEMPOTENCY_PAIR: Final = "idempotency_key"
"""The metadata pair in which ``jobs.create`` keeps a job's key, since servers ignore the header."""


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
    RESUMING: Final = "resuming"
    CANCEL_REQUESTED: Final = "cancel_requested"
    COMPRESSING: Final = "compressing"
    UPLOADING: Final = "uploading"


_PREFIX = "job_state_"  # Google's, in lower case: JOB_STATE_SUCCEEDED
_SUCCEEDED = frozenset({FineTuningJobStatus.SUCCEEDED, "success", "completed", "early_stopped"})
_FAILED = frozenset(
    {FineTuningJobStatus.FAILED, "error", "expired", "user_error", "failed_validation"}
)
_FINAL = _SUCCEEDED | _FAILED | {FineTuningJobStatus.CANCELLED, "canceled", "stopped", "deleted"}
"""Statuses that end a job: the API's own, and those that other servers send for the same."""


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FineTuningJobError(APIObject):
    """Why a job failed.

    Attributes:
        code: A short name such as ``invalid_training_file``; an open set.
        message: The reason in words.
        param: The parameter at fault, usually ``training_file`` or ``validation_file``.
        extra: Keys that no field has.
    """

    code: str | None = None
    message: str | None = None
    param: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            code=pop_text(rest, "code"),
            message=pop_text(rest, "message"),
            param=pop_text(rest, "param"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {"code": self.code, "message": self.message, "param": self.param}, self.extra
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FineTuningJob(APIObject):
    """One run of training. Only `id` is sure to be there.

    Attributes:
        id: Such as ``ftjob-abc123``.
        object: ``fine_tuning.job``.
        created_at, finished_at, estimated_finish: Seconds since 1970; see `created` and `finished`.
        error: Why it failed; `None` also where the server sent an empty one.
        fine_tuned_model: The model's name, once there is one.
        hyperparameters: What is used; supervised jobs only.
        integrations: Where the job reports to.
        metadata: The pairs given when it was created, without that of the next field.
        idempotency_key: The key that ``jobs.create`` put into the metadata. A pair with this name
            is always taken for it, whoever sent it; `to_dict` writes it into the metadata again.
        method: How it is trained, with its settings.
        model: What it starts from.
        organization_id: Whose it is.
        result_files: Ids of files with the metrics.
        seed: Makes training repeatable.
        status: As sent, see `FineTuningJobStatus`; `is_terminal`, `is_succeeded`,
            `is_failed` and `is_paused` read it.
        trained_tokens: Tokens that are billed.
        training_file, validation_file: Ids of files.
        user_provided_suffix, usage_metrics, shared_with_openai, eval_id: Sent, not documented.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    id: str
    object: str | None = None
    created_at: int | None = None
    error: FineTuningJobError | None = None
    estimated_finish: int | None = None
    eval_id: str | None = None
    fine_tuned_model: str | None = None
    finished_at: int | None = None
    hyperparameters: Hyperparameters | None = None
    integrations: list[Integration] | None = None
    metadata: dict[str, Any] | None = None
    idempotency_key: str | None = field(default=None, metadata=NOT_A_KEY)
    method: FineTuningMethod | None = None
    model: str | None = None
    organization_id: str | None = None
    result_files: list[str] | None = None
    seed: int | None = None
    shared_with_openai: bool | None = None
    status: str | None = None
    trained_tokens: int | None = None
    training_file: str | None = None
    usage_metrics: dict[str, Any] | None = None
    user_provided_suffix: str | None = None
    validation_file: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    _repr_fields: ClassVar[tuple[str, ...]] = ("id", "status", "model", "fine_tuned_model", "error")

    @property
    def is_succeeded(self) -> bool:
        """Whether it ended with a model."""
        return self.folded_status in _SUCCEEDED

    @property
    def is_failed(self) -> bool:
        """Whether it ended with an error; a cancelled job did not."""
        return self.folded_status in _FAILED

    @property
    def is_terminal(self) -> bool:
        """Whether it ended, in whichever way; one that is not known does not end it."""
        return self.folded_status in _FINAL

    @property
    def is_paused(self) -> bool:
        """Whether it is at rest until it is resumed."""
        return self.folded_status == FineTuningJobStatus.PAUSED

    @property
    def folded_status(self) -> str:
        """The status in lower case, without the prefix ``JOB_STATE_``, to compare it."""
        return (self.status or "").strip().casefold().removeprefix(_PREFIX)

    @property
    def created(self) -> datetime | None:
        """When it was created; `None` if the server sent no readable time."""
        return moment_at(self, "created_at")

    @property
    def finished(self) -> datetime | None:
        """When it ended; `None` if it has not, or the server did not say so readably."""
        return moment_at(self, "finished_at")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form.

        Raises:
            DecodeError: It is not an object, or has no `id`.
        """
        rest = copy_fields(cls, data)
        job = cls.__new__(cls)
        job.id = pop_required(cls, rest, "id")
        job.object = pop_text(rest, "object")
        job.created_at = pop_integer(rest, "created_at")
        job.error = _pop_error(rest)
        job.estimated_finish = pop_integer(rest, "estimated_finish")
        job.eval_id = pop_text(rest, "eval_id")
        job.fine_tuned_model = pop_text(rest, "fine_tuned_model")
        job.finished_at = pop_integer(rest, "finished_at")
        job.hyperparameters = pop_model(rest, "hyperparameters", Hyperparameters.from_dict)
        job.integrations = pop_models(rest, "integrations", Integration.from_dict)
        job.metadata = pop_object(rest, "metadata")
        job.idempotency_key = pop_text(job.metadata, IDEMPOTENCY_PAIR) if job.metadata else None
        job.method = pop_model(rest, "method", FineTuningMethod.from_dict)
        job.model = pop_text(rest, "model")
        job.organization_id = pop_text(rest, "organization_id")
        job.result_files = pop_texts(rest, "result_files")
        job.seed = pop_integer(rest, "seed")
        job.shared_with_openai = pop_boolean(rest, "shared_with_openai")
        job.status = pop_text(rest, "status")
        job.trained_tokens = pop_integer(rest, "trained_tokens")
        job.training_file = pop_text(rest, "training_file")
        job.usage_metrics = pop_object(rest, "usage_metrics")
        job.user_provided_suffix = pop_text(rest, "user_provided_suffix")
        job.validation_file = pop_text(rest, "validation_file")
        job.extra = rest
        return job

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "object": self.object,
                "created_at": self.created_at,
                "error": to_plain(self.error),
                "estimated_finish": self.estimated_finish,
                "eval_id": self.eval_id,
                "fine_tuned_model": self.fine_tuned_model,
                "finished_at": self.finished_at,
                "hyperparameters": to_plain(self.hyperparameters),
                "integrations": to_plain(self.integrations),
                "metadata": self._metadata_with_key(),
                "method": to_plain(self.method),
                "model": self.model,
                "organization_id": self.organization_id,
                "result_files": to_plain(self.result_files),
                "seed": self.seed,
                "shared_with_openai": self.shared_with_openai,
                "status": self.status,
                "trained_tokens": self.trained_tokens,
                "training_file": self.training_file,
                "usage_metrics": copy_object(self.usage_metrics),
                "user_provided_suffix": self.user_provided_suffix,
                "validation_file": self.validation_file,
            },
            self.extra,
        )

    def _metadata_with_key(self) -> dict[str, Any] | None:
        if self.idempotency_key is None:
            return copy_object(self.metadata)
        return {**(self.metadata or {}), IDEMPOTENCY_PAIR: self.idempotency_key}

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from finetune_client.tables import html_facts

        return html_facts("FineTuningJob", self.to_dict())


def _pop_error(rest: dict[str, Any]) -> FineTuningJobError | None:
    """Pop the error; ``{}`` and one of nulls alone are how servers say that there is none."""
    sent = rest.get("error")
    if isinstance(sent, dict) and (not sent or all(one is None for one in sent.values())):
        del rest["error"]
        return None
    return pop_model(rest, "error", FineTuningJobError.from_dict)
