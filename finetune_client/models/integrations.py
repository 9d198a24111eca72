"""Where a job reports to.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune_client.backports import Self
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_model,
    pop_required,
    pop_text,
    pop_texts,
    to_plain,
    write_fields,
)

__all__ = ["Integration", "WandbIntegration"]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class WandbIntegration(APIObject):
    """A run of Weights and Biases.

    Attributes:
        project: The project that the run is made in; must be given.
        name: The run's name; the job's id if not given.
        entity: The team or user that the run belongs to.
        tags: Texts to find the run by.
        run_id: The run's id, in answers only.
        extra: Keys that no field has.
    """

    project: str | None = None
    name: str | None = None
    entity: str | None = None
    tags: list[str] | None = None
    run_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            project=pop_text(rest, "project"),
            name=pop_text(rest, "name"),
            entity=pop_text(rest, "entity"),
            tags=pop_texts(rest, "tags"),
            run_id=pop_text(rest, "run_id"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "project": self.project,
                "name": self.name,
                "entity": self.entity,
                "tags": to_plain(self.tags),
                "run_id": self.run_id,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Integration(APIObject):
    """One place that a job reports to, under the key that `type` names.

    Attributes:
        type: ``wandb``; other servers may know others.
        wandb: Its settings.
        extra: Keys that no field has.
    """

    type: str = "wandb"
    wandb: WandbIntegration | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: WandbIntegration) -> Self:
        """Return the integration that `settings` belong to."""
        return cls(type="wandb", wandb=settings)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form.

        Raises:
            DecodeError: It is not an object, or has no `type`.
        """
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"),
            wandb=pop_model(rest, "wandb", WandbIntegration.from_dict),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields({"type": self.type, "wandb": to_plain(self.wandb)}, self.extra)
