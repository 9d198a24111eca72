"""``/files``: the files that were uploaded, and those that jobs wrote.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.http.access import current_project
from finetune_client.local.http.errors import RequestRefusedError, invalid_value, no_such_file
from finetune_client.local.http.forms import read_form
from finetune_client.local.http.lists import Listing, json_response, list_page
from finetune_client.local.http.request_fields import (
    check_known,
    read_choice,
    read_integer,
)

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client.local.state import State

__all__ = ["PURPOSES", "RESULTS_PURPOSE", "Files", "StoredFile", "read_expires_after"]

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
RESULTS_PURPOSE = "fine-tune-results"
"""Of the files that jobs write: their metrics, and the models."""

_FORM_FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")
_LEAST_SECONDS, _MOST_SECONDS = 3600, 2_592_000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file's object as JSON, where its bytes are, and its purpose.

    Attributes:
        wire: The object.
        blob: The key of its bytes, or of the directory that it is in.
        purpose: Its purpose.
        project: Whose it is.
        model: The model that it belongs to, if it does.
        path: Where it is in the model's directory.
    """

    wire: str
    blob: str
    purpose: str
    project: str
    model: str | None
    path: str | None


class Files:
    """The files of one server."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(
        self,
        blob: str,
        size: int,
        filename: str,
        purpose: str,
        *,
        project: str,
        seconds: int | None = None,
    ) -> dict[str, Any]:
        """Make a file of a blob that is already in the store, and return its object."""
        created = self._state.now()
        wire = self._object(size, filename, purpose, created)
        expires = None if seconds is None else created + seconds
        if expires is not None:
            wire["expires_at"] = expires
        with self._state.database.write() as rows:
            self._drop_expired()
            rows.execute(
                "INSERT INTO files (id, wire, blob, purpose, expires_at, project)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (wire["id"], json.dumps(wire), blob, purpose, expires, project),
            )
        return wire

    def _object(self, size: int, filename: str, purpose: str, created: int) -> dict[str, Any]:
        return {
            "id": self._state.new_id("file-"),
            "object": "file",
            "bytes": size,
            "created_at": created,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
        }

    def add_of_model(self, model: str, directory: str, project: str) -> list[str]:
        """Make a file of each file of a model, and return their ids; they are deleted with it.

        Args:
            model: The model's name.
            directory: The key of its directory.
            project: Whose they are.
        """
        root = self._state.store.path(directory)
        created = self._state.now()
        added = []
        with self._state.database.write() as rows:
            for path in sorted(root.rglob("*")):
                if not path.is_file() or path.is_symlink():
                    continue
                name = path.relative_to(root).as_posix()
                wire = self._object(path.stat().st_size, name, RESULTS_PURPOSE, created)
                rows.execute(
                    "INSERT INTO files (id, wire, blob, purpose, model, path, project)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        wire["id"],
                        json.dumps(wire),
                        directory,
                        RESULTS_PURPOSE,
                        model,
                        name,
                        project,
                    ),
                )
                added.append(wire["id"])
        return added

    def find(self, file_id: str, param: str = "id") -> StoredFile:
        """Return a file of the request's project, or raise the 404 for one that it has not."""
        stored = self._stored(file_id)
        if stored is None or stored.project != current_project():
            raise no_such_file(file_id, param)
        return stored

    def _stored(self, file_id: str) -> StoredFile | None:
        row = self._state.database.row(
            "SELECT wire, blob, purpose, project, model, path FROM files WHERE id = ? AND ifnull(expires_at > ?, 1)",
            (file_id, self._state.now()),
        )
        return None if row is None else StoredFile(*row)

    def path(self, file_id: str) -> Path:
        """Return the path of a file's bytes, whosever it is.

        Raises:
            FileNotFoundError: The file does not exist.
        """
        stored = self._stored(file_id)
        if stored is None:
            raise FileNotFoundError(no_such_file(file_id).message)
        return self._path(stored)

    def _path(self, stored: StoredFile) -> Path:
        path = self._state.store.path(stored.blob)
        return path if stored.path is None else path / stored.path

    def _drop_expired(self) -> None:
        expired = self._state.database.rows(
            "SELECT id, blob FROM files WHERE expires_at <= ?", (self._state.now(),)
        )
        for file_id, blob in expired:
            self._remove(file_id, blob)

    def _remove(self, file_id: str, blob: str) -> None:
        with self._state.database.write() as rows:
            rows.execute("DELETE FROM files WHERE id = ?", (file_id,))
            self._state.database.after_commit(lambda: self._state.store.drop(blob))

    def create(self) -> dict[str, Any]:
        """``POST /files``."""
        form = read_form(self._state.limits.file_bytes, "file", _FORM_FIELDS)
        purpose = read_choice(form.fields, "purpose", PURPOSES, required=True)
        seconds = read_expires_after(_expires_after(form.fields))
        blob = form.save()
        wire = self.add(
            blob.key,
            blob.size,
            form.filename or "upload",
            purpose,
            project=current_project(),
            seconds=seconds,
        )
        form.keep()
        return wire

    def list(self) -> flask.Response:
        """``GET /files``."""
        query = flask.request.args
        order = read_choice(query, "order", ("asc", "desc")) or "desc"
        where: list[str] = ["project = ?", "ifnull(expires_at > ?, 1)"]
        values: list[Any] = [current_project(), self._state.now()]
        if query.get("purpose") is not None:
            where.append("purpose = ?")
            values.append(query["purpose"])
        listing = Listing("files", where, values, default=10_000, ascending=order == "asc")
        return list_page(self._state.database, listing, without_rows="")

    def retrieve(self, file_id: str) -> flask.Response:
        """``GET /files/{file_id}``."""
        return json_response(self.find(file_id).wire)

    def delete(self, file_id: str) -> dict[str, Any]:
        """``DELETE /files/{file_id}``."""
        with self._state.database.write():
            stored = self.find(file_id)
            if stored.model is not None:
                message = (
                    f"The file {file_id} belongs to the model '{stored.model}', and is deleted "
                    "with it."
                )
                raise RequestRefusedError(400, message, param="id")
            self._remove(file_id, stored.blob)
        return {"id": file_id, "object": "file", "deleted": True}

    def content(self, file_id: str) -> flask.Response:
        """``GET /files/{file_id}/content``: the bytes, or a range of them."""
        stored = self.find(file_id)
        try:
            response = flask.send_file(
                self._path(stored),
                mimetype="application/octet-stream",
                conditional=True,
                etag=file_id,
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
        message = "'expires_after[seconds]' must be a whole number."
        raise invalid_value(message, "expires_after.seconds")
    return {"anchor": anchor, "seconds": None if seconds is None else int(seconds)}


def read_expires_after(expires_after: object) -> int | None:
    """Read ``expires_after``, an object or nothing, and return its seconds.

    https://developers.openai.com/api/reference
    """
    if expires_after is None:
        return None
    if not isinstance(expires_after, dict):
        raise RequestRefusedError(400, "'expires_after' must be an object.", param="expires_after")
    where = "expires_after."
    check_known(expires_after, ("anchor", "seconds"), where)
    read_choice(expires_after, "anchor", ("created_at",), where=where, required=True)
    seconds: int = read_integer(
        expires_after, "seconds", _LEAST_SECONDS, _MOST_SECONDS, where=where, required=True
    )
    return seconds
