"""Multipart bodies, with the one binary part written straight to a blob of the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import flask

from finetune_client.local.http.errors import RequestRefusedError, missing_parameter
from finetune_client.local.http.request_fields import check_known, check_size

if TYPE_CHECKING:
    from collections.abc import Collection

    from finetune_client.local.storage.store import Blob, Store

__all__ = ["FORM_OVERHEAD", "BlobRequest", "Form", "drop_unkept_blobs", "read_form"]

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
    """A multipart body: its fields, and its one binary part."""

    fields: dict[str, Any]
    blob: Blob
    filename: str | None

    def save(self) -> Blob:
        """Put the blob on the disk, and return it; it ends with the request unless it is kept."""
        _request().store.save(self.blob)
        return self.blob

    def keep(self) -> None:
        """Let the blob outlive the request."""
        _request().blobs.remove(self.blob)


def _request() -> BlobRequest:
    request = flask.request
    if not isinstance(request, BlobRequest):
        raise TypeError("the app must make its requests with BlobRequest")
    return request


def read_form(max_bytes: int, binary: str, fields: Collection[str] = ()) -> Form:
    """Read a multipart body with the binary part ``binary`` of at most ``max_bytes`` bytes."""
    check_size(max_bytes + FORM_OVERHEAD)
    request = _request()
    if request.mimetype != "multipart/form-data":
        raise RequestRefusedError(
            415, "The body must be sent with Content-Type: multipart/form-data."
        )
    request.blob_limit = max_bytes
    parts = request.files.to_dict()
    if binary not in parts:
        raise missing_parameter(binary, "It must be a file part of a form.")
    given = request.form.to_dict()
    check_known({**parts, **given}, (binary, *fields))
    if len(request.blobs) > 1:
        raise RequestRefusedError(
            400, f"There must be one part '{binary}', with one file.", param=binary
        )
    return Form(given, request.blobs[0], parts[binary].filename)


def drop_unkept_blobs(store: Store) -> None:
    """Remove the blobs of a request that `Form.keep` has not kept."""
    if not isinstance(flask.request, BlobRequest):
        return
    for blob in flask.request.blobs:
        blob.close()
        store.drop(blob.key)
    flask.request.blobs.clear()
