"""``/uploads``: a large file in parts.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.local.api.files import PURPOSES, read_expires_after
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


@dataclass(slots=True)
class _Upload:
    """An upload.

    Attributes:
        wire: Its object.
        seconds: In how many seconds the file that it becomes expires, if it does.
        parts: For each part's id the key of its bytes, and how many they are.
        completing: Its parts are being joined.
    """

    wire: dict[str, Any]
    seconds: int | None
    parts: dict[str, list[Any]] = field(default_factory=dict)
    completing: bool = False


class Uploads:
    """The uploads of one server."""

    def __init__(self, state: State, files: Files) -> None:
        self._state = state
        self._files = files
        self._rows = {
            record["wire"]["id"]: _Upload(**{**record, "completing": False})
            for record in state.store.load("uploads")
        }

    def _save(self, row: _Upload) -> None:
        self._state.store.save("uploads", row.wire["id"], asdict(row))

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
        row = _Upload(wire, read_expires_after(body.get("expires_after")))
        with self._state.lock:
            self._drop_expired()
            self._rows[wire["id"]] = row
            self._save(row)
        return wire

    def _pending(self, upload_id: str) -> _Upload:
        self._drop_expired()
        row = self._rows.get(upload_id)
        if row is None:
            raise RequestRefusedError(404, f"No such Upload object: {upload_id}", param="upload_id")
        if row.wire["status"] != "pending" or row.completing:
            status = "being completed" if row.completing else row.wire["status"]
            raise RequestRefusedError(
                400,
                f"The upload {upload_id} is {status}; only a pending one takes this.",
                code="invalid_upload_status",
                param="upload_id",
            )
        return row

    def _drop_expired(self) -> None:
        now = self._state.now()
        for row in self._rows.values():
            pending = row.wire["status"] == "pending" and not row.completing
            if pending and row.wire["expires_at"] <= now:
                self._end(row, "expired")

    def _end(self, row: _Upload, status: str) -> None:
        row.wire["status"] = status
        for blob, _ in row.parts.values():
            self._state.store.drop(blob)
        row.parts.clear()
        self._save(row)

    def add_part(self, upload_id: str) -> dict[str, Any]:
        """``POST /uploads/{upload_id}/parts``; parts may be sent in parallel and in any order."""
        with self._state.lock:
            self._pending(upload_id)
        form = read_form(self._state.limits.part_bytes, "data")
        with self._state.lock:
            row = self._pending(upload_id)
            total = sum(size for _, size in row.parts.values()) + form.blob.size
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
            blob = form.keep()
            part_id = self._state.new_id("part_")
            row.parts[part_id] = [blob.key, blob.size]
            self._save(row)
        created = self._state.now()
        return {
            "id": part_id,
            "object": "upload.part",
            "created_at": created,
            "upload_id": upload_id,
        }

    def cancel(self, upload_id: str) -> dict[str, Any]:
        """``POST /uploads/{upload_id}/cancel``."""
        with self._state.lock:
            row = self._pending(upload_id)
            self._end(row, "cancelled")
            return dict(row.wire)

    def complete(self, upload_id: str) -> dict[str, Any]:
        """``POST /uploads/{upload_id}/complete``: the parts in the order given become a file."""
        body = json_body()
        check_known(body, ("part_ids", "md5"))
        digest = read_text(body, "md5")
        with self._state.lock:
            row = self._pending(upload_id)
            blobs = _ordered(row, body.get("part_ids"))
            row.completing = True
        try:
            joined = self._join(blobs, row.wire["bytes"], digest)
        except BaseException:
            row.completing = False
            raise
        with self._state.lock:
            wire, row.completing = row.wire, False
            wire["file"] = self._files.add(
                joined.key, joined.size, wire["filename"], wire["purpose"], row.seconds
            )
            self._end(row, "completed")
            return dict(wire)

    def _join(self, blobs: list[str], size: int, digest: str | None) -> Blob:
        store = self._state.store
        joined = store.blob(size)
        with joined:
            for blob in blobs:
                with store.path(blob).open("rb") as part:
                    shutil.copyfileobj(part, joined, _BLOCK)
        if digest is not None and _md5(store.path(joined.key)) != digest.lower():
            store.drop(joined.key)
            raise RequestRefusedError(
                400,
                "The md5 of the parts, in the order given, is not the one that was sent.",
                code="invalid_md5",
                param="md5",
            )
        return joined


def _md5(path: Any) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _ordered(row: _Upload, part_ids: object) -> list[str]:
    if not isinstance(part_ids, list) or not part_ids:
        raise RequestRefusedError(
            400, "'part_ids' must be a list of the ids of the parts.", param="part_ids"
        )
    for part_id in part_ids:
        if not isinstance(part_id, str) or part_id not in row.parts:
            raise RequestRefusedError(
                400, f"The upload {row.wire['id']} has no part {part_id}.", param="part_ids"
            )
    total = sum(row.parts[part_id][1] for part_id in part_ids)
    if total != row.wire["bytes"] or len(set(part_ids)) != len(part_ids):
        raise RequestRefusedError(
            400,
            f"The parts named have {total} bytes, but the upload was created for "
            f"{row.wire['bytes']}; name each part once.",
            code="invalid_upload_size",
            param="part_ids",
        )
    return [row.parts[part_id][0] for part_id in part_ids]
