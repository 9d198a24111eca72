"""What is asked of a file before it is sent and after: tables and pure functions."""

from __future__ import annotations

import math
import mimetypes
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from finetune_client.errors import (
    APIResponseError,
    IntegrityError,
    RequestError,
    TrainingDataError,
)
from finetune_client.resources.files.multipart import BINARY

if TYPE_CHECKING:
    from finetune_client.models import FileObject, Upload
    from finetune_client.resources.files.sources import Source
    from finetune_client.transport import Session

__all__ = [
    "check_purpose",
    "check_size",
    "check_stored",
    "expiry",
    "expiry_fields",
    "file_of",
    "fits",
    "is_named_page",
    "is_page",
    "is_ready",
    "is_same",
    "longest",
    "mime_type",
    "name_for",
]

SHORTEST_LIFE: Final = 3600
LONGEST_LIFE: Final = 2_592_000
_LINES: Final = frozenset({"fine-tune", "batch", "evals"})
_RESULTS: Final = "fine-tune-results"
_GONE: Final = frozenset({"error", "deleted", "deleting"})
_READY: Final = frozenset({None, "processed"})


def check_purpose(purpose: object) -> None:
    """Refuse what can be no purpose; any other text is the server's to judge."""
    if not isinstance(purpose, str) or not purpose:
        raise RequestError(f'purpose must be text such as "fine-tune", not {purpose!r}.')


def name_for(source: Source, purpose: str) -> str:
    """Return the name to send; nameless data for training is named as the API wants it."""
    return source.filename or ("upload.jsonl" if purpose in _LINES else "upload")


def mime_type(filename: str) -> str:
    """Guess the ``mime_type`` of an upload; ``.jsonl`` has the one in the API's own example."""
    if filename.lower().endswith(".jsonl"):
        return "text/jsonl"
    return mimetypes.guess_type(filename)[0] or BINARY


def expiry(session: Session, given: Mapping[str, Any] | int | None) -> dict[str, Any] | None:
    """Check ``expires_after`` and give it as the API writes it; a number is seconds.

    Raises:
        RequestError: It is out of range or of another shape, or the provider wants one.
        ConfigurationError: The provider knows none.
    """
    provider = session.provider
    if given is None:
        if provider.needs_file_expiry:
            raise RequestError(
                f"The provider {provider.name!r} takes no file without expires_after=; give the "
                f"seconds it is to be kept, from {SHORTEST_LIFE} to {LONGEST_LIFE}."
            )
        return None
    session.require("file_expiry", "expires_after")
    wire = dict(given) if isinstance(given, Mapping) else {"seconds": given}
    wire = {"anchor": "created_at", **wire}
    seconds = wire.get("seconds")
    whole = isinstance(seconds, int) and not isinstance(seconds, bool)
    if not whole or not SHORTEST_LIFE <= wire["seconds"] <= LONGEST_LIFE:
        raise RequestError(
            f"expires_after.seconds must be a whole number from {SHORTEST_LIFE} to "
            f"{LONGEST_LIFE}, not {seconds!r}."
        )
    return wire


def expiry_fields(wire: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Write ``expires_after`` as fields of a form."""
    return [(f"expires_after[{key}]", str(value)) for key, value in (wire or {}).items()]


def check_size(source: Source, limit: int, where: str, instead: str) -> None:
    """Refuse a source that is larger than ``where`` takes; ``instead`` says what to do."""
    if source.size > limit:
        raise RequestError(
            f"{source} has {source.size} bytes, and {where} takes at most {limit}; {instead}."
        )


def check_stored(file: FileObject, sent: int) -> FileObject:
    """Compare what the server says it has with what was sent.

    Raises:
        IntegrityError: It has another number of bytes.
    """
    if file.bytes is not None and file.bytes != sent:
        raise IntegrityError(
            f"The server stored {file.bytes} bytes as file {file.id!r}, but {sent} were sent; "
            f"delete it with files.delete({file.id!r}) and send it again.",
            outcome="bad_answer",
        )
    return file


def file_of(upload: Upload) -> FileObject:
    """Take the file out of a completed upload.

    Raises:
        APIResponseError: The answer has no file.
    """
    if upload.file is None:
        raise APIResponseError(
            f"The upload {upload.id!r} was completed, but the answer names no file; look for it "
            "with files.find(path).",
            outcome="bad_answer",
        )
    return upload.file


def fits(file: FileObject, received: int, *, framed: bool) -> bool:
    """Tell whether a download of so many bytes can be all of a file.

    Results of training are not always sent as they are counted: OpenAI has been sending them
    in base64. For these, a length that the answer itself vouches for (``framed``) is enough.
    """
    if file.bytes is None or file.bytes == received:
        return True
    in_base64 = 4 * -(-file.bytes // 3)
    return file.purpose == _RESULTS and (framed or received == in_base64)


def longest(file: FileObject) -> float:
    """Return the most bytes a download can have; infinity if that is not known."""
    return math.inf if file.bytes is None or file.purpose == _RESULTS else file.bytes


def is_page(content_type: str | None, first: bytes) -> bool:
    """Tell whether an answer looks like a web page, as proxies and portals send with 200."""
    if content_type and content_type.partition(";")[0].strip().lower() == "text/html":
        return True
    return first.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))


def is_named_page(file: FileObject) -> bool:
    """Tell whether a file is a web page by its name."""
    return (file.filename or "").lower().endswith((".html", ".htm"))


def is_ready(file: FileObject) -> bool:
    """Tell whether a file can be used; most servers say nothing, and mean yes.

    Raises:
        TrainingDataError: It never will be; the message has the server's ``status_details``.
    """
    if file.status in _GONE:
        details = file.status_details or "the server gives no details"
        raise TrainingDataError(
            f"The file {file.id!r} cannot be used, its status is {file.status!r}: {details}",
            problems=[details],
        )
    return file.status in _READY


def is_same(file: FileObject, name: str, size: int, now: float) -> bool:
    """Tell whether a file has this name and size and can still be used."""
    alive = file.status not in _GONE and (file.expires is None or file.expires.timestamp() > now)
    return alive and file.filename == name and file.bytes == size
