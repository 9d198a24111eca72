"""How a file is to be uploaded: what is checked before it is sent, and when it is there."""

from __future__ import annotations

import logging
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from finetune_client.errors import IntegrityError, RequestError
from finetune_client.resources.arguments import as_path
from finetune_client.resources.files.multipart import BINARY
from finetune_client.resources.files.upload_state import UploadTarget

if TYPE_CHECKING:
    import os

    from finetune_client.models import FileObject
    from finetune_client.providers import Provider
    from finetune_client.resources.files.progress import Progress
    from finetune_client.resources.files.sources import Source
    from finetune_client.transport import Session

__all__ = [
    "DEFAULT_PART_SIZE",
    "MAX_PART_SIZE",
    "UploadPlan",
    "check_purpose",
    "check_size",
    "check_stored",
    "expiry",
    "expiry_fields",
    "upload_name",
]

MAX_PART_SIZE: Final = 64 * 1024 * 1024
"""Bytes. The spec says "64 MB" and not which; the official SDK sends parts of this size."""

DEFAULT_PART_SIZE: Final = MAX_PART_SIZE

_log = logging.getLogger("finetune_client")

_WORKERS: Final = range(1, 33)
_MD5: Final = re.compile(r"[0-9a-fA-F]{32}")
_EXPIRY_SECONDS: Final = range(3600, 2_592_000 + 1)
_JSONL_PURPOSES: Final = frozenset({"fine-tune", "batch", "evals"})


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadPlan:
    """How a file is to be sent in parts: what `Uploads.upload_file` takes beside the file."""

    purpose: str
    part_size: int = DEFAULT_PART_SIZE
    workers: int = 4
    progress: Progress = None
    state: str | os.PathLike[str] | None = None
    mime_type: str | None = None
    filename: str | None = None
    expires_after: Mapping[str, Any] | int | None = None
    md5: str | Literal[False] | None = None

    def check(self) -> None:
        """Check the values that need no provider.

        Raises:
            RequestError: A value is out of its range, or of the wrong kind.
        """
        check_purpose(self.purpose)
        if self.state is not None:
            as_path(self.state, "state")
        if type(self.part_size) is not int or not 1 <= self.part_size <= MAX_PART_SIZE:
            raise RequestError(
                f"part_size must be from 1 to {MAX_PART_SIZE} bytes (64 MiB), "
                f"not {self.part_size!r}."
            )
        if type(self.workers) is not int or self.workers not in _WORKERS:
            raise RequestError(f"workers must be from 1 to 32, not {self.workers!r}.")
        for name, text in {"filename": self.filename, "mime_type": self.mime_type}.items():
            if not isinstance(text, str | None):
                raise RequestError(f"{name} must be text, not {text!r:.100}.")
        if self.md5 and not _MD5.fullmatch(str(self.md5)):
            raise RequestError(f"md5 must be 32 hexadecimal digits, not {self.md5!r}.")

    def target(self, source: Source, base_url: str) -> UploadTarget:
        """Return what is sent, and where."""
        name = self.filename or upload_name(source, self.purpose)
        return UploadTarget(
            base_url=base_url,
            purpose=self.purpose,
            filename=name,
            mime_type=self.mime_type or source.content_type or _guess_mime_type(name),
            size=source.size,
            modified=source.modified,
            part_size=self.part_size,
        )


def check_purpose(purpose: object) -> None:
    """Check that a purpose is text; which texts are purposes is the server's to say.

    Raises:
        RequestError: It is not, or is empty.
    """
    if not isinstance(purpose, str) or not purpose:
        raise RequestError(f'purpose must be text such as "fine-tune", not {purpose!r}.')


def upload_name(source: Source, purpose: str) -> str:
    """Return the file name to send; data without a name gets one that suits its purpose."""
    return source.filename or ("upload.jsonl" if purpose in _JSONL_PURPOSES else "upload")


def _guess_mime_type(filename: str) -> str:
    """Return the ``mime_type`` of an upload; that of ``.jsonl`` is the one in the API's example."""
    if filename.lower().endswith(".jsonl"):
        return "text/jsonl"
    return mimetypes.guess_type(filename)[0] or BINARY


def expiry(session: Session, given: Mapping[str, Any] | int | None) -> dict[str, Any] | None:
    """Return ``expires_after`` in the API's form; a number is seconds.

    Raises:
        RequestError: It is out of range or of the wrong form.
        ConfigurationError: The provider does not have it.
    """
    if given is None:
        return None
    seconds = _EXPIRY_SECONDS
    session.require("file_expiry", "expires_after")
    named = dict(given) if isinstance(given, Mapping) else {"seconds": given}
    expires_after = {"anchor": "created_at", **named}
    value = expires_after.get("seconds")
    if not isinstance(value, int) or isinstance(value, bool) or value not in seconds:
        raise RequestError(
            f"expires_after.seconds must be a whole number from {seconds.start} to "
            f"{seconds[-1]}, not {value!r}."
        )
    return expires_after


def expiry_fields(expires_after: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return ``expires_after`` as fields of a form."""
    return [(f"expires_after[{key}]", str(value)) for key, value in (expires_after or {}).items()]


def check_size(source: Source, limit: float, where: str, instead: str) -> None:
    """Check that a source is not larger than ``where`` takes; ``instead`` says what to do then.

    Raises:
        RequestError: It is.
    """
    if source.size > limit:
        raise RequestError(
            f"{source} has {source.size} bytes, and {where} takes at most {limit}; {instead}."
        )


def check_stored(file: FileObject, sent: int, provider: Provider) -> FileObject:
    """Return a new file; log if the server says that it has another number of bytes than were sent.

    Raises:
        IntegrityError: It does, and the provider is known to count right.
    """
    if file.bytes is None or file.bytes == sent:
        return file
    if provider.counts_bytes:
        raise IntegrityError(
            f"The server stored {file.bytes} bytes as file {file.id!r}, but {sent} were sent; "
            f"delete it with files.delete({file.id!r}) and send it again. To take what the server "
            "says, give the client provider=dataclasses.replace(provider, counts_bytes=False).",
            outcome="bad_answer",
        )
    _log.warning(
        "%s says that file %r has %d bytes, and %d were sent; it is not known to count right",
        provider.name,
        file.id,
        file.bytes,
        sent,
    )
    return file
