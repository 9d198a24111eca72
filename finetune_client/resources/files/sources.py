"""What is sent: a path, an open file, bytes or a tuple, as one value that can be read again."""

from __future__ import annotations

import io
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeAlias

from finetune_client.errors import IntegrityError, RequestError

__all__ = [
    "BLOCK_SIZE",
    "BinaryReader",
    "FileContent",
    "FileInput",
    "Slice",
    "Source",
    "open_source",
]

BLOCK_SIZE: Final = 64 * 1024
"""Bytes read and sent at a time."""


class BinaryReader(Protocol):
    """A file open for reading bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """Read up to so many bytes."""


FileContent: TypeAlias = str | os.PathLike[str] | BinaryReader | bytes | bytearray | memoryview
"""A path, a file open for reading bytes, or the bytes themselves."""

FileInput: TypeAlias = (
    FileContent | tuple[str | None, FileContent] | tuple[str | None, FileContent, str | None]
)
"""A content, or ``(name, content)``, or ``(name, content, content type)``."""

_FORMS = "a path, a file opened with 'rb', bytes, or a tuple (name, content[, content type])"


class Source:
    """A file held open, from where it stood to its end; it can be read any number of times.

    Several threads may read at once. `check()`, and a read that comes out short, raise when the
    file has changed since the source was made. A read that fails raises the same error: requests
    would take an `OSError` for one of the network.

    Attributes:
        filename: The name that was given, or that the file has; `None` for nameless data.
        content_type: The type that was given, if any.
        size: How many bytes there are to send.
        modified: When the file was last written, in nanoseconds; 0 for what is not a regular file.
    """

    def __init__(
        self, file: IO[bytes], *, filename: str | None, content_type: str | None, ours: bool
    ) -> None:
        self.filename = filename
        self.content_type = content_type
        self._file = file
        self._start = file.tell()
        self._lock = threading.Lock()
        self._pread: Callable[[int, int, int], bytes] | None = None
        if ours and _is_regular_file(file):
            self._pread = getattr(os, "pread", None)
        self.size = _seek_end(file) - self._start
        file.seek(self._start)
        self._initial = self._fingerprint()
        self.modified = self._initial[1]

    def read_at(self, offset: int, size: int) -> bytes:
        """Read up to ``size`` bytes from ``offset``, which counts from where the source begins."""
        try:
            if self._pread is not None:
                return self._pread(self._file.fileno(), size, self._start + offset)
            with self._lock:
                self._file.seek(self._start + offset)
                return self._file.read(size)
        except OSError as error:
            reason = error.strerror or error
            message = f"{self} could not be read to its end while it was being sent: {reason}."
            raise IntegrityError(message, outcome="not_sent") from error

    def slice(self, offset: int, size: int) -> Slice:
        """Return a range of it, to be sent by itself."""
        return Slice(self, offset, size)

    def blocks(self) -> Iterator[bytes]:
        """Read all of it from the beginning, in blocks."""
        return self.slice(0, self.size).blocks()

    def check(self) -> None:
        """Check that the file has not changed.

        Raises:
            IntegrityError: Its size or its time of modification has changed.
        """
        now = self._fingerprint()
        if now != self._initial:
            raise self.changed(now[0])

    def changed(self, size: int) -> IntegrityError:
        """Return the error of a file that changed and has ``size`` bytes now."""
        was = self._initial[0]
        how = "was written to" if size == was else f"had {was} bytes and now has {size}"
        return IntegrityError(
            f"{self} changed while it was being sent: it {how}. Nothing was stored; send it "
            "again when it is complete and nothing writes to it any more.",
            outcome="not_sent",
        )

    def rewind(self) -> None:
        """Put the file back to where it stood."""
        with self._lock:
            self._file.seek(self._start)

    def forward(self) -> None:
        """Leave the file at the end of what was sent, as reading it would have."""
        with self._lock:
            self._file.seek(self._start + self.size)

    def _fingerprint(self) -> tuple[int, int]:
        if _is_regular_file(self._file):
            found = os.fstat(self._file.fileno())
            return found.st_size, found.st_mtime_ns
        with self._lock:
            return _seek_end(self._file), 0

    def __str__(self) -> str:
        return f"The file {self.filename!r}" if self.filename else "The data without a name"


class Slice:
    """A range of a source; what a multipart body carries."""

    def __init__(self, source: Source, offset: int, size: int) -> None:
        self.source = source
        self.offset = offset
        self.size = size

    def blocks(self) -> Iterator[bytes]:
        """Read it from its beginning, in blocks.

        Raises:
            IntegrityError: The file ends before the range does.
        """
        at, end = self.offset, self.offset + self.size
        while at < end:
            block = self.source.read_at(at, min(BLOCK_SIZE, end - at))
            if not block:
                raise self.source.changed(at)
            yield block
            at += len(block)

    def check(self) -> None:
        """Check that the file has not changed; see `Source.check`."""
        self.source.check()


@contextmanager
def open_source(given: FileInput, argument: str = "file") -> Iterator[Source]:
    """Open what is to be sent.

    An open file is sent from where it stands, and left at its end; if sending fails it is
    put back to where it stood. What cannot be rewound (a pipe, a socket's file) is copied to a
    temporary file first, so that its length is known and a second try can be made.

    Raises:
        RequestError: It cannot be sent, or it is empty.
        OSError: A path cannot be opened.
    """
    name, content, kind = _unpacked(given, argument)
    with ExitStack() as stack:
        file, ours = _opened(content, argument, stack)
        named = name or _name_of(content)
        source = Source(file, filename=named, content_type=kind, ours=ours)
        if source.size == 0:
            raise RequestError(f"{source} is empty ({argument}=); nothing was sent.")
        try:
            yield source
        except BaseException:
            source.rewind()
            raise
        source.forward()


def _unpacked(given: Any, argument: str) -> tuple[str | None, Any, str | None]:
    if not isinstance(given, tuple):
        return None, given, None
    name, content, kind = [*given, None, None][:3]
    texts = isinstance(name, str | None) and isinstance(kind, str | None)
    if len(given) not in {2, 3} or isinstance(content, str) or not texts:
        raise RequestError(
            f"{argument}= must be {_FORMS}; in a tuple, content is bytes, an open file or a Path."
        )
    return name, content, kind


def _opened(content: Any, argument: str, stack: ExitStack) -> tuple[IO[bytes], bool]:
    """Return a file that can be rewound, and whether nobody else reads from it."""
    if isinstance(content, (bytes, bytearray, memoryview)):
        return io.BytesIO(content), True
    if isinstance(content, (str, os.PathLike)):
        _refuse_text(content, argument)
        file: IO[bytes] = stack.enter_context(Path(content).open("rb", buffering=0))  # noqa: SIM115  the stack closes it
        return (file, True) if _is_regular_file(file) else (_spooled(file, argument, stack), True)
    if not callable(getattr(content, "read", None)):
        raise RequestError(f"{argument}= must be {_FORMS}, not {type(content).__name__}.")
    if getattr(content, "closed", False) is True:
        raise RequestError(f"{argument}= is a file that is closed; open it again, with 'rb'.")
    if not _rewinds(content):
        return _spooled(content, argument, stack), True
    start = content.tell()
    with suppress(OSError):  # raised again, with its sentence, when all of it is read
        _block(content, 1, argument)
    content.seek(start)
    return content, False


def _refuse_text(path: Any, argument: str) -> None:
    if isinstance(path, str) and "\n" in path:
        raise RequestError(
            f"{argument}= is text, which is taken for a path, but it has several lines; "
            "give content as bytes: text.encode()."
        )


def _rewinds(file: Any) -> bool:
    """Return whether a file can be measured and read twice."""
    if stat.S_ISFIFO(_mode(file)):  # on Windows, seeking in a pipe succeeds and does nothing
        return False
    try:
        start = file.tell()
        file.seek(0, os.SEEK_END)
        file.seek(start)
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _seek_end(file: IO[bytes]) -> int:
    """Return the size of a file, and leave it at its end.

    Not every file-like object's `seek` returns the position, so `tell` is asked.
    """
    file.seek(0, os.SEEK_END)
    return file.tell()


def _spooled(file: Any, argument: str, stack: ExitStack) -> IO[bytes]:
    copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack closes it
    while block := _block(file, BLOCK_SIZE, argument):
        copy.write(block)
    copy.flush()
    copy.seek(0)
    return copy


def _block(file: Any, size: int, argument: str) -> bytes:
    """Read from a file, and refuse one in text mode.

    Reading 0 bytes would show the mode too, but some file-like objects then read everything.
    """
    block: bytes | str = file.read(size)
    if isinstance(block, str):
        raise RequestError(f"{argument}= is a file in text mode; open it with 'rb'.")
    return block


def _is_regular_file(file: Any) -> bool:
    """Return whether a file is a regular file of the operating system."""
    return stat.S_ISREG(_mode(file))


def _mode(file: Any) -> int:
    """Return the mode of a file; 0 if the operating system does not know it."""
    try:
        return os.fstat(file.fileno()).st_mode
    except (AttributeError, OSError, TypeError, ValueError):
        return 0


def _name_of(content: Any) -> str | None:
    path = content if isinstance(content, (str, os.PathLike)) else getattr(content, "name", None)
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    name = Path(os.fsdecode(path)).name
    return None if name.startswith("<") else name or None
