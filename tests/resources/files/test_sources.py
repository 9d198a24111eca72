from __future__ import annotations

import gzip
import io
import mmap
import os
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Any

import pytest

from finetune_client.errors import IntegrityError, RequestError
from finetune_client.resources.files.sources import BLOCK_SIZE, Source, open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from finetune_client.resources.files.sources import FileInput

DATA = bytes(range(256)) * 600
FORMS = (
    "file= must be a path, a file opened with 'rb', bytes, or a tuple (name, content[, content "
    "type])"
)

TEXT = (
    "file= is text, which is taken for a path, but it has several lines; give content as bytes: "
    "text.encode()."
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_bytes(DATA)
    return path


def _read(source: Source) -> bytes:
    return b"".join(source.blocks())


def _read_on(source: Source, blocks: Iterator[bytes]) -> None:
    for _ in blocks:
        pass
    source.check()


@pytest.mark.parametrize(
    ("make", "name", "kind"),
    [
        (lambda path: path, "train.jsonl", None),
        (str, "train.jsonl", None),
        (lambda path: DATA, None, None),
        (lambda path: bytearray(DATA), None, None),
        (lambda path: memoryview(DATA), None, None),
        (lambda path: io.BytesIO(DATA), None, None),
        (lambda path: ("données.jsonl", DATA), "données.jsonl", None),
        (lambda path: ("a.jsonl", path, "text/jsonl"), "a.jsonl", "text/jsonl"),
        (lambda path: (None, DATA, None), None, None),
        (lambda path: (None, path), "train.jsonl", None),
    ],
)
def test_source__every_kind_is_read_whole_and_again(
    path: Path, make: Callable[[Path], FileInput], name: str | None, kind: str | None
) -> None:
    with open_source(make(path)) as source:
        assert (source.filename, source.content_type, source.size) == (name, kind, len(DATA))
        assert _read(source) == _read(source) == DATA
        assert max(map(len, source.blocks())) == BLOCK_SIZE
        assert b"".join(source.slice(10, 100_000).blocks()) == DATA[10:100_010]
        source.check()


def test_source__an_open_file_is_sent_from_where_it_stands_and_left_at_its_end(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(1000)
        with open_source(file) as source:
            assert (source.filename, source.size) == ("train.jsonl", len(DATA) - 1000)
            assert _read(source) == DATA[1000:]
        assert file.tell() == len(DATA)
        assert not file.closed


def test_source__an_open_file_is_put_back_when_sending_fails(path: Path) -> None:
    def send(file: IO[bytes]) -> None:
        with open_source(file) as source:
            next(source.blocks())
            raise KeyboardInterrupt

    with path.open("rb") as file:
        file.seek(1000)
        with pytest.raises(KeyboardInterrupt):
            send(file)
        assert file.tell() == 1000


def test_source__a_compressed_file_is_sent_as_it_reads(tmp_path: Path) -> None:
    packed = tmp_path / "train.jsonl.gz"
    packed.write_bytes(gzip.compress(DATA))
    with gzip.open(packed) as file, open_source(file) as source:
        assert source.size == len(DATA)
        assert _read(source) == _read(source) == DATA


def test_source__what_cannot_be_rewound_is_copied_first() -> None:
    out, into = os.pipe()
    with os.fdopen(into, "wb") as writer:
        writer.write(DATA[:5000])
    with os.fdopen(out, "rb") as pipe, open_source(pipe) as source:
        assert (source.filename, source.size) == (None, 5000)
        assert _read(source) == _read(source) == DATA[:5000]


def test_source__a_pipe_that_seems_to_rewind_is_copied_first() -> None:
    class OfWindows(io.FileIO):  # https://github.com/python/cpython/issues/86768
        def tell(self) -> int:
            return 0

        def seek(self, *_: int) -> int:
            return 0

    out, into = os.pipe()
    with os.fdopen(into, "wb") as writer:
        writer.write(DATA[:5000])
    with OfWindows(out) as pipe, open_source(pipe) as source:
        assert source.size == 5000
        assert _read(source) == DATA[:5000]


class _Wrapped:
    """One of the many classes that have `read` and little else."""

    def __init__(self) -> None:
        self._file = io.BytesIO(DATA)

    def read(self, size: int = 0) -> bytes:
        return self._file.read(size or -1)


class _Text(_Wrapped):
    def read(self, size: int = 0) -> Any:
        return super().read(size).decode("latin-1")


class _Strict(_Wrapped):
    def read(self, size: int = 0) -> bytes:
        if size < 1:
            raise ValueError(size)
        return self._file.read(size)


class _Rewound(_Wrapped):
    def tell(self) -> int:
        return self._file.tell()

    def seek(self, *place: int) -> None:
        self._file.seek(*place)


@pytest.mark.parametrize("make", [_Wrapped, _Strict, _Rewound])
def test_source__nothing_is_asked_of_a_file_but_to_read_and_to_rewind(
    make: Callable[[], _Wrapped],
) -> None:
    with open_source(make()) as source:
        assert source.size == len(DATA)
        assert _read(source) == _read(source) == DATA
        source.check()


def test_source__a_file_in_memory_is_sent(path: Path) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapped.seek(1000)
        with open_source(mapped) as source:
            assert _read(source) == DATA[1000:]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_source__a_path_that_is_a_pipe_is_copied_first(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.jsonl"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(DATA,))
    writer.start()
    with open_source(fifo) as source:
        assert (source.filename, source.size) == ("pipe.jsonl", len(DATA))
        assert _read(source) == DATA
    writer.join()


@pytest.mark.parametrize("from_disk", [True, False])
def test_source__threads_read_at_the_same_time(path: Path, from_disk: bool) -> None:
    found: dict[int, bytes] = {}
    with open_source(path if from_disk else DATA) as source:

        def read(at: int) -> None:
            found[at] = b"".join(source.slice(at, 30_720).blocks())

        threads = [threading.Thread(target=read, args=(n * 30_720,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert b"".join(found[at] for at in sorted(found)) == DATA


def test_source__a_file_that_is_closed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"x")
    with (tmp_path / "a.jsonl").open("rb") as file:
        pass
    with pytest.raises(RequestError) as caught, open_source(file):
        pass
    assert str(caught.value) == "file= is a file that is closed; open it again, with 'rb'."


def test_source__a_temporary_file_in_text_mode_is_refused() -> None:
    with tempfile.NamedTemporaryFile("w+") as file:
        given: Any = file
        file.write("text")
        file.seek(0)
        with pytest.raises(RequestError) as caught, open_source(given):
            pass
    assert str(caught.value) == "file= is a file in text mode; open it with 'rb'."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "The data without a name is empty (file=); nothing was sent."),
        (("a.jsonl", b""), "The file 'a.jsonl' is empty (file=); nothing was sent."),
        (io.StringIO("text"), "file= is a file in text mode; open it with 'rb'."),
        (_Text(), "file= is a file in text mode; open it with 'rb'."),
        (3, f"{FORMS}, not int."),
        (
            '{"a": 1}\n{"a": 2}\n',
            TEXT,
        ),
        (
            ("a.jsonl", "text"),
            f"{FORMS}; in a tuple, content is bytes, an open file or a Path.",
        ),
        (
            ("a.jsonl", b"x", "text/jsonl", {"X-A": "1"}),
            f"{FORMS}; in a tuple, content is bytes, an open file or a Path.",
        ),
        ((5, b"x"), f"{FORMS}; in a tuple, content is bytes, an open file or a Path."),
        (("a.jsonl", b"x", 5), f"{FORMS}; in a tuple, content is bytes, an open file or a Path."),
    ],
)
def test_source__what_cannot_be_sent_is_refused(given: Any, message: str) -> None:
    with pytest.raises(RequestError) as caught, open_source(given):
        pass
    assert str(caught.value) == message


def test_source__a_path_that_cannot_be_opened_says_so_itself(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_source(tmp_path / "none.jsonl"):
        pass


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("change", [-80_000, 10])
def test_source__a_file_that_shrinks_or_grows_is_noticed(
    path: Path, opened: bool, change: int
) -> None:
    with path.open("rb") as file, open_source(file if opened else path) as source:
        blocks = source.blocks()
        next(blocks)
        os.truncate(path, len(DATA) + change)
        with pytest.raises(IntegrityError) as caught:
            _read_on(source, blocks)
    assert caught.value.outcome == "not_sent"
    assert str(caught.value) == (
        "The file 'train.jsonl' changed while it was being sent: it had 153600 bytes and now has "
        f"{153600 + change}. Nothing was stored; send it again when it is complete and nothing "
        "writes to it any more."
    )


def test_source__a_file_that_is_written_to_is_noticed(path: Path) -> None:
    with open_source(path) as source:
        os.utime(path, ns=(1, 1))
        with pytest.raises(IntegrityError) as caught:
            source.check()
    assert str(caught.value) == (
        "The file 'train.jsonl' changed while it was being sent: it was written to. Nothing was "
        "stored; send it again when it is complete and nothing writes to it any more."
    )


def test_source__data_that_grows_is_noticed() -> None:
    file = io.BytesIO(b"abc")
    with open_source(file) as source:
        file.seek(0, os.SEEK_END)
        file.write(b"d")
        with pytest.raises(IntegrityError, match="it had 3 bytes and now has 4"):
            source.check()


def test_source__a_file_that_cannot_be_read_is_no_fault_of_the_network() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with open_source(("a.jsonl", Broken(b"abc"))) as source:
        blocks = source.blocks()
        with pytest.raises(IntegrityError) as caught:
            next(blocks)
    assert str(caught.value) == (
        "The file 'a.jsonl' could not be read to its end while it was being sent: Input/output "
        "error."
    )
