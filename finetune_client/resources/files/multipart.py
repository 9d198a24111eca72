"""A multipart/form-data body that is written while it is sent (RFC 7578).

Why no library writes it, and what was measured: ``docs/decisions/files.md``.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Protocol

from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from finetune_client.resources.files.progress import OnProgress

__all__ = ["BINARY", "Content", "Multipart"]

BINARY: Final = "application/octet-stream"

_ESCAPES: Final = {
    **{code: f"%{code:02X}" for code in (*range(0x20), ord('"'), 0x7F)},
    ord("\\"): "\\\\",
}
"""Characters that must not stand in a quoted name, written as browsers do
(https://html.spec.whatwg.org/#multipart-form-data); the backslash as a quoted pair, without
which servers that know quoted pairs take a name that ends in a backslash for one without an end."""


class Content(Protocol):
    """The file of a body: its size, and its bytes in blocks, from the beginning each time."""

    size: int

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes."""

    def check(self) -> None:
        """Raise if the bytes that were read are not all there are."""


class Multipart:
    """Text fields and then one file. Each iteration yields the whole body again.

    The closing boundary comes only after the content was checked, so that a server never has a
    complete request with an incomplete file.

    Args:
        fields: Names and values, in the order they are sent.
        name: The name of the file's field.
        content: The file.
        filename: Its name, in any language.
        content_type: Its type.
        on_progress: Called with ``(sent, size)``, in bytes of the file, before the first block and
            after each; it begins at 0 again when the body is sent again.
    """

    def __init__(
        self,
        fields: Iterable[tuple[str, str]],
        *,
        name: str,
        content: Content,
        filename: str,
        content_type: str | None = None,
        on_progress: OnProgress,
    ) -> None:
        self._fields = tuple(fields)
        self._name = name
        self._filename = filename
        self._file_type = content_type
        self._content = content
        self._on_progress = on_progress
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [f'{_opening(boundary, key)}"\r\n\r\n{value}\r\n' for key, value in self._fields]
        parts.append(f'{_opening(boundary, name)}"; filename="{_escaped(filename)}"\r\n')
        parts.append(f"Content-Type: {_escaped(content_type or BINARY)}\r\n\r\n")
        self._head = "".join(parts).encode("utf-8", "replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    def with_fields(self, added: Iterable[tuple[str, str]]) -> Multipart:
        """Return the body with more fields; they replace those of the same name.

        Raises:
            RequestError: One is called like the file's field.
        """
        added = tuple(added)
        names = {key.partition("[")[0] for key, _ in added}
        if self._name in names:
            raise RequestError(
                f"extra_body cannot replace the field {self._name!r}: it is the file."
            )
        kept = [pair for pair in self._fields if pair[0].partition("[")[0] not in names]
        return Multipart(
            [*kept, *added],
            name=self._name,
            content=self._content,
            filename=self._filename,
            content_type=self._file_type,
            on_progress=self._on_progress,
        )

    def __len__(self) -> int:
        return len(self._head) + self._content.size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        sent, size = 0, self._content.size
        self._on_progress(sent, size)
        yield self._head
        for block in self._content.blocks():
            yield block
            sent += len(block)
            self._on_progress(sent, size)
        self._content.check()
        yield self._tail


def _opening(boundary: str, name: str) -> str:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{_escaped(name)}'


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
