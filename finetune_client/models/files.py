"""Files and uploads in parts.

https://developers.openai.com/api/reference
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
    pop_integer,
    pop_model,
    pop_required,
    pop_text,
    to_plain,
    write_fields,
)
from finetune_client.models.times import moment_at

__all__ = ["FileObject", "FilePurpose", "FileStatus", "Upload", "UploadPart", "UploadStatus"]


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


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FileObject(APIObject):
    """A file on the server.

    Attributes:
        id: Such as ``file-abc123``.
        object: ``file``.
        bytes: Its size.
        created_at, expires_at: Seconds since 1970; see `created` and `expires`.
        filename: The name it was given.
        purpose: What it is for; an open set, see `FilePurpose`.
        status: Whether it can be used; deprecated and often missing, see `FileStatus`.
        status_details: Why a training file is not valid; deprecated.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    id: str
    object: str | None = None
    bytes: int | None = None
    created_at: int | None = None
    expires_at: int | None = None
    filename: str | None = None
    purpose: str | None = None
    status: str | None = None
    status_details: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    _repr_fields: ClassVar[tuple[str, ...]] = ("id", "filename", "bytes", "purpose", "status")

    @property
    def created(self) -> datetime | None:
        """When it was made; `None` if the server sent no readable time."""
        return moment_at(self, "created_at")

    @property
    def expires(self) -> datetime | None:
        """When it will be deleted; `None` for never, or if the server sent no readable time."""
        return moment_at(self, "expires_at")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without an `id`."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_required(cls, rest, "id"),
            object=pop_text(rest, "object"),
            bytes=pop_integer(rest, "bytes"),
            created_at=pop_integer(rest, "created_at"),
            expires_at=pop_integer(rest, "expires_at"),
            filename=pop_text(rest, "filename"),
            purpose=pop_text(rest, "purpose"),
            status=pop_text(rest, "status"),
            status_details=pop_text(rest, "status_details"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "object": self.object,
                "bytes": self.bytes,
                "created_at": self.created_at,
                "expires_at": self.expires_at,
                "filename": self.filename,
                "purpose": self.purpose,
                "status": self.status,
                "status_details": self.status_details,
            },
            self.extra,
        )

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from finetune_client.tables import html_facts

        return html_facts("FileObject", self.to_dict())


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class Upload(APIObject):
    """A large file on its way, part by part.

    Attributes:
        id: Such as ``upload_abc123``.
        object: ``upload``.
        bytes: The size it was announced with.
        created_at, expires_at: Seconds since 1970; see `created` and `expires`.
        file: The file, once the upload is completed.
        filename: The name it will have.
        purpose: What it is for; an open set, see `FilePurpose`.
        status: How far it is, see `UploadStatus`.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    id: str
    object: str | None = None
    bytes: int | None = None
    created_at: int | None = None
    expires_at: int | None = None
    file: FileObject | None = None
    filename: str | None = None
    purpose: str | None = None
    status: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    _repr_fields: ClassVar[tuple[str, ...]] = ("id", "filename", "bytes", "status", "file")

    @property
    def created(self) -> datetime | None:
        """When it was announced; `None` if the server sent no readable time."""
        return moment_at(self, "created_at")

    @property
    def expires(self) -> datetime | None:
        """When it must be completed; `None` if the server sent no readable time."""
        return moment_at(self, "expires_at")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without an `id`."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_required(cls, rest, "id"),
            object=pop_text(rest, "object"),
            bytes=pop_integer(rest, "bytes"),
            created_at=pop_integer(rest, "created_at"),
            expires_at=pop_integer(rest, "expires_at"),
            file=pop_model(rest, "file", FileObject.from_dict),
            filename=pop_text(rest, "filename"),
            purpose=pop_text(rest, "purpose"),
            status=pop_text(rest, "status"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "object": self.object,
                "bytes": self.bytes,
                "created_at": self.created_at,
                "expires_at": self.expires_at,
                "file": to_plain(self.file),
                "filename": self.filename,
                "purpose": self.purpose,
                "status": self.status,
            },
            self.extra,
        )


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class UploadPart(APIObject):
    """One part of an upload.

    Attributes:
        id: Such as ``part_abc123``; completing the upload takes these, in order.
        object: ``upload.part``.
        created_at: Seconds since 1970; see `created`.
        upload_id: The upload that it belongs to.
        extra: Keys that no field has, and values of a kind that their field does not take.
    """

    id: str
    object: str | None = None
    created_at: int | None = None
    upload_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def created(self) -> datetime | None:
        """When it was received; `None` if the server sent no readable time."""
        return moment_at(self, "created_at")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without an `id`."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_required(cls, rest, "id"),
            object=pop_text(rest, "object"),
            created_at=pop_integer(rest, "created_at"),
            upload_id=pop_text(rest, "upload_id"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "object": self.object,
                "created_at": self.created_at,
                "upload_id": self.upload_id,
            },
            self.extra,
        )
