from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from finetune_client.training_data.jsonl import (
    Line,
    encoding_of,
    long_digest,
    read_lines,
    sameness,
    short_digest,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_read_lines__numbers_count_every_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbfa\r\n\n b\n\xef\xbb\xbf\nc")
    assert list(read_lines(path)) == [
        Line(1, b"a", ("byte_order_mark", "crlf")),
        Line(2, b"", ("blank_line",)),
        Line(3, b" b", ()),
        Line(4, b"", ("byte_order_mark", "blank_line")),
        Line(5, b"c", ("no_line_feed",)),
    ]


@pytest.mark.parametrize(
    ("encoding", "named"), [("utf-16", "utf-16"), ("utf-8-sig", "utf-8"), ("utf-8", "utf-8")]
)
def test_encoding_of__by_the_mark(encoding: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes("a\nb".encode(encoding))
    assert encoding_of(tmp_path / "x") == named
    assert [line.raw for line in read_lines(tmp_path / "x")] == [b"a", b"b"]


def test_encoding_of__big_endian_and_what_only_looks_like_it(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\xfe\xff" + "{}\n{}".encode("utf-16-be"))
    assert [line.raw for line in read_lines(path)] == [b"{}", b"{}"]
    for head in (b"\xff\xfe", b"\xff\xfe{", b"\xff\xfe broken", b"\xfe\xff{\0", b""):
        path.write_bytes(head)
        assert encoding_of(path) == "utf-8"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_encoding_of__without_a_mark(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes('{"a": "ж"}\r\n[]'.encode(encoding))
    assert encoding_of(tmp_path / "x") == encoding
    assert [line.raw.decode() for line in read_lines(tmp_path / "x")] == ['{"a": "ж"}', "[]"]


def test_read_lines__empty_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    assert list(read_lines(tmp_path / "x")) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a":1,"b":2}', b'{ "b":2, "a":1}', True),
        (b'{"a":"\\u00e9"}', '{"a":"é"}'.encode(), True),
        (b'{"a":1}', b'{"a":1.0}', False),
        (b'{"a":[1,2]}', b'{"a":[2,1]}', False),
        (b"no JSON", b"no  JSON", False),
        (b"[" * 100_000, b"[" * 100_001, False),
        (b"\xff", b"\xfe", False),
        (b"1" * 5000, b"1" * 5001, False),
    ],
)
def test_sameness__of_values_not_of_bytes(one: bytes, other: bytes, same: bool) -> None:
    assert (sameness(one) == sameness(other)) is same


def test_digests__another_key_other_numbers() -> None:
    assert 0 <= short_digest(b"a") < 2**64
    assert short_digest(b"a", b"k") != short_digest(b"a")
    assert len(long_digest(b"a")) == 16
