"""What a file is that should be JSONL and is not: told from its first bytes, in one sentence."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from finetune_client.errors import TrainingDataError
from finetune_client.training_data.jsonl import encoding_by
from finetune_client.training_data.sources import open_file

if TYPE_CHECKING:
    from finetune_client.training_data.sources import Source

__all__ = ["HEAD", "FileKind", "command_path", "file_kind", "refuse_other_kinds"]

HEAD = 64 * 1024
"""Bytes of a file that tell what it is; fewer do, where it begins with a short line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileKind:
    """A kind of file that is not JSONL.

    Attributes:
        found: What it is, as a part of a sentence.
        remedy: What to do about it, without its full stop, with ``{path}`` for the file.
        readable_as: How `read_rows` reads it, if it does.
        delimiter: What stands between the cells of a table.
    """

    found: str
    remedy: str
    readable_as: Literal["json", "csv", "gzip"] | None = None
    delimiter: str = ","


_CONVERT = "Run finetune convert {path}"
_AS_IT_IS = f"{_CONVERT}, or write_jsonl(new_file, read_rows({{path!r}})) of training_data"
_WITH_PANDAS = (
    "Write it as JSONL, for instance with pandas: pandas.{read}({{path!r}}).to_json(new_file, "
    "orient='records', lines=True, force_ascii=False)"
)
_DOWNLOAD = "Download the file itself; what this one says may tell why it is not there"

_OFFICE = re.compile(rb"xl/|application/vnd\.oasis\.opendocument\.spreadsheet")
_SPREADSHEET = FileKind(
    found="a spreadsheet",
    remedy="Save it as CSV in UTF-8 (in Excel: Save As), and run finetune convert on that",
)
_BINARY: tuple[tuple[re.Pattern[bytes], FileKind], ...] = tuple(
    (re.compile(magic, re.DOTALL), kind)
    for magic, kind in (
        (
            rb"\x1f\x8b\x08",
            FileKind(
                found="compressed with gzip",
                remedy="Unpack it with gunzip; training_data.read_rows and finetune convert read it too",
                readable_as="gzip",
            ),
        ),
        (
            rb"PK\x03\x04",
            FileKind(found="a zip archive", remedy="Unpack it, and give the file that is in it"),
        ),
        (
            rb".{257}ustar",
            FileKind(found="a tar archive", remedy="Unpack it, and give the file that is in it"),
        ),
        (
            rb"PAR1",
            FileKind(found="a Parquet file", remedy=_WITH_PANDAS.format(read="read_parquet")),
        ),
        (
            rb"ARROW1",
            FileKind(found="an Arrow file", remedy=_WITH_PANDAS.format(read="read_feather")),
        ),
        (
            rb"BZh[1-9]1AY&SY",
            FileKind(found="compressed with bzip2", remedy="Unpack it with bunzip2"),
        ),
        (rb"\xfd7zXZ\x00", FileKind(found="compressed with xz", remedy="Unpack it with unxz")),
        (
            rb"\x28\xb5\x2f\xfd",
            FileKind(found="compressed with zstd", remedy="Unpack it with unzstd"),
        ),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _SPREADSHEET),
        (rb"%PDF-", FileKind(found="a PDF document", remedy="Write its text as examples")),
        (
            rb"version https://git-lfs\.github\.com/spec/",
            FileKind(
                found="a pointer of Git LFS, which stands for the file,",
                remedy="Fetch the file itself with git lfs pull",
            ),
        ),
    )
)

_MARKUP = re.compile(r"\s*<(!doctype html|html|\?xml|head|body)\b", re.IGNORECASE)
_WEB_PAGE = FileKind(found="a web page (HTML or XML)", remedy=_DOWNLOAD)
_ARRAY = FileKind(found="a JSON array", remedy=_AS_IT_IS, readable_as="json")
_SPREAD = FileKind(
    found="JSON that is spread over several lines", remedy=_AS_IT_IS, readable_as="json"
)

