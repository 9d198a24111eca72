"""Rows out of JSONL, JSON, CSV and TSV files, one at a time."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from finetune_client.display import counted
from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.training_data.file_kinds import HEAD, FileKind, file_kind
from finetune_client.training_data.jsonl import encoding_by, lines_of
from finetune_client.training_data.sources import open_file
from finetune_client.training_data.text_encodings import (
    check_encoding,
    is_utf8,
    line_of_error,
    not_decodable,
)

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["RowFormat", "read_rows"]

RowFormat: TypeAlias = Literal["jsonl", "json", "csv", "tsv"]

_SUFFIXES: dict[str, RowFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
}
_FORMATS: tuple[RowFormat, ...] = ("jsonl", "json", "csv", "tsv")
_BLOCK = 64 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_LONGEST_MARK = 16
"""Characters: more than those of ``-Infinity`` and of a pair of escapes."""


class _Row(NamedTuple):
    place: str
    value: Any


def read_rows(
    path: str | os.PathLike[str],
    columns: Mapping[str, str] | None = None,
    *,
    format: RowFormat | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Return the rows of a file, one at a time, in memory that does not grow with the file.

    JSONL may have a byte order mark, CRLF and blank lines. JSON is an array of objects, or objects
    one after the other. The first row of CSV and TSV names the columns, and every cell is text, as
    long as `csv.field_size_limit` allows. Each of them may be compressed with gzip.

    Args:
        path: The file.
        columns: The key to give -> the file's name for it, as
            ``{"prompt": "Question", "completion": "Answer"}``; nothing else is given then.
        format: What the file is; by default its suffix tells, with or without ``.gz``, but JSON and
            CSV are also read where they are called something else.
        encoding: What it is in, if that is neither UTF-8 nor UTF-16: a name that Python knows, such
            as ``cp1252`` (Windows-1252), which Excel writes in Western Europe.
        delimiter: What stands between the cells of CSV, such as ``;``; by default what its first rows
            show.

    Raises:
        RequestError: The format or the encoding is not known, or the delimiter is not one character.
        TrainingDataError: The file or a row cannot be read, or a row is not an object, or lacks a
            column; the message names the place. Rows before it have been given by then.
    """
    check_encoding(encoding)
    source = Path(path)
    named = _SUFFIXES.get(_suffix(source))
    kind = format or ("csv" if delimiter is not None and named != "tsv" else None)
    if kind is None and named is None and source.is_file():
        named = _kind_by_content(source, encoding)
    if (kind or named) not in _FORMATS:
        raise RequestError(
            f"What kind of file {source} is cannot be told from its name: pass format= "
            f"(--format), one of {', '.join(_FORMATS)}."
        )
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise RequestError(f"delimiter must be one character, such as ';', got {delimiter!r}.")
    return _renamed(source, _rows(source, kind, named, encoding, delimiter), columns)


def _suffix(source: Path) -> str:
    suffixes = [suffix.lower() for suffix in source.suffixes[-2:]]
    return suffixes[0] if suffixes[1:] == [".gz"] else "".join(suffixes[-1:])


def _rows(
    source: Path,
    format: RowFormat | None,
    named: RowFormat | None,
    encoding: str | None,
    delimiter: str | None,
) -> Iterator[_Row]:
    try:
        with _opened(source) as file:
            found = _found(file, source, encoding)
            kind = format or named
            readable_as = found and found.readable_as
            if format is None and named in ("jsonl", "json") and readable_as in ("json", "csv"):
                kind = readable_as
            if kind == "jsonl":
                yield from _jsonl(file, source, encoding)
            elif kind == "json":
                yield from _json(file, source, encoding)
            else:
                usual = "\t" if kind == "tsv" else ","
                if found is not None and kind == readable_as == "csv":
                    usual = found.delimiter
                yield from _csv(file, source, encoding, delimiter or usual)
    except UnicodeDecodeError as error:
        place = "somewhere"
        if source.is_file():  # a pipe cannot be read again
            with _opened(source) as file:
                place = f"line {line_of_error(file, error.encoding)}"
        raise not_decodable(source, place, error, error.encoding) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TrainingDataError(f"{source} cannot be unpacked: {error}.") from error


def _kind_by_content(source: Path, encoding: str | None) -> RowFormat | None:
    """Return what a file is whose name does not tell."""
    with _opened(source) as file:
        found = _found(file, source, encoding)
    readable_as = found and found.readable_as
    return readable_as if readable_as in ("json", "csv") else None


def _found(file: io.BufferedReader, source: Path, encoding: str | None) -> FileKind | None:
    """Return what a file is by its beginning, if that is neither JSONL nor unknown.

    Raises:
        TrainingDataError: It is something that cannot be read.
    """
    head = file.peek(HEAD)[:HEAD]
    # A pipe and what is unpacked give fewer bytes than there are.
    whole = len(head) < HEAD and file.seekable()
    found = file_kind(head, whole=whole, encoding=encoding)
    if found is not None and found.readable_as is None:
        raise TrainingDataError(
            f"{source} is {found.found} and cannot be read. {found.remedy.format(path=source)}."
        )
    return found


