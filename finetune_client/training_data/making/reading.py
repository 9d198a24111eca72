"""Rows out of JSONL, JSON, CSV and TSV files, one at a time."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.training_data.jsonl import encoding_by, read_lines
from finetune_client.training_data.sources import open_file

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
) -> Iterator[dict[str, Any]]:
    """Return the rows of a file, one at a time, in memory that does not grow with the file.

    JSONL may have a byte order mark, CRLF and blank lines. JSON is an array of objects, or objects
    one after the other. The first row of CSV and TSV names the columns, and every cell is text, as
    long as `csv.field_size_limit` allows.

    Args:
        path: The file, in UTF-8 or UTF-16.
        columns: The key to give -> the file's name for it, as
            ``{"prompt": "Question", "completion": "Answer"}``; nothing else is given then.
        format: What the file is, where its suffix does not tell.

    Raises:
        RequestError: The format is not known.
        TrainingDataError: The file or a row cannot be read, or a row is not an object, or lacks a
            column; the message names the place. Rows before it have been given by then.
    """
    source = Path(path)
    kind = format or _SUFFIXES.get(source.suffix.lower())
    if kind not in _READERS:
        raise RequestError(
            f"What kind of file {source} is cannot be told from its name: pass format=, one of "
            f"{', '.join(_READERS)}."
        )
    return _renamed(source, _READERS[kind](source), columns)


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


def _jsonl(source: Path) -> Iterator[_Row]:
    for number, raw, _ in read_lines(source):
        if raw:
            try:
                value = json.loads(raw)
            except (ValueError, RecursionError) as error:
                raise _unreadable(source, f"line {number}", f"not JSON ({error})") from error
            yield _Row(f"line {number}", value)


def _json(source: Path) -> Iterator[_Row]:
    with _text(source) as file:
        stream = _Stream(file)
        try:
            for number, value in enumerate(stream.values(), 1):
                yield _Row(f"object {number}", value)
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


def _csv(source: Path, dialect: str = "excel") -> Iterator[_Row]:
    with _text(source, newline="") as file:
        rows = csv.DictReader(file, dialect=dialect, strict=True)
        try:
            _check_names(source, rows.fieldnames or [])
            for row in rows:
                yield _Row(f"line {rows.line_num}", _whole(source, rows.line_num, row))
        except (csv.Error, UnicodeError) as error:
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
        raise _unreadable(source, f"line {number}", f"the row needs {len(names)} cells")
    return row


def _tsv(source: Path) -> Iterator[_Row]:
    return _csv(source, "excel-tab")


def _text(source: Path, newline: str | None = None) -> TextIO:
    file = open_file(source)
    encoding = encoding_by(file.peek(4)).replace("utf-8", "utf-8-sig")
    return io.TextIOWrapper(file, encoding, newline=newline)


_READERS = {"jsonl": _jsonl, "json": _json, "csv": _csv, "tsv": _tsv}
