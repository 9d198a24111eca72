from __future__ import annotations

import csv
import gzip
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.training_data.making import reading
from finetune_client.training_data.making.reading import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS: list[dict[str, Any]] = [
    {"q": "Où?", "a": "Là, « ici »"},
    {"q": 'say "hi"\nnow', "a": "世界, {}[]"},
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
OBJECTS = st.lists(st.dictionaries(TEXT, TEXT | st.floats(allow_nan=False) | st.none(), max_size=3))


def written_csv(path: Path, rows: list[list[str]], encoding: str, dialect: str = "excel") -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, dialect).writerows(rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".JSON", ".json", ".csv", ".tsv"])
def test_read_rows__every_format(suffix: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{suffix}"
    if suffix in {".csv", ".tsv"}:
        cells = [["q", "a"], *(list(row.values()) for row in ROWS)]
        written_csv(path, cells, encoding, "excel" if suffix == ".csv" else "excel-tab")
    elif suffix == ".json":
        path.write_text(json.dumps(ROWS, ensure_ascii=False, indent=2), encoding)
    else:
        lines = [json.dumps(row, ensure_ascii=False) + "\r\n\n" for row in ROWS]
        path.write_text("".join(lines), encoding, newline="")
    assert list(read_rows(path)) == ROWS


def test_read_rows__format_given(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    assert list(read_rows(path, format="jsonl")) == [{"a": 1}, {"a": 2}]
    with pytest.raises(RequestError) as caught:
        read_rows(path)
    assert caught.value.message == (
        f"What kind of file {path} is cannot be told from its name: pass format= (--format), one "
        "of jsonl, json, csv, tsv."
    )


def test_read_rows__columns(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    written_csv(path, [["Nr", "Question", "Answer"], ["1", "Q?", "A."]], "utf-8")
    assert list(read_rows(path, {"prompt": "Question", "completion": "Answer"})) == [
        {"prompt": "Q?", "completion": "A."}
    ]
    with pytest.raises(TrainingDataError) as caught:
        list(read_rows(path, {"prompt": "question"}))
    assert caught.value.message == (
        f"{path}, line 2: there is no 'question', only 'Nr', 'Question', 'Answer'."
    )
    assert caught.value.problems == [
        "line 2: there is no 'question', only 'Nr', 'Question', 'Answer'"
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "x.jsonl",
            '{"a": 1}\n{"a" 1}\n',
            "line 2: not JSON (Expecting ':' delimiter: line 1 column 6 (char 5))",
        ),
        ("x.jsonl", "[1, 2]\n", "line 1: an object is wanted, not [1, 2]"),
        ("x.json", '[{"a": 1}, 3]', "object 2: an object is wanted, not 3"),
        (
            "x.json",
            '[{"a": 1} {"a": 2}]',
            "around character 11: not JSON (a comma or the end of the array is wanted)",
        ),
        (
            "x.json",
            '[{"a": 1}',
            "around character 10: not JSON (a comma or the end of the array is wanted)",
        ),
        (
            "x.json",
            '[{"a": 1}] 7',
            "around character 11: not JSON (there is more after the end of the array)",
        ),
        (
            "x.json",
            '{"a": "b',
            "around character 0: not JSON (Unterminated string starting at: line 1 column 7 (char 6))",
        ),
        ("x.csv", "a,b\n1\n", "line 2: the row needs 2 cells"),
        ("x.csv", "a;b\n1,2\n", "line 2: the row needs 1 cell"),
        ("x.csv", "a,b\n1,2\n1,2,3\n", "line 3: the row needs 2 cells"),
        ("x.csv", "a,a\n1,2\n", "line 1: more than one column is named 'a'"),
        ("x.csv", 'a,b\n1,"2', "line 2: not readable as CSV (unexpected end of data)"),
    ],
)
def test_read_rows__names_the_place(name: str, content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(TrainingDataError) as caught:
        list(read_rows(path))
    assert caught.value.message == f"{path}, {message}."


SPANISH = {"q": "¿Dónde está la niña?", "a": "Aquí, señor — número 3."}
NOT_UTF8 = {
    "x.jsonl": json.dumps(SPANISH, ensure_ascii=False) + "\n",
    "x.json": f"[{json.dumps(SPANISH, ensure_ascii=False, indent=1)}]",
    "x.csv": "q;a\n{q};{a}\n".format(**SPANISH),
    "x.tsv": "q\ta\n{q}\t{a}\n".format(**SPANISH),
}


@pytest.mark.parametrize("name", NOT_UTF8)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_rows__not_utf8_names_the_line_and_what_it_is(
    name: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(NOT_UTF8[name].encode("cp1252")))
    with pytest.raises(TrainingDataError) as caught:
        list(read_rows(path))
    line = 1 if name == "x.jsonl" else 2
    assert caught.value.message == (
        f"{path}, line {line}: the byte 0xBF is not UTF-8. It looks like cp1252: pass "
        "encoding='cp1252' (--encoding cp1252)."
    )
    assert caught.value.problems == [f"line {line}: the byte 0xBF is not UTF-8"]
    assert list(read_rows(path, encoding="cp1252")) == [SPANISH]


@pytest.mark.parametrize("name", NOT_UTF8)
def test_read_rows__what_is_unicode_needs_no_encoding(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(NOT_UTF8[name].encode(encoding))
        assert list(read_rows(path, encoding="cp1252" if encoding == "utf-16" else None)) == [
            SPANISH
        ]
        assert list(read_rows(path, encoding=encoding)) == [SPANISH]
    path.write_bytes(NOT_UTF8[name].encode("utf-32"))
    assert list(read_rows(path, encoding="utf-32")) == [SPANISH]


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv"])
def test_read_rows__a_wrong_encoding(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(NOT_UTF8[name].encode("cp1252"))
    with pytest.raises(TrainingDataError) as caught:
        list(read_rows(path, encoding="ascii"))
    line = 1 if name == "x.jsonl" else 2
    assert caught.value.message == (
        f"{path}, line {line}: the byte 0xBF is not ascii. Pass the encoding that the file was saved "
        "in (encoding=, or --encoding)."
    )


def test_read_rows__a_character_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes('{"a": "世界の世界'.encode()[:-1] + b'"}\n')
    with pytest.raises(TrainingDataError) as caught:
        list(read_rows(path))
    assert caught.value.message == (
        f"{path}, line 1: the byte 0xE7 is not UTF-8. The rest is, so a character may have been cut "
        "in two there."
    )


def test_read_rows__delimiter(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("a/b\n1/2\n")
    assert list(read_rows(path, delimiter="/")) == [{"a": "1", "b": "2"}]
    path = tmp_path / "x.csv"
    path.write_text("a,b;c\n1,2;3\n")
    assert list(read_rows(path)) == [{"a": "1", "b;c": "2;3"}]
    assert list(read_rows(path, delimiter=";")) == [{"a,b": "1,2", "c": "3"}]


@pytest.mark.parametrize("delimiter", ["", ";;", "\n", '"'])
def test_read_rows__delimiter_that_is_none(delimiter: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        read_rows(tmp_path / "x.csv", delimiter=delimiter)
    assert caught.value.message == (
        f"delimiter must be one character, such as ';', got {delimiter!r}."
    )


@pytest.mark.parametrize("encoding", ["windows", "base64", "", "a\0b"])
def test_read_rows__encoding_that_is_none(encoding: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        read_rows(tmp_path / "x.csv", encoding=encoding)
    assert caught.value.message == (
        f"There is no encoding {encoding!r}; name one such as cp1252 (Windows-1252), latin-1, utf-16 "
        "or shift_jis."
    )


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.tsv"])
def test_read_rows__empty_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    assert list(read_rows(tmp_path / name)) == []


@pytest.mark.parametrize("content", ["[]", " [ ] ", "\n"])
def test_read_rows__empty_array(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    assert list(read_rows(tmp_path / "x.json")) == []


@pytest.mark.parametrize("block", [1, 2, 7, 64])
@settings(max_examples=25, deadline=None)
@given(OBJECTS, st.sampled_from([None, 1]), st.booleans())
def test_read_rows__json_in_blocks(
    tmp_path_factory: pytest.TempPathFactory,
    block: int,
    rows: list[dict[str, Any]],
    indent: int | None,
    array: bool,
) -> None:
    path = tmp_path_factory.mktemp("r") / "rows.json"
    texts = [json.dumps(row, indent=indent) for row in rows]
    path.write_text(f"[{', '.join(texts)}]\n" if array else "\n".join(texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_BLOCK", block)
        assert list(read_rows(path)) == rows


def test_read_rows__memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"text": "x" * 1000, "n": number} for number in range(8000)]))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_rows(path)) == 8000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000 < path.stat().st_size / 8


def test_read_rows__broken_json_is_not_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[{"a" 1}, ' + " " * 4_000_000 + "{}]")
    tracemalloc.start()
    try:
        with pytest.raises(TrainingDataError):
            list(read_rows(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_read_rows__a_long_cell_of_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\n" + "x" * 200_000 + "\n")
    with pytest.raises(TrainingDataError) as caught:
        list(read_rows(path))
    assert caught.value.message == (
        f"{path}, line 2: not readable as CSV (field larger than field limit (131072)); "
        "csv.field_size_limit allows longer cells."
    )
    usual = csv.field_size_limit(300_000)
    try:
        assert [len(row["text"]) for row in read_rows(path)] == [200_000]
    finally:
        csv.field_size_limit(usual)
