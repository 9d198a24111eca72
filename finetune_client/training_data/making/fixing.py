"""Repairing a JSONL file where that changes no example: a new file, and a list of what was done."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune_client.atomic_file import refuse_existing, replacing
from finetune_client.display import counted
from finetune_client.training_data.file_kinds import refuse_other_kinds
from finetune_client.training_data.formats import FORMATS, FormatName, detect_format
from finetune_client.training_data.jsonl import (
    encoding_of,
    long_digest,
    read_lines,
    sameness,
)
from finetune_client.training_data.line_hashes import LineHashes
from finetune_client.training_data.null_keys import without_null_keys
from finetune_client.training_data.problems import KEPT
from finetune_client.training_data.sources import refuse_irregular
from finetune_client.training_data.text_encodings import check_encoding

__all__ = ["CHANGES", "Change", "Fixed", "fix"]

CHANGES = {
    "utf16": "The file was UTF-16 and is now UTF-8.",
    "encoding": "The line was {encoding} and is now UTF-8.",
    "byte_order_mark": "Took away the byte order mark.",
    "crlf": "Took away the carriage return before the line feed.",
    "no_line_feed": "Added the line feed that the last line lacked.",
    "blank_line": "Left out a blank line.",
    "null_keys": "Took away keys whose value is null.",
    "duplicate_example": "Left out an example that is the same as that of line {first}.",
}
"""Code of a change -> what was done."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that `fix` did.

    Attributes:
        line: The line in the file as it was, from 1; None for the file as a whole.
        code: A key of `CHANGES`.
        message: What was done, as a sentence.
    """

    line: int | None
    code: str
    message: str

    def __str__(self) -> str:
        place = "The file" if self.line is None else f"Line {self.line}"
        return f"{place}: {self.message} ({self.code})"


@dataclass(frozen=True, slots=True)
class Fixed:
    """What `fix` did.

    Attributes:
        path: The new file.
        lines_read: The lines of the file as it was.
        lines_written: Those of the new one.
        counts: How many changes of each code were made.
        changes: The first `KEPT` of each code, in the order of the file.
    """

    path: Path
    lines_read: int
    lines_written: int
    counts: dict[str, int]
    changes: list[Change]

    def __str__(self) -> str:
        total = sum(self.counts.values())
        head = (
            f"{self.path}: {self.lines_written:,} of {counted(self.lines_read, 'line')}, "
            f"{counted(total, 'change')}."
        )
        shown = [str(change) for change in self.changes]
        if len(shown) < total:
            shown.append(f"... and {counted(total - len(shown), 'more change')} of the same kinds.")
        return "\n".join([head, *shown])


def fix(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    encoding: str | None = None,
    duplicates: bool = True,
    overwrite: bool = False,
) -> Fixed:
    """Write a new file in which UTF-16, byte order marks, CRLF and blank lines are repaired.

    So is another encoding that is named. Lines that are UTF-8 in a file of ``cp1252`` or the like
    stay what they are. Keys that are null because other lines have them are left out.

    No example is changed: lines are copied byte for byte otherwise, those too that are not JSON
    at all (`check` tells about them). Memory: 16 bytes a line.

    Args:
        path: The file to repair; it is only read.
        output: The new file, by default ``train.fixed.jsonl`` beside ``train.jsonl``.
        encoding: What the file was written in, if that is neither UTF-8 nor UTF-16: a name that
            Python knows, such as ``cp1252`` (Windows-1252).
        duplicates: Leave out an example that stood in the file before, whatever the order of
            its keys.
        overwrite: Replace a file of the name ``output``.

    Raises:
        FileExistsError: There is a file ``output``, and ``overwrite`` is not set.
        RequestError: There is no such encoding.
        TrainingDataError: The file cannot be read, begins as UTF-16 and is not, is not in the
            encoding, or is plainly not JSONL.
    """
    check_encoding(encoding)
    source = Path(path)
    target = source.with_suffix(f".fixed{source.suffix}") if output is None else Path(output)
    refuse_existing(target, overwrite=overwrite)
    refuse_irregular(source)
    refuse_other_kinds(source)
    format_ = detect_format((line.raw for line in read_lines(source, encoding)), tuple(FORMATS))
    repeated = _repeated_lines(source, encoding, format_) if duplicates else set()
    work = _Work(format_, repeated, encoding)
    if encoding_of(source) != "utf-8":
        work.note(None, "utf16")
    with replacing(target, overwrite=overwrite) as file:
        file.writelines(raw + b"\n" for raw in work.repair(source))
    return Fixed(target, work.read, work.written, dict(work.counts), work.changes)


class _Work:
    """What is done to one file of a format and an encoding; `repeated` lines may be in it twice."""

    def __init__(self, format: FormatName, repeated: set[int], encoding: str | None) -> None:
        self._format = format
        self._repeated = repeated
        self._encoding = encoding
        self.read = self.written = 0
        self.counts: Counter[str] = Counter()
        self.changes: list[Change] = []
        self._first: dict[bytes, int] = {}

    def note(self, line: int | None, code: str, first: int | None = None) -> None:
        self.counts[code] += 1
        if self.counts[code] <= KEPT:
            message = CHANGES[code].format(first=first, encoding=self._encoding)
            self.changes.append(Change(line, code, message))

    def repair(self, source: Path) -> Iterator[bytes]:
        for line in read_lines(source, self._encoding):
            self.read = line.number
            for code in line.found:
                self.note(self.read, code)
            rest = without_null_keys(line.raw, self._format)
            if rest != line.raw:
                self.note(self.read, "null_keys")
            if rest and not (self.read in self._repeated and self._is_repeated(rest)):
                self.written += 1
                yield rest

    def _is_repeated(self, raw: bytes) -> bool:
        first = self._first.setdefault(long_digest(sameness(raw)), self.read)
        if first != self.read:
            self.note(self.read, "duplicate_example", first)
        return first != self.read


def _repeated_lines(source: Path, encoding: str | None, format: FormatName) -> set[int]:
    """Return the numbers of all lines that share the hash of their example with another line."""
    hashes = LineHashes()
    for line in read_lines(source, encoding):
        if line.raw:
            raw = without_null_keys(line.raw, format)
            hashes.add([hash(sameness(raw))], [line.number])
    return {number for pair in hashes.repeated() for number in pair}
