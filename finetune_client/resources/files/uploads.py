"""Uploads in parts; https://platform.openai.com/docs/api-reference/uploads ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from finetune_client.errors import RequestError
from finetune_client.models import Upload, UploadPart
from finetune_client.models.checks import needed_text
from finetune_client.resources.arguments import check_call
from finetune_client.resources.base import Resource
from finetune_client.resources.files import upload_calls as calls
from finetune_client.resources.files.progress import reporting
from finetune_client.resources.files.rules import check_purpose, expiry
from finetune_client.resources.files.sources import open_source
from finetune_client.resources.files.upload_plan import PART_SIZE, FilePlan, send_in_parts

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

    from finetune_client.resources.files.progress import Progress
    from finetune_client.resources.files.sources import FileInput
    from finetune_client.resources.options import Options
    from finetune_client.transport import Session

__all__ = ["PART_SIZE", "Parts", "Uploads"]


class Parts(Resource):
    """The parts of an upload: ``client.uploads.parts``.

    https://platform.openai.com/docs/api-reference/uploads/add-part
    """

    __slots__ = ()

    def create(
        self,
        upload_id: str,
        *,
        data: FileInput,
        progress: Progress = None,
        **options: Unpack[Options],
    ) -> UploadPart:
        """Send one part of an upload, of at most 64 MB; it is sent again until it arrives.

        Args:
            upload_id: The upload.
            data: A path, a file opened with ``"rb"``, or bytes.
            progress: A function ``(sent, total)``, or `True` for a bar.
            **options: See `Options`.

        Raises:
            RequestError: There is nothing to send.
            IntegrityError: The file changed while it was sent.
            APIError: See `finetune_client.errors`.
        """
        self._session.require("uploads", "uploads.parts.create")
        with open_source(data, "data") as source, reporting(progress, upload_id) as report:
            request = calls.part(upload_id, source, report, source.content_type)
            return self._read(request, UploadPart.from_dict, options)


class Uploads(Resource):
    """Files that are too large for one request: ``client.uploads``.

    https://platform.openai.com/docs/api-reference/uploads

    Attributes:
        parts: Sends single parts; `upload_file` does all of it.
    """

    __slots__ = ("parts",)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.parts = Parts(session)

    def create(
        self,
        *,
        bytes: int,
        filename: str,
        mime_type: str,
        purpose: str,
        expires_after: Mapping[str, Any] | int | None = None,
        **options: Unpack[Options],
    ) -> Upload:
        """Begin an upload; it expires after an hour (OpenAI) unless it is completed.

        Args:
            bytes: How many bytes the parts will have together.
            filename: The name of the file to be.
            mime_type: Its type; the API's example for training data is ``text/jsonl``.
            purpose: ``"fine-tune"``, ``"batch"`` and so on.
            expires_after: When the file is deleted, see `Files.create`.
            **options: See `Options`.

        Raises:
            RequestError: ``bytes`` is not positive, or more than the provider takes.
            APIError: See `finetune_client.errors`.
        """
        self._session.require("uploads", "uploads.create")
        check_purpose(purpose)
        _check_bytes(bytes, self._session.provider.max_upload_bytes)
        names = needed_text("filename", filename), needed_text("mime_type", mime_type)
        check_call("begin the upload", *names)
        request = calls.beginning(
            filename=filename,
            purpose=purpose,
            size=bytes,
            mime_type=mime_type,
            life=expiry(self._session, expires_after),
        )
        return self._read(request, Upload.from_dict, options)

    def complete(
        self,
        upload_id: str,
        *,
        part_ids: Sequence[str],
        md5: str | None = None,
        **options: Unpack[Options],
    ) -> Upload:
        """Put the file together; the answer's `file` is it.

        Args:
            upload_id: The upload.
            part_ids: The parts in the order of the file.
            md5: The MD5 of the whole file in hexadecimal, which the server compares.
            **options: See `Options`.

        Raises:
            RequestError: ``part_ids`` is empty, or no list of texts.
            APIError: See `finetune_client.errors`.
        """
        self._session.require("uploads", "uploads.complete")
        return self._read(calls.completing(upload_id, part_ids, md5), Upload.from_dict, options)

    def cancel(self, upload_id: str, **options: Unpack[Options]) -> Upload:
        """Give an upload up; no part can be added after that."""
        self._session.require("uploads", "uploads.cancel")
        return self._read(calls.cancelling(upload_id), Upload.from_dict, options)

    def upload_file(
        self,
        path: FileInput,
        *,
        purpose: str = "fine-tune",
        part_size: int | None = None,
        workers: int = 4,
        progress: Progress = None,
        state: str | os.PathLike[str] | None = None,
        mime_type: str | None = None,
        filename: str | None = None,
        expires_after: Mapping[str, Any] | int | None = None,
        md5: str | Literal[False] | None = None,
        **options: Unpack[Options],
    ) -> Upload:
        """Send a file in parts, several at a time, and put it together.

        Each part is read from the file while it is sent, and sent again by itself when it breaks
        off. The MD5 of the file is computed meanwhile and given to the server at the end.

        If anything fails, the upload is cancelled, unless ``state`` names a file to remember it
        in: then the same call goes on with the parts that are missing, also after the process
        was killed. The state is refused when the file has another size or time of modification,
        or when the upload has expired; it is deleted when the file is complete, and when the
        server says that the upload is gone.

        No thread outlives the call, whatever ends it.

        Args:
            path: The file; anything that `Files.create` takes.
            purpose: ``"fine-tune"``, ``"batch"`` and so on.
            part_size: Bytes of each part but the last, at most (and by default) 64 MiB.
            workers: Parts that are sent at the same time.
            progress: A function ``(sent, total)`` in bytes of the file, called from the threads
                but never twice at a time; or `True` for a bar.
            state: Where to remember the upload.
            mime_type: The file's type; guessed from the name.
            filename: The file's name, if not its own.
            expires_after: When the file is deleted, see `Files.create`.
            md5: The file's MD5 in hexadecimal, if it is known already; False to send none.
            **options: See `Options`; ``extra_body`` goes into the first request.

        Returns:
            The upload, completed; its `file` is the file.

        Raises:
            RequestError: It cannot be sent, or the state is not of it.
            IntegrityError: The file changed while it was sent, or the server has another number
                of bytes than were sent.
            OSError: The file cannot be read, or the state not written.
            APIError: See `finetune_client.errors`.
        """
        with open_source(path, "path") as source:
            plan = FilePlan(
                purpose=purpose,
                part_size=PART_SIZE if part_size is None else part_size,
                workers=workers,
                progress=progress,
                state=state,
                mime_type=mime_type,
                filename=filename,
                expires_after=expires_after,
                md5=md5,
            )
            return send_in_parts(self._session, source, plan, options)

    def upload_file_chunked(
        self,
        *,
        file: FileInput,
        mime_type: str,
        purpose: str,
        filename: str | None = None,
        bytes: int | None = None,
        part_size: int | None = None,
        md5: str | None = None,
        **options: Unpack[Options],
    ) -> Upload:
        """Do what `upload_file` does, under the official SDK's name and with its arguments.

        Raises:
            RequestError: ``bytes`` is given and is not what ``file`` has.
        """
        with open_source(file) as source:
            if bytes is not None and bytes != source.size:
                raise RequestError(f"bytes= is {bytes}, but {source} has {source.size} bytes.")
            plan = FilePlan(
                purpose=purpose,
                part_size=PART_SIZE if part_size is None else part_size,
                mime_type=mime_type,
                filename=filename,
                md5=md5,
            )
            return send_in_parts(self._session, source, plan, options)


def _check_bytes(count: object, limit: int) -> None:
    whole = isinstance(count, int) and not isinstance(count, bool)
    if not whole or not 1 <= count <= limit:  # type: ignore[operator]  # whole says that it is an int
        raise RequestError(f"bytes must be a whole number from 1 to {limit}, not {count!r}.")
