"""What happens to a job.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from finetune_client.backports import Self
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    copy_object,
    pop_integer,
    pop_object,
    pop_text,
    write_fields,
)
from finetune_client.models.times import moment_at

__all__ = ["FineTuningJobEvent", "FineTuningJobEventLevel", "FineTuningJobEventType"]


class FineTuningJobEventLevel:
    """How severe an event is."""

    INFO: Final = "info"
    WARN: Final = "warn"
    ERROR: Final = "error"


class FineTuningJobEventType:
    """What an event reports."""

    MESSAGE: Final = "message"
    METRICS: Final = "metrics"
    MODERATION_CHECKS: Final = "moderation_checks"


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FineTuningJobEvent(APIObject):
    """One thing that happened to a job. Nothing is sure to be there, not even `id`.

    Attributes:
        id: Such as ``ftevent-abc123``.
        object: ``fine_tuning.job.event``.
        created_at: Seconds since 1970; see `created`.
        level: ``info``, ``warn`` or ``error``; an open set, see `FineTuningJobEventLevel`.
        message: What happened, in words.
        type: ``message`` or ``metrics``; an open set, see `FineTuningJobEventType`.
        data: The metrics of a step, in the server's own shape.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    id: str | None = None
    object: str | None = None
    created_at: int | None = None
    level: str | None = None
    message: str | None = None
    type: str | None = None
    data: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    _repr_fields: ClassVar[tuple[str, ...]] = ("created_at", "level", "message")

    @property
    def created(self) -> datetime | None:
        """When it happened; `None` if the server sent no readable time."""
        return moment_at(self, "created_at")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_text(rest, "id"),
            object=pop_text(rest, "object"),
            created_at=pop_integer(rest, "created_at"),
            level=pop_text(rest, "level"),
            message=pop_text(rest, "message"),
            type=pop_text(rest, "type"),
            data=pop_object(rest, "data"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "object": self.object,
                "created_at": self.created_at,
                "level": self.level,
                "message": self.message,
                "type": self.type,
                "data": copy_object(self.data),
            },
            self.extra,
        )
