"""Files that are not UTF-8: what they are likely to be, and reading them as what they are."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from finetune_client.errors import RequestError, TrainingDataError

if TYPE_CHECKING:
    import io
    import os

__all__ = [
    "check_encoding",
    "is_mostly_utf8",
    "is_utf8",
    "likely_encoding",
    "line_of_error",
    "not_decodable",
    "recoded",
]

_LOOKED_AT = 4096
"""Bytes from the first that is not UTF-8 on that show the encoding."""

# Encoding -> the characters that a text in it has where it is not ASCII. Letters of Windows-1252
# stand alone or in twos within a word of ASCII; the other scripts come in runs.
_EXPECTED = {
    "cp1252": re.compile(
        r"(?<![^\x00-\x7f]{3})"
        "[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0160\u0161\u017d\u017e\u0152\u0153\u0178\u2018-\u201e"
        "\u2013\u2014\u2026\u20ac\xb0\xa7\xab\xbb\xbf\xa1\xba\xaa\xa3\xa9\xae\xb7\u2022\xb4\xa0]"
        r"(?![^\x00-\x7f]{3})"
    ),
    "cp1251": re.compile(
        "(?<=[\u0401\u0410-\u0451])[\u0401\u0410-\u0451]|[\u0401\u0410-\u0451](?=[\u0401\u0410-\u0451])"
        "|[\xab\xbb\u2014\u2116]"
    ),
    "shift_jis": re.compile("[\u3040-\u30ff\u3001\u3002\u4e00-\u9fff]"),
    "euc_kr": re.compile("[\uac00-\ud7a3]"),
    "gb18030": re.compile("[\u4e00-\u9fff\u3001\u3002\uff01-\uff1f]"),
}
_ENOUGH = 0.8
_KANA = re.compile("[\u3040-\u309f\u30a1-\u30fa]")
_RUN = re.compile(rb"[\x80-\xff]{2,}")
_OF_TWO_BYTES = ("shift_jis", "euc_kr", "gb18030")


def likely_encoding(data: bytes) -> str | None:
    """Return what bytes that are not UTF-8 are likely to be; None where that cannot be told.

    The name is one that Python and `read_rows` know, such as ``cp1252`` (Windows-1252).
    """
    first = re.search(rb"[\x80-\xff]", data)
    sample = data[first.start() if first else 0 :][:_LOOKED_AT]
    in_runs = sum(map(len, _RUN.findall(sample))) / max(1, sum(byte > 0x7F for byte in sample))
    for encoding, expected in _EXPECTED.items():
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            text = decoder.decode(sample)  # a character that is cut at the end is left out
        except UnicodeDecodeError:
            continue
        foreign = sum(not character.isascii() for character in text)
        possible = encoding not in _OF_TWO_BYTES or in_runs > _ENOUGH or _KANA.search(text)
        if foreign and possible and len(expected.findall(text)) >= _ENOUGH * foreign:
            return encoding
    return None


def is_mostly_utf8(data: bytes) -> bool:
    """Return whether more characters are UTF-8 than bytes are not."""
    text = data.decode("utf-8", "replace")
    odd = text.count("\ufffd")
    return sum(not character.isascii() for character in text) > 2 * odd


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def is_utf8(encoding: str) -> bool:
    """Return whether an encoding is UTF-8, with a byte order mark or without."""
    return codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}


def check_encoding(encoding: str | None) -> None:
    """Raise `RequestError` unless it is None or an encoding that Python knows."""
    try:
        if encoding is not None:
            "".encode(encoding)
    except (LookupError, TypeError, ValueError):
        raise RequestError(
            f"There is no encoding {encoding!r}; name one such as cp1252 (Windows-1252), latin-1, "
            "utf-16 or shift_jis."
        ) from None


def recoded(line: bytes, encoding: str) -> bytes:
    """Return a line in UTF-8 that is in another encoding, in which a line feed is one byte.

    Where a byte is a character, a line that is UTF-8 already stays, so that a file of both comes
    out right: letters that stand alone are hardly ever valid UTF-8.

    Raises:
        UnicodeDecodeError: It is not in this encoding.
    """
    by_bytes = len(bytes(range(256)).decode(encoding, "replace")) == 256
    if line.isascii() or (by_bytes and _decodes(line, "utf-8")):
        return line
    return line.decode(encoding).encode()


def not_decodable(
    path: str | os.PathLike[str], place: str, error: UnicodeDecodeError, encoding: str
) -> TrainingDataError:
    """Return the error for bytes that are not in an encoding, with what they are likely to be."""
    byte = f"{error.object[error.start]:02X}"
    name = "UTF-8" if is_utf8(encoding) else encoding
    reason = f"{place}: the byte 0x{byte} is not {name}"
    advice = "Pass the encoding that the file was saved in (encoding=, or --encoding)"
    if is_utf8(encoding) and is_mostly_utf8(error.object):
        advice = "The rest is, so a character may have been cut in two there"
    elif is_utf8(encoding) and (likely := likely_encoding(error.object)):
        advice = f"It looks like {likely}: pass encoding={likely!r} (--encoding {likely})"
    return TrainingDataError(f"{path}, {reason}. {advice}.", problems=[reason])


def line_of_error(file: io.BufferedReader, encoding: str) -> int:
    """Return the line of a file, from 1, in which the first byte is that is not in an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    while block := file.read(_LOOKED_AT):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return line + error.object[: error.start].count(b"\n")
        line += block.count(b"\n")
    return line
