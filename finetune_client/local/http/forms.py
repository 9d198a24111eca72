"""Multipart bodies, with the one binary part written straight to a blob of the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import flask

from finetune_client.local.http.errors import WireError
from finetune_client.local.http.request_fields import only, size_limit

if TYPE_CHECKING:
    from collections.abc import Collection

    from finetune_client.local.storage.store import Blob, Store

__all__ = ["FORM_OVERHEAD", "BlobRequest", "Form", "drop_leftovers", "read_form"]

FORM_OVERHEAD = 64 * 1024
"""Bytes that a form may have beside its binary part."""


class BlobRequest(flask.Request):
    """A request whose uploaded parts become blobs instead of temporary files."""

    store: Store
    blob_limit = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.blobs: list[Blob] = []

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        blob = self.store.blob(self.blob_limit)
        self.blobs.append(blob)
        return blob


@dataclass(slots=True)
class Form:
    """A multipart body that was read: its fields, and its one binary part."""

    fields: dict[str, Any]
    blob: Blob
    filename: str | None

    def keep(self) -> Blob:
        """Let the blob outlive the request, and give it."""
        _request().blobs.remove(self.blob)
        self.blob.close()
        return self.blob


def _request() -> BlobRequest:
    request = flask.request
    if not isinstance(request, BlobRequest):
        raise TypeError("the app must make its requests with BlobRequest")
    return request


def read_form(most: int, binary: str, fields: Collection[str] = ()) -> Form:
    """Read a multipart body with the binary part ``binary`` of at most ``most`` bytes."""
    size_limit(most + FORM_OVERHEAD)
    request = _request()
    if request.mimetype != "multipart/form-data":
        raise WireError(415, "The body must be sent with Content-Type: multipart/form-data.")
    request.blob_limit = most
    parts = request.files.to_dict()
    if binary not in parts:
        raise WireError(
            400,
            f"Missing required parameter: '{binary}'. It must be a file part of a form.",
            code="missing_required_parameter",
            param=binary,
        )
    given = request.form.to_dict()
    only({**parts, **given}, (binary, *fields))
    if len(request.blobs) > 1:
        raise WireError(400, f"There must be one part '{binary}', with one file.", param=binary)
    return Form(given, request.blobs[0], parts[binary].filename)


def drop_leftovers(store: Store) -> None:
    """Remove what a request wrote and nobody kept."""
    if not isinstance(flask.request, BlobRequest):
        return
    for blob in flask.request.blobs:
        blob.close()
        store.drop(blob.key)
    flask.request.blobs.clear()
