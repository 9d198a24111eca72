from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import TrainingDataError
from finetune_client.training_data.making.fixing import fix
from finetune_client.training_data.problems import KEPT

if TYPE_CHECKING:
    from pathlib import Path

LINE = st.sampled_from(
    [
        b'{"a": 1}',
        b'{"a":1}',
        b'{"a": 1, "b": 2}',
        b'{"b": 2, "a": 1}',
        b'{"a": 1.0}',
        b'{"a": "\\r\\n"}',
        b"not JSON",
        b"\xff\xfe broken",
        b"",
        b"  ",
        codecs.BOM_UTF8,
        codecs.BOM_UTF8 * 2 + b'{"a": 2}',
    ]
)
END = st.sampled_from([b"\n", b"\r\n", b"\r\r\n"])
FILES = st.lists(st.tuples(LINE | st.binary(max_size=6), END)).map(
    lambda pairs: b"".join(line + end for line, end in pairs)
)


def values(data: bytes) -> list[Any]:
    """The values of the lines that are JSON, in order."""
    found = []
    for line in data.split(b"\n"):
        bare = line
        while bare.startswith(codecs.BOM_UTF8):
            bare = bare[3:]
        try:
            found.append(json.loads(bare))
        except ValueError:
            continue
    return found


def distinct(items: list[Any]) -> list[str]:
    return list(dict.fromkeys(json.dumps(item, sort_keys=True) for item in items))


