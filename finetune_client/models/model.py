"""Models that the server offers, and the answer to deleting anything.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from finetune_client.backports import Self
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_boolean,
    pop_integer,
    pop_required,
    pop_text,
    write_fields,
)
from finetune_client.models.times import moment_at

__all__ = ["Deleted", "Model"]


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Model(APIObject):
    """A model that the server offers.

    Attributes:
        id: Its name.
        object: ``model``.
        created: Seconds since 1970; here the API's own word is `created`, not ``created_at``.
        owned_by: The organization that owns it.
        shutdown_date: The day it ends, ``YYYY-MM-DD``, if that is set; see `shuts_down`.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    id: str
    object: str | None = None
    created: int | None = None
    owned_by: str | None = None
    shutdown_date: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def shuts_down(self) -> datetime | None:
        """When it ends; `None` if no day is set, or it is not readable."""
        return moment_at(self, "shutdown_date")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without an `id`."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_required(cls, rest, "id"),
            object=pop_text(rest, "object"),
            created=pop_integer(rest, "created"),
            owned_by=pop_text(rest, "owned_by"),
            shutdown_date=pop_text(rest, "shutdown_date"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "object": self.object,
                "created": self.created,
                "owned_by": self.owned_by,
                "shutdown_date": self.shutdown_date,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Deleted(APIObject):
    """The answer to deleting a file, a model or a permission.

    Attributes:
        id: What was to be deleted.
        object: What kind of thing it was.
        deleted: Whether it is gone.
        extra: Keys that no field has.
    """

    id: str | None = None
    object: str | None = None
    deleted: bool | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_text(rest, "id"),
            object=pop_text(rest, "object"),
            deleted=pop_boolean(rest, "deleted"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {"id": self.id, "object": self.object, "deleted": self.deleted}, self.extra
        )
