"""The calls of the Uploads API, as requests and over a session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from finetune_client.models import Upload, UploadPart
from finetune_client.models.checks import needed_texts, optional_text
from finetune_client.resources.arguments import check_call, several
from finetune_client.resources.base import Resource, read_reply
from finetune_client.resources.files.multipart import Multipart
from finetune_client.resources.options import apply
from finetune_client.transport import path_segment
from finetune_client.transport.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from finetune_client.resources.files.multipart import Content
    from finetune_client.resources.files.parallel import Stop
    from finetune_client.resources.files.progress import Report
    from finetune_client.resources.files.upload_in_parts import Stretch
    from finetune_client.resources.files.upload_state import UploadTarget
    from finetune_client.resources.options import Options
    from finetune_client.transport import Session

__all__ = ["SessionCalls", "beginning", "cancelling", "completing", "part"]

_PART_NAME = "upload"


def beginning(
    *, filename: str, purpose: str, size: int, mime_type: str, life: Mapping[str, Any] | None
) -> Request:
    """Make the request that begins an upload."""
    json = {"filename": filename, "purpose": purpose, "bytes": size, "mime_type": mime_type}
    if life is not None:
        json["expires_after"] = dict(life)
    return Request(method="POST", path="/uploads", json=json)


def part(
    upload_id: str, content: Content, report: Report, content_type: str | None = None
) -> Request:
    """Make the request that sends one part; the same part may arrive twice without harm."""
    body = Multipart(
        [],
        name="data",
        content=content,
        filename=_PART_NAME,
        content_type=content_type,
        report=report,
    )
    return Request(method="POST", path=f"{_path(upload_id)}/parts", body=body)


def completing(upload_id: str, part_ids: Sequence[str], md5: str | None) -> Request:
    """Make the request that puts the file together, in the order of ``part_ids``.

    Raises:
        RequestError: ``part_ids`` is not a list of texts; one text alone is none either. Or
            ``md5`` is no text.
    """
    ids = several(part_ids)
    check_call("complete the upload", needed_texts("part_ids", ids), optional_text("md5", md5))
    json: dict[str, Any] = {"part_ids": ids}
    if md5 is not None:
        json["md5"] = md5
    path = f"{_path(upload_id)}/complete"
    return Request(
        method="POST",
        path=path,
        json=json,
        idempotent=False,
        expect_id=upload_id,
        fresh_connection=True,
    )


def cancelling(upload_id: str) -> Request:
    """Make the request that gives an upload up."""
    return Request(method="POST", path=f"{_path(upload_id)}/cancel", expect_id=upload_id)


def _path(upload_id: str) -> str:
    return f"/uploads/{path_segment(upload_id, 'upload_id')}"


class SessionCalls(Resource):
    """The calls that send one file in parts."""

    __slots__ = ("_life", "_options", "_target")

    def __init__(
        self,
        session: Session,
        target: UploadTarget,
        life: Mapping[str, Any] | None,
        options: Options,
    ) -> None:
        super().__init__(session)
        self._target = target
        self._life = life
        self._options = options

    def create(self) -> Upload:
        """Begin the upload."""
        target = self._target
        request = beginning(
            filename=target.filename,
            purpose=target.purpose,
            size=target.size,
            mime_type=target.mime_type,
            life=self._life,
        )
        return self._read(request, Upload.from_dict, self._options)

    def send(self, upload_id: str, content: Stretch, stop: Stop) -> str:
        """Send a part, and give its id; waits between its tries end when ``stop`` says so."""
        session, clock = self._session, self._session.clock
        stoppable = replace(clock, sleep=lambda seconds: stop.sleep(seconds, clock.sleep))
        request = apply(part(upload_id, content, content.report), self._others())
        reply = session.sharing(session.config, clock=stoppable).send(request)
        return read_reply(request, reply, UploadPart.from_dict).id

    def complete(self, upload_id: str, part_ids: Sequence[str], md5: str | None) -> Upload:
        """Put the file together."""
        request = completing(upload_id, part_ids, md5)
        return self._read(request, Upload.from_dict, self._others())

    def cancel(self, upload_id: str) -> None:
        """Give the upload up."""
        self._read(cancelling(upload_id), Upload.from_dict, self._others())

    def _others(self) -> Options:
        """The options of all requests but the first, whose ``extra_body`` is its own."""
        options = self._options.copy()
        options.pop("extra_body", None)
        return options
