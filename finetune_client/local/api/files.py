"""``/files``: what was uploaded and what jobs wrote.

https://platform.openai.com/docs/api-reference/files
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.http.errors import WireError, no_such_file
from finetune_client.local.http.forms import read_form
from finetune_client.local.http.request_fields import choice, page, with_ends
from finetune_client.local.storage.expiry import seconds_to_live

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client.local.state import State

__all__ = ["PURPOSES", "Files", "StoredFile"]

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the wire shows it, and the key of its bytes."""

    wire: dict[str, Any]
    blob: str


class Files:
    """The files of one server, oldest first."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rows: dict[str, StoredFile] = {}
        for record in state.store.load("files"):
            self._rows[record["wire"]["id"]] = StoredFile(record["wire"], record["blob"])

    def add(
        self, blob: str, size: int, filename: str, purpose: str, seconds: int | None = None
    ) -> dict[str, Any]:
        """Make a file of a blob that is already in the store, and give its wire form."""
        created = self._state.now()
        wire = {
            "id": self._state.new_id("file-"),
            "object": "file",
            "bytes": size,
            "created_at": created,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
        }
        if seconds is not None:
            wire["expires_at"] = created + seconds
        with self._state.lock:
            self._state.store.save("files", str(wire["id"]), {"wire": wire, "blob": blob})
            self._rows[str(wire["id"])] = StoredFile(wire, blob)
        return wire

    def find(self, file_id: str, param: str = "id") -> StoredFile:
        """Give a file, or raise the 404 that says it is not there."""
        with self._state.lock:
            self._drop_expired()
            stored = self._rows.get(file_id)
        if stored is None:
            raise no_such_file(file_id, param)
        return stored

    def path(self, file_id: str, param: str = "id") -> Path:
        """Say where the bytes of a file are, or raise the 404 that says it is not there."""
        return self._state.store.path(self.find(file_id, param).blob)

    def _drop_expired(self) -> None:
        now = self._state.now()
        gone = [row for row in self._rows.values() if row.wire.get("expires_at", now + 1) <= now]
        for row in gone:
            self._remove(row)

    def _remove(self, row: StoredFile) -> None:
        del self._rows[row.wire["id"]]
        self._state.store.forget("files", row.wire["id"])
        self._state.store.drop(row.blob)

    def create(self) -> dict[str, Any]:
        """``POST /files``."""
        form = read_form(self._state.limits.file_bytes, "file", _FIELDS)
        purpose = choice(form.fields, "purpose", PURPOSES, required=True)
        seconds = seconds_to_live(_expires_after(form.fields))
        blob = form.keep()
        return self.add(blob.key, blob.size, form.filename or "upload", purpose, seconds)

    def list(self) -> dict[str, Any]:
        """``GET /files``."""
        query = flask.request.args
        order = choice(query, "order", ("asc", "desc")) or "desc"
        with self._state.lock:
            self._drop_expired()
            rows = [row.wire for row in self._rows.values()]
        if order == "desc":
            rows.reverse()
        if query.get("purpose") is not None:
            rows = [row for row in rows if row["purpose"] == query["purpose"]]
        return with_ends(*page(rows, 10_000), nothing="")

    def retrieve(self, file_id: str) -> dict[str, Any]:
        """``GET /files/{file_id}``."""
        return self.find(file_id).wire

    def delete(self, file_id: str) -> dict[str, Any]:
        """``DELETE /files/{file_id}``."""
        with self._state.lock:
            self._remove(self.find(file_id))
        return {"id": file_id, "object": "file", "deleted": True}

    def content(self, file_id: str) -> flask.Response:
        """``GET /files/{file_id}/content``: the bytes, also a range of them."""
        stored = self.find(file_id)
        try:
            response = flask.send_file(
                self._state.store.path(stored.blob),
                mimetype="application/octet-stream",
                conditional=True,
                etag=stored.blob,
            )
        except FileNotFoundError:
            raise no_such_file(file_id) from None
        response.headers.pop("Content-Disposition", None)
        return response


def _expires_after(fields: dict[str, Any]) -> dict[str, Any] | None:
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if seconds is not None and not (seconds.isascii() and seconds.isdigit() and len(seconds) < 10):
        raise WireError(
            400,
            "'expires_after[seconds]' must be a whole number.",
            code="invalid_value",
            param="expires_after.seconds",
        )
    return {"anchor": anchor, "seconds": None if seconds is None else int(seconds)}
