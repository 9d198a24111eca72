"""What is no JSONL is told in one sentence, and what is JSONL is left to the checks of its lines."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import TrainingDataError
from finetune_client.training_data import check, fix, split
from finetune_client.training_data.file_kinds import HEAD, file_kind
from finetune_client.training_data.making.reading import read_rows
from tests.support.example_lines import good_lines

if TYPE_CHECKING:
    from pathlib import Path

LINES = good_lines("chat")
EXAMPLES = [json.loads(line) for line in LINES]
JSONL = b"\n".join(LINES) + b"\n"


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, JSONL)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("train.jsonl"))
    return file.getvalue()


OTHERS: dict[str, tuple[bytes, str]] = {
    "array": (json.dumps(EXAMPLES).encode(), "a JSON array"),
    "array, indented": (json.dumps(EXAMPLES, indent=2).encode(), "a JSON array"),
    "array of lines": (b"[\n" + b",\n".join(LINES) + b"\n]\n", "a JSON array"),
    "array without commas": (b"[\n" + b"\n".join(LINES) + b"\n]\n", "a JSON array"),
    "array, large": (json.dumps(EXAMPLES * 300).encode(), "a JSON array"),
    "array with a mark": (b"\xef\xbb\xbf" + json.dumps(EXAMPLES).encode(), "a JSON array"),
    "array in UTF-16": (json.dumps(EXAMPLES).encode("utf-16"), "a JSON array"),
    "object": (
        json.dumps(EXAMPLES[0], indent=4).encode(),
        "JSON that is spread over several lines",
    ),
    "objects, large": (
        "\n".join(json.dumps(example, indent=1) for example in EXAMPLES * 300).encode(),
        "JSON that is spread over several lines",
    ),
    "object, larger than what is looked at": (
        json.dumps({"messages": EXAMPLES * 3000}, indent=1).encode(),
        "JSON that is spread over several lines",
    ),
    "CSV": (
        b'prompt,completion\na,b\n"c, d","e\nf"\n',
        "CSV with the columns 'prompt', 'completion'",
    ),
    "CSV, large": (b"q,a\r\n" + b"1,2\r\n" * 40_000, "CSV with the columns 'q', 'a'"),
    "CSV of German Excel": (
        "Frage;Antwort\r\nWie spät?;Acht, fast.\r\n".encode("cp1252"),
        "CSV (with semicolons) with the columns 'Frage', 'Antwort'",
    ),
    "CSV of seven columns": (
        b"a,b,c,d,e,f,g\n1,2,3,4,5,6,7\n",
        "CSV with the columns 'a', 'b', 'c', 'd', 'e', ...",
    ),
    "TSV": (b"q\ta\n1, 2\t3\n", "TSV with the columns 'q', 'a'"),
    "Unicode text of Excel": ("q\ta\n1\t2\n".encode("utf-16"), "TSV with the columns 'q', 'a'"),
    "gzip": (gzip.compress(JSONL), "compressed with gzip"),
    "bzip2": (bz2.compress(JSONL), "compressed with bzip2"),
    "xz": (lzma.compress(JSONL), "compressed with xz"),
    "tar": (tarred(), "a tar archive"),
    "zip": (zipped("train.jsonl"), "a zip archive"),
    "Excel": (zipped("[Content_Types].xml", "xl/workbook.xml"), "a spreadsheet"),
    "Parquet": (b"PAR1\x15\x04\x15\x10\x15\x14L\x15\x02\x15\x00\n", "a Parquet file"),
    "Arrow": (b"ARROW1\x00\x00\xff\xff\xff\xff", "an Arrow file"),
    "web page": (
        b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
        "a web page (HTML or XML)",
    ),
    "error of a store": (
        b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
        "a web page (HTML or XML)",
    ),
    "Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "a pointer of Git LFS, which stands for the file,",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_check__a_file_that_is_not_jsonl_is_one_problem(name: str, tmp_path: Path) -> None:
    content, found = OTHERS[name]
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    for given in (path, content):
        report = check(given)
        assert report.counts == {"not_jsonl": 1}
        [problem] = report.problems
        assert (problem.line, problem.path) == (None, "")
        assert problem.message.startswith(
            f"The file is {found} and not JSONL, so none of its lines was checked. "
        )
        figures = report.statistics
        assert (figures["bytes"], figures["examples"], figures["duplicates"]) == (
            len(content),
            0,
            0,
        )


@pytest.mark.parametrize(
    "content",
    [
        JSONL,
        b"\xef\xbb\xbf" + JSONL,
        b"\n\n" + JSONL,
        JSONL.replace(b"\n", b"\r\n"),
        json.dumps({"messages": [{"role": "user", "content": "x" * HEAD}]}).encode()
        + b"\n"
        + JSONL,
        b"\n".join(b"[" + line + b"]" for line in LINES),
        b"[]\n",
        b"[1, 2]\n",
        b'{"messages": [\n' + JSONL,
        b'{"messages": [{"role": "us\n' + JSONL,
        b",\n".join(LINES),
        b"How are you?\nWell, thank you.\n",
        b"How are you, dear {name}?, I ask.\nWell, and you, I say.\n",
        b"a,b\n",
        b"a,a\n1,2\n",
        b"",
        b"\x1f\x8b",
        b"PK",
    ],
    ids=range(18),
)
def test_file_kind__what_may_be_jsonl_is_left_to_the_checks(content: bytes) -> None:
    assert file_kind(content[:HEAD], whole=len(content) < HEAD) is None
    assert "not_jsonl" not in check(content).counts


def test_check__names_the_command_for_the_path(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(EXAMPLES))
    assert check(path).problems[0].message == (
        "The file is a JSON array and not JSONL, so none of its lines was checked. Run finetune "
        f"convert {path}, or write_jsonl(new_file, read_rows({str(path)!r})) of training_data."
    )
    path.write_text("q,a\n1,2\n")
    assert check(str(path)).problems[0].message == (
        "The file is CSV with the columns 'q', 'a' and not JSONL, so none of its lines was checked. "
        f"Run finetune convert {path}, with --column prompt=NAME --column completion=NAME where no "
        "columns are called prompt and completion."
    )


@pytest.mark.parametrize("name", ["array", "CSV", "gzip", "Parquet"])
@pytest.mark.parametrize("action", [fix, split])
def test_fix_and_split__refuse_what_is_not_jsonl(action: Any, name: str, tmp_path: Path) -> None:
    content, found = OTHERS[name]
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(TrainingDataError) as caught:
        action(path)
    assert caught.value.message.startswith(f"{path} is {found} and not JSONL. ")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name",
    [name for name in OTHERS if name.startswith(("array", "object")) and "without" not in name],
)
def test_read_rows__json_that_is_called_jsonl(name: str, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(OTHERS[name][0])
    rows = list(read_rows(path))
    assert rows[0] in (EXAMPLES[0], {"messages": EXAMPLES * 3000})
    assert len(rows) % len(EXAMPLES) in (0, 1)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv"])
def test_read_rows__a_table_however_it_is_called(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"faq{suffix}"
    for text, encoding in (
        ("q;a\n1,5;2\n", "utf-8"),
        ("q;a\r\n1,5;2\r\n", "utf-8-sig"),
        ("q\ta\n1,5\t2\n", "utf-16"),
        ('"q","a"\n"1,5","2"\n', "utf-8"),
    ):
        path.write_bytes(text.encode(encoding))
        assert list(read_rows(path)) == [{"q": "1,5", "a": "2"}]


@pytest.mark.parametrize("name", ["zip", "Excel", "Parquet", "web page", "Git LFS"])
@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_read_rows__what_cannot_be_read(name: str, suffix: str, tmp_path: Path) -> None:
    content, found = OTHERS[name]
    path = tmp_path / f"train{suffix}"
    path.write_bytes(content)
    with pytest.raises(TrainingDataError) as caught:
        list(read_rows(path))
    assert caught.value.message.startswith(f"{path} is {found} and cannot be read. ")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("Parquet", "parquet"), ("Excel", "xlsx"), ("zip", "zip"), ("Arrow", "arrow")],
)
def test_read_rows__a_name_that_is_not_known_gives_no_advice_that_cannot_work(
    name: str, suffix: str, tmp_path: Path
) -> None:
    content, found = OTHERS[name]
    path = tmp_path / f"train.{suffix}"
    path.write_bytes(content)
    with pytest.raises(TrainingDataError) as caught:
        read_rows(path)
    assert caught.value.message.startswith(f"{path} is {found} and cannot be read. ")
    path.write_text("q;a\n1;2\n")
    assert list(read_rows(path)) == [{"q": "1", "a": "2"}]


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("x.jsonl.gz", b'{"a": "1"}\n{"a": "2"}\n', [{"a": "1"}, {"a": "2"}]),
        ("x.jsonl", b'\xef\xbb\xbf{"a": "1"}\r\n', [{"a": "1"}]),
        ("x.JSON.GZ", b'[{"a": "1"}]', [{"a": "1"}]),
        ("x.jsonl.gz", b'[{"a": "1"}]', [{"a": "1"}]),
        ("x.csv.gz", b"a,b\n1,2\n", [{"a": "1", "b": "2"}]),
        ("x.tsv.gz", b"a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
        ("x.csv.gz", "a;b\n1;2\n".encode("utf-16"), [{"a": "1", "b": "2"}]),
    ],
)
def test_read_rows__packed_with_gzip(
    name: str, content: bytes, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content))
    assert list(read_rows(path)) == rows


def test_read_rows__of_gzip_that_is_cut_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    packed = gzip.compress(JSONL)
    for content in (packed[:-20], packed[:40] + b"\xff" * 9 + packed[49:]):
        path.write_bytes(content)
        with pytest.raises(TrainingDataError, match=r"x\.jsonl\.gz cannot be unpacked: "):
            list(read_rows(path))