def test_fix__tells_each_change(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_bytes(
        codecs.BOM_UTF8
        + b'{"a": 1, "b": "x"}\r\n\n{"b": "x", "a": 1}\n'
        + codecs.BOM_UTF8
        + b'{"a": 2}\nnot JSON\n \r\n{"a": 1, "b": "x"}'
    )
    done = fix(source)
    assert done.path == tmp_path / "train.fixed.jsonl"
    assert done.path.read_bytes() == b'{"a": 1, "b": "x"}\n{"a": 2}\nnot JSON\n'
    assert (done.lines_read, done.lines_written) == (7, 3)
    assert done.counts == {
        "byte_order_mark": 2,
        "crlf": 1,
        "blank_line": 2,
        "duplicate_example": 2,
        "no_line_feed": 1,
    }
    assert str(done) == "\n".join(
        [
            f"{done.path}: 3 of 7 lines, 8 changes.",
            "Line 1: Took away the byte order mark. (byte_order_mark)",
            "Line 1: Took away the carriage return before the line feed. (crlf)",
            "Line 2: Left out a blank line. (blank_line)",
            "Line 3: Left out an example that is the same as that of line 1. (duplicate_example)",
            "Line 4: Took away the byte order mark. (byte_order_mark)",
            "Line 6: Left out a blank line. (blank_line)",
            "Line 7: Added the line feed that the last line lacked. (no_line_feed)",
            "Line 7: Left out an example that is the same as that of line 1. (duplicate_example)",
        ]
    )


def test_fix__utf16_as_powershell_writes_it(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_bytes('{"a": "é"}\r\n{"a": "世"}\r\n'.encode("utf-16"))
    done = fix(source, tmp_path / "out.jsonl")
    assert done.path.read_text("utf-8") == '{"a": "é"}\n{"a": "世"}\n'
    assert done.counts == {"utf16": 1, "crlf": 2}
    assert str(done.changes[0]) == "The file: The file was UTF-16 and is now UTF-8. (utf16)"


def test_fix__another_encoding(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    lines = ['{"a": "señor — 3"}', '{"a": "plain"}', '{"a": "¿Dónde?"}']
    source.write_bytes("\r\n".join(lines).encode("cp1252"))
    done = fix(source, encoding="cp1252")
    assert done.path.read_text("utf-8").splitlines() == lines
    assert done.counts == {"encoding": 2, "crlf": 2, "no_line_feed": 1}
    assert str(done.changes[0]) == "Line 1: The line was cp1252 and is now UTF-8. (encoding)"


def test_fix__a_file_of_two_encodings(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    lines = ['{"a": "señor"}', '{"a": "Größe"}', '{"a": "世界"}']
    source.write_bytes(f"{lines[0]}\n".encode("cp1252") + f"{lines[1]}\n{lines[2]}\n".encode())
    done = fix(source, encoding="cp1252")
    assert done.path.read_text("utf-8").splitlines() == lines
    assert done.counts == {"encoding": 1}


@pytest.mark.parametrize("encoding", ["shift_jis", "euc_jp", "utf-32", "utf-16-le", "utf-8-sig"])
def test_fix__encodings_of_several_bytes(encoding: str, tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    text = '{"a": "日本語"}\n{"a": "b"}\n'
    source.write_bytes(text.encode(encoding))
    assert fix(source, encoding=encoding).path.read_text("utf-8") == text


def test_fix__not_in_the_encoding(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_bytes(b'{"a": 1}\n{"a": "\x81"}\n')
    with pytest.raises(TrainingDataError) as caught:
        fix(source, encoding="cp1252")
    assert caught.value.message == (
        f"{source}, line 2: the byte 0x81 is not cp1252. Pass the encoding that the file was saved in "
        "(encoding=, or --encoding)."
    )
    source.write_bytes(b'{"a": 1}\n\xff\xff')
    with pytest.raises(TrainingDataError) as caught:
        fix(source, encoding="utf-32")
    assert caught.value.message.startswith(f"{source} is not utf-32 (")
    assert list(tmp_path.iterdir()) == [source]


def test_fix__says_utf16_and_is_not(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_bytes(b"\xff\xfe{\0a")
    with pytest.raises(TrainingDataError) as caught:
        fix(source)
    assert caught.value.message == (
        f"{source} begins as a UTF-16 file but is not one ('utf-16-le' codec can't decode byte "
        "0x61 in position 0: truncated data): save it as UTF-8."
    )
    assert list(tmp_path.iterdir()) == [source]


def test_fix__duplicates_can_stay(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_bytes(b'{"a": 1}\n\n{"a": 1}\n')
    done = fix(source, duplicates=False)
    assert done.path.read_bytes() == b'{"a": 1}\n{"a": 1}\n'
    assert done.counts == {"blank_line": 1}


def test_fix__numbers_of_different_kinds_are_different(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    data = b'{"a": 1}\n{"a": 1.0}\n{"a": true}\n{"a": "1"}\n'
    source.write_bytes(data)
    assert fix(source).path.read_bytes() == data


def test_fix__does_not_overwrite_unasked(tmp_path: Path) -> None:
    source, target = tmp_path / "train.jsonl", tmp_path / "train.fixed.jsonl"
    source.write_bytes(b'\n{"a": 1}\n')
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        fix(source)
    with pytest.raises(FileExistsError):
        fix(source, source)
    assert target.read_text() == "mine"
    fix(source, source, overwrite=True)
    assert source.read_bytes() == b'{"a": 1}\n'


def test_fix__keeps_the_first_changes_and_counts_all(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_bytes(b"\n" * (KEPT + 7))
    done = fix(source)
    assert (len(done.changes), done.counts) == (KEPT, {"blank_line": KEPT + 7})
    assert str(done).splitlines()[-1] == "... and 7 more changes of the same kinds."


def test_fix__nothing_to_do(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_bytes(b'{"a": 1}\n')
    done = fix(source)
    assert (done.counts, done.changes) == ({}, [])
    assert str(done) == f"{done.path}: 1 of 1 line, 0 changes."


@settings(max_examples=80, deadline=None)
@given(FILES, st.booleans())
def test_fix__output_is_a_fixed_point_and_values_stay(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("f")
    source = folder / "train.jsonl"
    source.write_bytes(data[:-1] if cut else data)
    once = fix(source)
    fixed = once.path.read_bytes()
    again = fix(once.path)
    assert (again.path.read_bytes(), again.counts) == (fixed, {})
    assert source.read_bytes() == (data[:-1] if cut else data)
    assert [json.dumps(value, sort_keys=True) for value in values(fixed)] == distinct(values(data))
    kept = fix(source, folder / "kept.jsonl", duplicates=False).path.read_bytes()
    assert values(kept) == values(data)
