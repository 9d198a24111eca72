"""Files as they come down: into memory, block by block, or onto the disk."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from finetune_client.atomic_file import replacing
from finetune_client.models import FileObject
from finetune_client.resources.arguments import path_of
from finetune_client.resources.base import Resource
from finetune_client.resources.files.download import IDENTITY, Download, checked_blocks
from finetune_client.resources.files.progress import reporting, silent
from finetune_client.resources.options import apply
from finetune_client.transport import path_segment
from finetune_client.transport.request import Request

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typing_extensions import Unpack

    from finetune_client.resources.files.progress import Progress
    from finetune_client.resources.options import Options

__all__ = ["Contents", "file_path"]


class Contents(Resource):
    """What `Files` does with the content of a file that is on the server."""

    __slots__ = ()

    def retrieve(self, file_id: str, **options: Unpack[Options]) -> FileObject:
        """Get what the server knows of a file."""
        request = Request(method="GET", path=file_path(file_id), expect_id=file_id)
        return self._read(request, FileObject.from_dict, options)

    def content(self, file_id: str, **options: Unpack[Options]) -> bytes:
        """Get a file's content, all of it in memory; `download` and `stream` hold a block.

        Result files of OpenAI come in base64; `finetune_client.metrics` reads both kinds.

        Raises:
            IntegrityError: It was cut, again and again.
            APIResponseError: What came is compressed, or a web page.
            APIError: See `finetune_client.errors`.
        """
        request, look = self._parts(file_id, options)
        sink = io.BytesIO()
        Download(self._session, request, sink, look=look, sized=False, report=silent).run()
        return sink.getvalue()

    def download(
        self,
        file_id: str,
        path: str | os.PathLike[str],
        *,
        progress: Progress = None,
        **options: Unpack[Options],
    ) -> Path:
        """Write a file's content to ``path``, whole or not at all.

        It is written to a new file beside ``path``, which takes its place once it is whole and on
        the disk; until then a file that stands there is what it was. A transfer that is cut is
        gone on with where it stopped, up to five times in a row without getting further.

        Args:
            file_id: The file.
            path: Where to write; the folder must be there.
            progress: A function ``(received, total)`` in bytes, or `True` for a bar.
            **options: See `Options`.

        Returns:
            ``path``.

        Raises:
            IntegrityError: It was cut again and again, or is not as long as the file object says.
            APIResponseError: What came is compressed, or a web page.
            RequestError: ``path`` is no path, or is a directory or a device.
            OSError: It cannot be written.
            APIError: See `finetune_client.errors`.
        """
        request, look = self._parts(file_id, options)
        target = path_of(path, "path")
        with replacing(target) as sink, reporting(progress, target.name) as report:
            Download(self._session, request, sink, look=look, sized=True, report=report).run()
        return target

    def stream(self, file_id: str, **options: Unpack[Options]) -> Iterator[bytes]:
        """Get a file's content in blocks of at most 64 KiB, as it comes.

        Nothing is sent before the first block is asked for. A transfer that is cut is not gone on
        with. If you stop early, close the iterator (or let it go), which closes the connection.

        Raises:
            IntegrityError: It was cut.
            APIResponseError: What came is compressed, or a web page.
            APIError: See `finetune_client.errors`.
        """
        return self._blocks(_content(file_id, options), self._look(file_id, options))

    def _blocks(self, request: Request, look: Callable[[], FileObject]) -> Iterator[bytes]:
        with self._session.stream(request) as reply:
            yield from checked_blocks(request, reply, look=look)

    def _parts(self, file_id: str, options: Options) -> tuple[Request, Callable[[], FileObject]]:
        """Make the request of the content, and `_look`, under one total timeout."""
        deadline = self._session.deadline()
        request = replace(_content(file_id, options), deadline=deadline)
        return request, self._look(file_id, options, deadline)

    def _look(
        self, file_id: str, options: Options, deadline: float | None = None
    ) -> Callable[[], FileObject]:
        """Make what gets the file object, once, when it is needed."""
        plain = Request(method="GET", path=file_path(file_id), expect_id=file_id, deadline=deadline)
        return lru_cache(maxsize=1)(lambda: self._read(plain, FileObject.from_dict, options))


def file_path(file_id: str) -> str:
    """Return the path of a file."""
    return f"/files/{path_segment(file_id, 'file_id')}"


def _content(file_id: str, options: Options) -> Request:
    path = f"{file_path(file_id)}/content"
    request = Request(method="GET", path=path, headers=IDENTITY, accept="application/binary")
    return apply(request, options)
