"""A fine-tuning job.

https://platform.openai.com/docs/api-reference/fine-tuning/object
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from finetune_client.models.base import APIObject
from finetune_client.models.codec import (
    boolean,
    copied,
    integer,
    mapping,
    nested,
    nested_list,
    required,
    text,
    text_list,
)
from finetune_client.models.hyperparameters import Hyperparameters
from finetune_client.models.integrations import Integration
from finetune_client.models.methods import FineTuningMethod
from finetune_client.models.times import moment_at
from finetune_client.models.write import copy_of, plain, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from typing_extensions import Self

__all__ = ["FineTuningJob", "FineTuningJobError"]

SUCCESS = frozenset({"succeeded", "success", "completed"})
FAILURE = frozenset({"failed", "error", "user_error", "failed_validation"})
ENDED = SUCCESS | FAILURE | {"cancelled", "canceled", "stopped", "deleted"}


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
        left = copied(cls, data)
        return cls(
            code=text(left, "code"),
            message=text(left, "message"),
            param=text(left, "param"),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
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
        metadata: The pairs given when it was created.
        method: How it is trained, with its settings.
        model: What it starts from.
        organization_id: Whose it is.
        result_files: Ids of files with the metrics.
        seed: Makes training repeatable.
        status: As sent, see `FineTuningJobStatus`; `is_terminal` and its kin read it.
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

    _shown: ClassVar[tuple[str, ...]] = ("id", "status", "model", "fine_tuned_model", "error")

    @property
    def is_succeeded(self) -> bool:
        """Whether it ended with a model."""
        return self._ending in SUCCESS

    @property
    def is_failed(self) -> bool:
        """Whether it ended with an error; a cancelled job did not."""
        return self._ending in FAILURE

    @property
    def is_terminal(self) -> bool:
        """Whether it ended, in whichever way; a status that is not known is no end."""
        return self._ending in ENDED

    @property
    def _ending(self) -> str:
        return (self.status or "").strip().casefold()

    @property
    def created(self) -> datetime | None:
        """When it was created; `None` if the server did not say so readably."""
        return moment_at(self, "created_at")

    @property
    def finished(self) -> datetime | None:
        """When it ended; `None` if it has not, or the server did not say so readably."""
        return moment_at(self, "finished_at")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form.

        Raises:
            DecodeError: It is no object, or has no `id`.
        """
        left = copied(cls, data)
        return cls(
            id=required(cls, left, "id"),
            object=text(left, "object"),
            created_at=integer(left, "created_at"),
            error=_error(left),
            estimated_finish=integer(left, "estimated_finish"),
            eval_id=text(left, "eval_id"),
            fine_tuned_model=text(left, "fine_tuned_model"),
            finished_at=integer(left, "finished_at"),
            hyperparameters=nested(left, "hyperparameters", Hyperparameters.from_dict),
            integrations=nested_list(left, "integrations", Integration.from_dict),
            metadata=mapping(left, "metadata"),
            method=nested(left, "method", FineTuningMethod.from_dict),
            model=text(left, "model"),
            organization_id=text(left, "organization_id"),
            result_files=text_list(left, "result_files"),
            seed=integer(left, "seed"),
            shared_with_openai=boolean(left, "shared_with_openai"),
            status=text(left, "status"),
            trained_tokens=integer(left, "trained_tokens"),
            training_file=text(left, "training_file"),
            usage_metrics=mapping(left, "usage_metrics"),
            user_provided_suffix=text(left, "user_provided_suffix"),
            validation_file=text(left, "validation_file"),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {
                "id": self.id,
                "object": self.object,
                "created_at": self.created_at,
                "error": plain(self.error),
                "estimated_finish": self.estimated_finish,
                "eval_id": self.eval_id,
                "fine_tuned_model": self.fine_tuned_model,
                "finished_at": self.finished_at,
                "hyperparameters": plain(self.hyperparameters),
                "integrations": plain(self.integrations),
                "metadata": copy_of(self.metadata),
                "method": plain(self.method),
                "model": self.model,
                "organization_id": self.organization_id,
                "result_files": plain(self.result_files),
                "seed": self.seed,
                "shared_with_openai": self.shared_with_openai,
                "status": self.status,
                "trained_tokens": self.trained_tokens,
                "training_file": self.training_file,
                "usage_metrics": copy_of(self.usage_metrics),
                "user_provided_suffix": self.user_provided_suffix,
                "validation_file": self.validation_file,
            },
            self.extra,
        )


def _error(left: dict[str, Any]) -> FineTuningJobError | None:
    """Read the error; ``{}`` and one of nulls alone are how servers say that there is none."""
    sent = left.get("error")
    if isinstance(sent, dict) and all(value is None for value in sent.values()):
        del left["error"]
        return None
    return nested(left, "error", FineTuningJobError.from_dict)
