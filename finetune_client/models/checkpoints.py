"""Models on the way, and who else may use them.

https://developers.openai.com/api/reference
https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from finetune_client.backports import Self
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_integer,
    pop_model,
    pop_number,
    pop_required,
    pop_text,
    pop_texts,
    to_plain,
    write_fields,
)
from finetune_client.models.times import moment_at

__all__ = ["CheckpointPermission", "FineTuningJobCheckpoint", "FineTuningJobCheckpointMetrics"]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FineTuningJobCheckpointMetrics(APIObject):
    """How good a checkpoint is. Reinforcement jobs send others, which are in `extra`.

    Attributes:
        step: The step that it was measured at.
        train_loss, valid_loss, full_valid_loss: Losses; ``full_valid`` is over the whole file.
        train_mean_token_accuracy, valid_mean_token_accuracy, full_valid_mean_token_accuracy:
            Parts of 1.
        extra: Keys that no field has.
    """

    step: float | None = None
    train_loss: float | None = None
    train_mean_token_accuracy: float | None = None
    valid_loss: float | None = None
    valid_mean_token_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_mean_token_accuracy: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            step=pop_number(rest, "step"),
            train_loss=pop_number(rest, "train_loss"),
            train_mean_token_accuracy=pop_number(rest, "train_mean_token_accuracy"),
            valid_loss=pop_number(rest, "valid_loss"),
            valid_mean_token_accuracy=pop_number(rest, "valid_mean_token_accuracy"),
            full_valid_loss=pop_number(rest, "full_valid_loss"),
            full_valid_mean_token_accuracy=pop_number(rest, "full_valid_mean_token_accuracy"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "step": self.step,
                "train_loss": self.train_loss,
                "train_mean_token_accuracy": self.train_mean_token_accuracy,
                "valid_loss": self.valid_loss,
                "valid_mean_token_accuracy": self.valid_mean_token_accuracy,
                "full_valid_loss": self.full_valid_loss,
                "full_valid_mean_token_accuracy": self.full_valid_mean_token_accuracy,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FineTuningJobCheckpoint(APIObject):
    """A model as it was after some step of training.

    Attributes:
        id: Such as ``ftckpt_abc123``.
        object: ``fine_tuning.job.checkpoint``.
        created_at: Seconds since 1970; see `created`.
        fine_tuned_model_checkpoint: The name to use it by, as a model.
        fine_tuning_job_id: The job that made it.
        metrics: How good it is.
        result_files: Ids of the files of its weights, where the server gives them (Nebius).
        step_number: The step after which it was made.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    id: str
    object: str | None = None
    created_at: int | None = None
    fine_tuned_model_checkpoint: str | None = None
    fine_tuning_job_id: str | None = None
    metrics: FineTuningJobCheckpointMetrics | None = None
    result_files: list[str] | None = None
    step_number: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    _repr_fields: ClassVar[tuple[str, ...]] = ("id", "step_number", "fine_tuned_model_checkpoint")

    @property
    def created(self) -> datetime | None:
        """When it was made; `None` if the server sent no readable time."""
        return moment_at(self, "created_at")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without an `id`."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_required(cls, rest, "id"),
            object=pop_text(rest, "object"),
            created_at=pop_integer(rest, "created_at"),
            fine_tuned_model_checkpoint=pop_text(rest, "fine_tuned_model_checkpoint"),
            fine_tuning_job_id=pop_text(rest, "fine_tuning_job_id"),
            metrics=pop_model(rest, "metrics", FineTuningJobCheckpointMetrics.from_dict),
            result_files=pop_texts(rest, "result_files"),
            step_number=pop_integer(rest, "step_number"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "object": self.object,
                "created_at": self.created_at,
                "fine_tuned_model_checkpoint": self.fine_tuned_model_checkpoint,
                "fine_tuning_job_id": self.fine_tuning_job_id,
                "metrics": to_plain(self.metrics),
                "result_files": to_plain(self.result_files),
                "step_number": self.step_number,
            },
            self.extra,
        )

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from finetune_client.tables import html_facts

        return html_facts("FineTuningJobCheckpoint", self.to_dict())


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class CheckpointPermission(APIObject):
    """Permission for a project to use a checkpoint.

    Attributes:
        id: Such as ``cp_abc123``.
        object: ``checkpoint.permission``.
        created_at: Seconds since 1970; see `created`.
        project_id: The project that may use it.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    id: str
    object: str | None = None
    created_at: int | None = None
    project_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def created(self) -> datetime | None:
        """When it was granted; `None` if the server sent no readable time."""
        return moment_at(self, "created_at")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without an `id`."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_required(cls, rest, "id"),
            object=pop_text(rest, "object"),
            created_at=pop_integer(rest, "created_at"),
            project_id=pop_text(rest, "project_id"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "object": self.object,
                "created_at": self.created_at,
                "project_id": self.project_id,
            },
            self.extra,
        )
