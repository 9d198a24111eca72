"""The lines of a JSONL file without what does not belong there, and what makes two the same."""

from __future__ import annotations

import codecs
import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from finetune_client.errors import TrainingDataError
from finetune_client.training_data.sources import open_file
from finetune_client.training_data.text_encodings import is_utf8, not_decodable, recoded

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = [
    "Line",
    "canonical",
    "encoding_by",
    "encoding_of",
    "lines_of",
    "long_digest",
    "read_lines",
    "sameness",
    "short_digest",
]

_UTF_16 = {
    "utf-16": re.compile(rb"\xff\xfe[^\0]\0|\xfe\xff\0[^\0]"),
    "utf-16-le": re.compile(rb"[^\0]\0[^\0]\0"),
    "utf-16-be": re.compile(rb"\0[^\0]\0[^\0]"),
}

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class Line(NamedTuple):
    """One line.

    Attributes:
        number: Counted from 1, in the file as it is.
        raw: Its bytes as UTF-8, without byte order mark and line end; empty if it is blank.
        found: The codes of what was taken away.
    """

    number: int
    raw: bytes
    found: tuple[str, ...]


def encoding_of(path: str | os.PathLike[str]) -> str:
    """Return the encoding of a file by its beginning, as `encoding_by` does."""
    with open_file(path) as file:
        return encoding_by(file.read(4))


def encoding_by(head: bytes) -> str:
    """Return the encoding of a file by its first four bytes.

    It is ``utf-16`` where that byte order mark and a letter of ASCII stand there, ``utf-16-le``
    or ``utf-16-be`` where two letters of ASCII do without a mark, else ``utf-8``.
    """
    return next((name for name, begins in _UTF_16.items() if begins.match(head)), "utf-8")


def read_lines(path: str | os.PathLike[str], encoding: str | None = None) -> Iterator[Line]:
    """Read a file line by line, whatever wrote it: UTF-8 or UTF-16, with CRLF, with blank lines.

    Args:
        path: The file.
        encoding: What it is in, if that is neither of them.

    Raises:
        TrainingDataError: It cannot be read, begins as UTF-16 and is not, or is not in the encoding
            that was given.
    """
    with open_file(path) as file:
        yield from lines_of(file, path, encoding)


def lines_of(
    file: io.BufferedReader, path: str | os.PathLike[str], encoding: str | None = None
) -> Iterator[Line]:
    """Read an open file line by line, as `read_lines` does; messages call it `path`."""
    detected = encoding_by(file.peek(4))
    lines: Iterator[tuple[bytes, bool]]
    if detected != "utf-8":
        is_not = "begins as a UTF-16 file but is not one"
        lines = ((raw, False) for raw in _read_as(file, detected, f"{path} {is_not}"))
    elif encoding is None or is_utf8(encoding):
        lines = ((raw, False) for raw in file)
    elif "\n".encode(encoding) == b"\n":
        lines = _recoded(file, path, encoding)
    else:
        lines = ((raw, True) for raw in _read_as(file, encoding, f"{path} is not {encoding}"))
    for number, (raw, is_changed) in enumerate(lines, 1):
        line = _cleaned(number, raw)
        yield line._replace(found=("encoding", *line.found)) if is_changed else line


def _recoded(
    file: io.BufferedReader, path: str | os.PathLike[str], encoding: str
) -> Iterator[tuple[bytes, bool]]:
    """Return the lines in UTF-8, and whether they were not."""
    number = 1
    try:
        for raw in file:
            line = recoded(raw, encoding)
            yield line, line != raw
            number += 1
    except UnicodeDecodeError as error:
        raise not_decodable(path, f"line {number}", error, encoding) from error


def _read_as(file: io.BufferedReader, encoding: str, wrong: str) -> Iterator[bytes]:
    """Return the lines in UTF-8, of a file in which a line feed takes more than a byte."""
    with io.TextIOWrapper(file, encoding, newline="\n") as text:
        try:
            for line in text:
                yield line.encode()
        except UnicodeError as error:
            raise TrainingDataError(f"{wrong} ({error}): save it as UTF-8.") from error


def _cleaned(number: int, raw: bytes) -> Line:
    found = []
    line = raw
    while line.startswith(codecs.BOM_UTF8):
        line = line[len(codecs.BOM_UTF8) :]
    if len(line) != len(raw):
        found.append("byte_order_mark")
    if not line.strip():
        return Line(number, b"", (*found, "blank_line"))
    if not line.endswith(b"\n"):
        found.append("no_line_feed")
    line = line.removesuffix(b"\n")
    if line.endswith(b"\r"):
        found.append("crlf")
        line = line.rstrip(b"\r")
    return Line(number, line, tuple(found))


def sameness(raw: bytes) -> bytes:
    """Return what two lines share if they hold the same value, whatever the order of its keys.

    A line that is not JSON is the same as one of the same bytes only.
    """
    try:
        return canonical(json.loads(raw))
    except (ValueError, RecursionError):
        return b"\xff" + raw


def canonical(value: Any) -> bytes:
    """Write a JSON value so that equal ones give equal bytes, whatever the order of keys."""
    return _CANONICAL.encode(value).encode()


def short_digest(data: bytes, key: bytes = b"") -> int:
    """Return a number of 64 bits for some bytes; another key gives other numbers."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=key).digest(), "big")


def long_digest(data: bytes) -> bytes:
    """Return 16 bytes that no two different texts share."""
    return hashlib.blake2b(data, digest_size=16).digest()
