"""What happens to a job.

https://platform.openai.com/docs/api-reference/fine-tuning/event-object
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from finetune_client.models.base import APIObject
from finetune_client.models.codec import copied, integer, mapping, text
from finetune_client.models.times import moment_at
from finetune_client.models.write import copy_of, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from typing_extensions import Self

__all__ = ["FineTuningJobEvent"]


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

    _shown: ClassVar[tuple[str, ...]] = ("created_at", "level", "message")

    @property
    def created(self) -> datetime | None:
        """When it happened; `None` if the server did not say so readably."""
        return moment_at(self, "created_at")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        left = copied(cls, data)
        return cls(
            id=text(left, "id"),
            object=text(left, "object"),
            created_at=integer(left, "created_at"),
            level=text(left, "level"),
            message=text(left, "message"),
            type=text(left, "type"),
            data=mapping(left, "data"),
            extra=left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; fields that are `None` are left out."""
        return written(
            {
                "id": self.id,
                "object": self.object,
                "created_at": self.created_at,
                "level": self.level,
                "message": self.message,
                "type": self.type,
                "data": copy_of(self.data),
            },
            self.extra,
        )
