from __future__ import annotations

import io

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.training_data.checking import blocks as module
from finetune_client.training_data.checking.blocks import BLOCK, blocks, next_line_start


def lines_of(content: bytes, most: int = 1 << 20) -> list[bytes | None]:
    return [line for block in blocks(io.BytesIO(content), most) for line in block.lines]


def split(content: bytes) -> list[bytes]:
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    return [line + b"\n" for line in lines]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 40)).map(lambda sizes: b"\n".join(b"a" * size for size in sizes)),
    st.integers(1, 50),
    st.booleans(),
)
def test_blocks__lines_of_any_length_in_blocks_of_any_size(
    content: bytes, size: int, ended: bool
) -> None:
    content += b"\n" * ended
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", size)
        read = list(blocks(io.BytesIO(content), 20))
    expected = [line if len(line) <= 21 else None for line in split(content)]
    if size <= 20:
        assert [line for block in read for line in block.lines] == expected
    assert sum(block.size for block in read) == len(content)


def test_blocks__all_of_their_bytes_are_in_data() -> None:
    content = b"\n".join(b"%d" % n * 100 for n in range(3000))
    read = list(blocks(io.BytesIO(content), 1 << 20))
    assert len(read) > 2
    assert [split(block.data) for block in read] == [block.lines for block in read]


def test_blocks__a_line_longer_than_is_kept() -> None:
    long = b"a" * (3 * BLOCK)
    assert lines_of(b"b\n" + long + b"\nc\nd", BLOCK) == [b"b\n", None, b"c\n", b"d\n"]
    assert lines_of(long + b"\n" + long, BLOCK) == [None, None]
    assert lines_of(long, BLOCK) == [None]
    assert lines_of(b"\n" + long, 3 * BLOCK) == [b"\n", long + b"\n"]


def test_blocks__a_part_of_a_file() -> None:
    file = io.BytesIO(b"a\nb\nc\nd\n")
    file.seek(2)
    assert [block.lines for block in blocks(file, 10, 4)] == [[b"b\n", b"c\n"]]


def test_blocks__a_file_that_fails() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(TrainingDataError, match=r"could not be read to its end: \[Errno 5\]"):
        list(blocks(Failing(), 10))
    with pytest.raises(RequestError, match=r"binary mode: its read\(\) did not return bytes"):
        list(blocks(io.StringIO("{}"), 10))  # type: ignore[arg-type]  # what is tested


def test_next_line_start() -> None:
    file = io.BytesIO(b"abc\ndef")
    assert next_line_start(file, 0) == 4
    file.seek(5)
    assert next_line_start(file, 5) == 7