_ARRAY_OF_OBJECTS = re.compile(r"\[\s*(\{|$)")
_DELIMITERS = {
    ",": "CSV",
    "\t": "TSV",
    ";": "CSV (with semicolons)",
    "|": "CSV (with vertical bars)",
}
_ROWS = 20
"""Rows of a table that must have as many cells as its first."""
_COLUMN = re.compile(r"[^{}<>\n]{1,60}")
"""The name of a column."""


def file_kind(head: bytes, *, whole: bool, encoding: str | None = None) -> FileKind | None:
    """Return what a file is; None if it may be JSONL, or is empty or not known.

    Args:
        head: Its first bytes, at most `HEAD` of them.
        whole: Whether that is all of it.
        encoding: What it is in, if that is neither UTF-8 nor UTF-16.
    """
    for magic, kind in _BINARY:
        if magic.match(head):
            return _SPREADSHEET if kind.found == "a zip archive" and _OFFICE.search(head) else kind
    text = _decoded(head, encoding)
    if _MARKUP.match(text):
        return _WEB_PAGE
    text = text.lstrip()
    if text.startswith("["):
        return _array(text)
    if text.startswith("{"):
        return _spread(text, whole=whole)
    return _table(text, whole=whole)


def _decoded(head: bytes, encoding: str | None) -> str:
    detected = encoding_by(head[:4])
    if detected == "utf-8":
        detected = encoding or "utf-8-sig"
    try:
        # A character that is cut at the end is left out.
        return codecs.getincrementaldecoder(detected)().decode(head)
    except UnicodeError:
        return head.decode("latin-1")


def _array(text: str) -> FileKind | None:
    if not _ARRAY_OF_OBJECTS.match(text):
        return None
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return _ARRAY  # it goes on, or is broken; who converts it is told where
    return None if text[end:].strip() else _ARRAY  # else lines that are arrays


def _spread(text: str, *, whole: bool) -> FileKind | None:
    """Return whether the first object takes more than its line."""
    first = text.find("\n")
    if first < 0:
        return None
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        cut = not whole and (error.pos > len(text) - 16 or error.msg.startswith("Unterminated"))
        end = len(text) if cut else 0
    except RecursionError:
        end = 0
    return _SPREAD if end > first else None


def _table(text: str, *, whole: bool) -> FileKind | None:
    for delimiter, name in _DELIMITERS.items():
        rows = _rows(text, delimiter, whole=whole)
        columns = rows[0] if rows else []
        alike = {len(row) for row in rows} == {len(columns)}
        if len(rows) > 1 and len(columns) > 1 and alike and _are_columns(columns):
            shown = ", ".join(map(repr, columns[:5])) + ", ..." * (len(columns) > 5)
            return FileKind(
                found=f"{name} with the columns {shown}",
                remedy=f"{_CONVERT}, with --column prompt=NAME --column completion=NAME where no "
                "columns are called prompt and completion",
                readable_as="csv",
                delimiter=delimiter,
            )
    return None


def _rows(text: str, delimiter: str, *, whole: bool) -> list[list[str]]:
    """Return the first rows that are not blank, without the last one if it may be cut."""
    rows: list[list[str]] = []
    with closing(io.StringIO(text, newline="")) as lines:
        try:
            for row in csv.reader(lines, delimiter=delimiter, strict=True):
                rows += [row] if row else []
                if len(rows) > _ROWS:
                    return rows[:-1]
        except csv.Error:
            return rows if not whole else []
    return rows if whole else rows[:-1]


def _are_columns(names: list[str]) -> bool:
    return len(set(names)) == len(names) and all(map(_COLUMN.fullmatch, names))


def command_path(source: Source) -> str:
    """Return what a command or a call names a source by."""
    return os.fsdecode(source) if isinstance(source, (str, os.PathLike)) else "FILE"


def refuse_other_kinds(path: str | os.PathLike[str]) -> None:
    """Refuse a file that is plainly something else than JSONL, as `check` does.

    Raises:
        TrainingDataError: It is, or it cannot be read.
    """
    with open_file(path) as file:
        head = file.read(HEAD)
    kind = file_kind(head, whole=len(head) < HEAD)
    if kind is not None:
        name = command_path(path)
        raise TrainingDataError(
            f"{name} is {kind.found} and not JSONL. {kind.remedy.format(path=name)}."
        )
