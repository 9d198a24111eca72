"""``/uploads``: a large file in parts.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

from finetune_client.local.api.files import PURPOSES, read_expires_after
from finetune_client.local.http.access import current_project
from finetune_client.local.http.errors import RequestRefusedError
from finetune_client.local.http.forms import read_form
from finetune_client.local.http.request_fields import (
    check_known,
    json_body,
    read_choice,
    read_integer,
    read_text,
)

if TYPE_CHECKING:
    from finetune_client.local.api.files import Files
    from finetune_client.local.state import State
    from finetune_client.local.storage.store import Blob

__all__ = ["Uploads"]

_BLOCK = 1024 * 1024


class Uploads:
    """The uploads of one server."""

    def __init__(self, state: State, files: Files) -> None:
        self._state = state
        self._files = files
        self._completing: set[str] = set()
        """Those whose parts are being joined."""

    def create(self) -> dict[str, Any]:
        """``POST /uploads``."""
        body = json_body()
        check_known(body, ("filename", "purpose", "bytes", "mime_type", "expires_after"))
        created = self._state.now()
        wire = {
            "id": self._state.new_id("upload_"),
            "object": "upload",
            "bytes": read_integer(body, "bytes", 1, self._state.limits.upload_bytes, required=True),
            "created_at": created,
            "filename": read_text(body, "filename", required=True),
            "purpose": read_choice(body, "purpose", PURPOSES, required=True),
            "status": "pending",
            "expires_at": created + self._state.limits.upload_seconds,
            "file": None,
        }
        read_text(body, "mime_type", required=True)
        file_seconds = read_expires_after(body.get("expires_after"))
        with self._state.database.write() as rows:
            self._drop_expired()
            rows.execute(
                "INSERT INTO uploads (id, wire, status, expires_at, file_seconds, project)"
                " VALUES (?, ?, 'pending', ?, ?, ?)",
                (
                    wire["id"],
                    json.dumps(wire),
                    wire["expires_at"],
                    file_seconds,
                    current_project(),
                ),
            )
        return wire

    def _pending(self, upload_id: str) -> dict[str, Any]:
        """Return the object of an upload that takes parts; any other one is refused."""
        self._drop_expired()
        row = self._state.database.row(
            "SELECT wire FROM uploads WHERE id = ? AND project = ?", (upload_id, current_project())
        )
        if row is None:
            raise RequestRefusedError(404, f"No such Upload object: {upload_id}", param="upload_id")
        wire: dict[str, Any] = json.loads(row[0])
        completing = upload_id in self._completing
        if wire["status"] != "pending" or completing:
            status = "being completed" if completing else wire["status"]
            raise RequestRefusedError(
                400,
                f"The upload {upload_id} is {status}; only a pending one takes this.",
                code="invalid_upload_status",
                param="upload_id",
            )
        return wire

    def _drop_expired(self) -> None:
        expired = self._state.database.rows(
            "SELECT wire FROM uploads WHERE status = 'pending' AND expires_at <= ?",
            (self._state.now(),),
        )
        for (text,) in expired:
            wire = json.loads(text)
            if wire["id"] not in self._completing:
                self._end(wire, "expired")

    def _end(self, wire: dict[str, Any], status: str) -> None:
        wire["status"] = status
        database = self._state.database
        with database.write() as rows:
            rows.execute(
                "UPDATE uploads SET status = ?, wire = ? WHERE id = ?",
                (status, json.dumps(wire), wire["id"]),
            )
            for (blob,) in database.rows("SELECT blob FROM parts WHERE upload = ?", (wire["id"],)):
                database.after_commit(partial(self._state.store.drop, blob))
            rows.execute("DELETE FROM parts WHERE upload = ?", (wire["id"],))

    def add_part(self, upload_id: str) -> dict[str, Any]:
        """``POST /uploads/{upload_id}/parts``; parts may be sent in parallel and in any order."""
        with self._state.lock:
            self._pending(upload_id)
        form = read_form(self._state.limits.part_bytes, "data")
        blob = form.save()
        with self._state.database.write() as rows:
            self._pending(upload_id)
            (before,) = self._state.database.row(
                "SELECT total(bytes) FROM parts WHERE upload = ?", (upload_id,)
            )
            total = int(before) + blob.size
            # More bytes than the upload was created for are no error: a part may have been sent
            # twice, and only `complete` names the parts that count.
            if total > self._state.limits.upload_bytes:
                raise RequestRefusedError(
                    400,
                    f"With this part the upload has {total} bytes, more than the "
                    f"{self._state.limits.upload_bytes} that an upload may have.",
                    code="invalid_upload_size",
                    param="data",
                )
            part_id = self._state.new_id("part_")
            rows.execute(
                "INSERT INTO parts (id, upload, blob, bytes) VALUES (?, ?, ?, ?)",
                (part_id, upload_id, blob.key, blob.size),
            )
        form.keep()
        created = self._state.now()
        return {
            "id": part_id,
            "object": "upload.part",
            "created_at": created,
            "upload_id": upload_id,
        }

    def cancel(self, upload_id: str) -> dict[str, Any]:
        """``POST /uploads/{upload_id}/cancel``."""
        with self._state.database.write():
            wire = self._pending(upload_id)
            self._end(wire, "cancelled")
        return wire

    def complete(self, upload_id: str) -> dict[str, Any]:
        """``POST /uploads/{upload_id}/complete``: the parts in the order given become a file."""
        body = json_body()
        check_known(body, ("part_ids", "md5"))
        digest = read_text(body, "md5")
        with self._state.lock:
            wire = self._pending(upload_id)
            blobs = self._ordered(wire, body.get("part_ids"))
            self._completing.add(upload_id)
        joined = self._state.store.blob(wire["bytes"])
        try:
            with self._state.store.tentative(joined.key) as keep:
                self._join(blobs, joined, digest)
                self._complete(wire, joined)
                keep()
        finally:
            self._completing.discard(upload_id)
        return wire

    def _complete(self, wire: dict[str, Any], joined: Blob) -> None:
        database = self._state.database
        with database.write():
            (seconds,) = database.row(
                "SELECT file_seconds FROM uploads WHERE id = ?", (wire["id"],)
            )
            wire["file"] = self._files.add(
                joined.key,
                joined.size,
                wire["filename"],
                wire["purpose"],
                project=current_project(),
                seconds=seconds,
            )
            self._end(wire, "completed")

    def _ordered(self, wire: dict[str, Any], part_ids: object) -> list[str]:
        """Return the keys of the bytes of the parts that are named."""
        if not isinstance(part_ids, list) or not part_ids:
            raise RequestRefusedError(
                400, "'part_ids' must be a list of the ids of the parts.", param="part_ids"
            )
        parts = {
            part_id: (blob, size)
            for part_id, blob, size in self._state.database.rows(
                "SELECT id, blob, bytes FROM parts WHERE upload = ?", (wire["id"],)
            )
        }
        for part_id in part_ids:
            if not isinstance(part_id, str) or part_id not in parts:
                raise RequestRefusedError(
                    400, f"The upload {wire['id']} has no part {part_id}.", param="part_ids"
                )
        total = sum(parts[part_id][1] for part_id in part_ids)
        if total != wire["bytes"] or len(set(part_ids)) != len(part_ids):
            raise RequestRefusedError(
                400,
                f"The parts named have {total} bytes, but the upload was created for "
                f"{wire['bytes']}; name each part once.",
                code="invalid_upload_size",
                param="part_ids",
            )
        return [parts[part_id][0] for part_id in part_ids]

    def _join(self, blobs: list[str], joined: Blob, digest: str | None) -> None:
        store = self._state.store
        with joined:
            for blob in blobs:
                with store.path(blob).open("rb") as part:
                    shutil.copyfileobj(part, joined, _BLOCK)
            store.save(joined)
        if digest is not None and _md5(store.path(joined.key)) != digest.lower():
            raise RequestRefusedError(
                400,
                "The md5 of the parts, in the order given, is not the one that was sent.",
                code="invalid_md5",
                param="md5",
            )


def _md5(path: Any) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