@contextmanager
def _opened(source: Path) -> Iterator[io.BufferedReader]:
    """Open a file to read its bytes, unpacked if it is compressed with gzip."""
    with open_file(source, HEAD) as file:
        if file.peek(3).startswith(b"\x1f\x8b\x08"):
            raw: Any = gzip.GzipFile(fileobj=file)  # typeshed's does not pass for a RawIOBase
            with io.BufferedReader(raw, HEAD) as unpacked:
                yield unpacked
        else:
            yield file


def _renamed(
    source: Path, rows: Iterator[_Row], columns: Mapping[str, str] | None
) -> Iterator[dict[str, Any]]:
    for place, row in rows:
        if not isinstance(row, dict):
            raise _unreadable(source, place, f"an object is wanted, not {json.dumps(row)[:60]}")
        if columns is None:
            yield row
            continue
        missing = [theirs for theirs in columns.values() if theirs not in row]
        if missing:
            there = ", ".join(map(repr, row))
            raise _unreadable(source, place, f"there is no {missing[0]!r}, only {there}")
        yield {ours: row[theirs] for ours, theirs in columns.items()}


def _unreadable(source: Path, place: str, reason: str) -> TrainingDataError:
    return TrainingDataError(f"{source}, {place}: {reason}.", problems=[f"{place}: {reason}"])


def _jsonl(file: io.BufferedReader, source: Path, encoding: str | None) -> Iterator[_Row]:
    for number, raw, _ in lines_of(file, source, encoding):
        if raw:
            try:
                value = json.loads(raw.decode())
            except UnicodeDecodeError as error:
                raise not_decodable(source, f"line {number}", error, "utf-8") from error
            except (ValueError, RecursionError) as error:
                raise _unreadable(source, f"line {number}", f"not JSON ({error})") from error
            yield _Row(f"line {number}", value)


def _json(file: io.BufferedReader, source: Path, encoding: str | None) -> Iterator[_Row]:
    with _text(file, encoding) as text:
        stream = _Stream(text)
        try:
            for number, value in enumerate(stream.values(), 1):
                yield _Row(f"object {number}", value)
        except UnicodeDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            place = f"around character {stream.position}"
            raise _unreadable(source, place, f"not JSON ({error})") from error


class _Stream:
    """The values of a JSON array, or values one after the other, without holding them all."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._buffer = ""
        self._start = 0
        self._passed = 0
        self._decode = json.JSONDecoder().raw_decode

    @property
    def position(self) -> int:
        """Characters read and used."""
        return self._passed + self._start

    def values(self) -> Iterator[Any]:
        if self._next() != "[":
            while self._next():
                yield self._value()
            return
        self._start += 1
        if self._next() == "]":
            self._start += 1
        else:
            yield from self._items()
        if self._next():
            raise ValueError("there is more after the end of the array")

    def _items(self) -> Iterator[Any]:
        while True:
            yield self._value()
            mark = self._next()
            self._start += 1
            if mark == "]":
                return
            if mark != ",":
                raise ValueError("a comma or the end of the array is wanted")
            self._next()

    def _next(self) -> str:
        """Return the next character that is not a space, without passing it; empty at the end."""
        while True:
            space = _SPACE.match(self._buffer, self._start)
            self._start = space.end() if space else self._start
            if self._start < len(self._buffer):
                return self._buffer[self._start]
            if not self._more(_BLOCK):
                return ""

    def _more(self, size: int) -> bool:
        more = self._file.read(size)
        if more:
            self._buffer = self._buffer[self._start :] + more
            self._passed += self._start
            self._start = 0
        return bool(more)

    def _value(self) -> Any:
        while True:
            try:
                value, end = self._decode(self._buffer, self._start)
                complete = end < len(self._buffer) or not self._more(_BLOCK)
            except json.JSONDecodeError as error:
                complete = False
                if not self._is_cut(error) or not self._more(max(_BLOCK, len(self._buffer))):
                    raise
            if complete:
                self._start = end
                return value

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Return whether what looks broken may only continue beyond what has been read."""
        at_end = error.pos > len(self._buffer) - _LONGEST_MARK
        return at_end or error.msg.startswith("Unterminated string")


def _csv(
    file: io.BufferedReader, source: Path, encoding: str | None, delimiter: str
) -> Iterator[_Row]:
    with _text(file, encoding, newline="") as text:
        rows = csv.DictReader(text, delimiter=delimiter, strict=True)
        try:
            _check_names(source, rows.fieldnames or [])
            for row in rows:
                yield _Row(f"line {rows.line_num}", _whole(source, rows.line_num, row))
        except csv.Error as error:
            place = f"line {rows.line_num + 1}"
            hint = "; csv.field_size_limit allows longer cells" * ("limit" in str(error))
            raise _unreadable(source, place, f"not readable as CSV ({error}){hint}") from error


def _check_names(source: Path, names: Sequence[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise _unreadable(source, "line 1", f"more than one column is named {twice[0]!r}")


def _whole(source: Path, number: int, row: dict[str | Any, str | Any]) -> dict[str, str]:
    if None in row or None in row.values():
        names = [name for name in row if name is not None]
        raise _unreadable(source, f"line {number}", f"the row needs {counted(len(names), 'cell')}")
    return row


def _text(
    file: io.BufferedReader, encoding: str | None, newline: str | None = None
) -> io.TextIOWrapper:
    detected = encoding_by(file.peek(4))
    if detected == "utf-8" and encoding is not None and not is_utf8(encoding):
        detected = encoding
    return io.TextIOWrapper(file, detected.replace("utf-8", "utf-8-sig"), newline=newline)
