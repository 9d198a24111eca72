"""The content of a file: bytes, with the methods of the official SDK's answer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from finetune_client.atomic_file import replacing
from finetune_client.resources.arguments import as_path

__all__ = ["FileBytes"]


class FileBytes(bytes):
    """The content of a file, as `Files.content` returns it.

    It is `bytes` in every way (equal to them, pickled as they are), and has what scripts for the
    official SDK call on its answer. The text is read as UTF-8.

    https://developers.openai.com/api/reference
    """

    __slots__ = ()

    @property
    def content(self) -> bytes:
        """The bytes."""
        return self

    @property
    def text(self) -> str:
        """The text; bytes that are not UTF-8 are shown as U+FFFD."""
        return self.decode("utf-8", "replace")

    def read(self) -> bytes:
        """Return the bytes, each time all of them."""
        return self

    def json(self, **options: Any) -> Any:
        """Return what the content is as one JSON document.

        Args:
            **options: See `json.loads`.

        Raises:
            ValueError: It is not JSON; a ``.jsonl`` file is many documents, see `iter_lines`.
        """
        return json.loads(self, **options)

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the bytes in blocks.

        Args:
            chunk_size: Bytes in a block; `None` for all in one.
        """
        size = chunk_size or len(self) or 1
        return (self[start : start + size] for start in range(0, len(self), size))

    def iter_lines(self) -> Iterator[str]:
        """Yield the lines of the text, without their ends."""
        return (line.decode("utf-8", "replace") for line in self.splitlines())

    def write_to_file(self, file: str | os.PathLike[str]) -> None:
        """Write the content to a file, whole or not at all, as `Files.download` does.

        Raises:
            RequestError: ``file`` is not a path, or is a directory or a device.
            OSError: It cannot be written.
        """
        with replacing(as_path(file, "file")) as target:
            target.write(self)
