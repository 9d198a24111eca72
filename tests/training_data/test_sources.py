"""Where a training file may come from, and what happens if it does not."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.training_data import check, fix, read_rows, split
from tests.support.example_lines import good_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")


def test_check__a_path_bytes_and_an_open_file_come_to_the_same(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join([*good_lines("chat"), b"{"]))
    reports = [check(path), check(str(path)), check(path.read_bytes())]
    reports.append(check(bytearray(path.read_bytes())))
    with path.open("rb") as file:
        reports.append(check(file))
    assert {tuple(report.problems) for report in reports} == {tuple(reports[0].problems)}
    names = [str(path), str(path), f"{path.stat().st_size} bytes"]
    assert [report.path for report in reports[:3]] == names
    assert reports[4].path == str(path)


def test_check__a_stream_that_cannot_be_rewound(tmp_path: Path) -> None:
    class Stream(io.RawIOBase):
        def __init__(self) -> None:
            self.left = b"\n".join(good_lines("chat"))

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            part, self.left = self.left[: min(7, len(buffer))], self.left[7:]
            buffer[: len(part)] = part
            return len(part)

    said: list[tuple[int, int]] = []
    report = check(io.BufferedReader(Stream()), progress=lambda *numbers: said.append(numbers))
    assert (report.ok, report.statistics["examples"], report.path) == (True, 10, "an open file")
    assert said[-1] == (report.statistics["bytes"],) * 2


def test_check__what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError) as missing:
        check(tmp_path / "no.jsonl")
    assert missing.value.message == (
        f"The training file {tmp_path / 'no.jsonl'} cannot be read: no such file or directory. "
        "Check the path and its permissions."
    )
    with pytest.raises(TrainingDataError, match="cannot be read: is a directory"):
        check(tmp_path)
    with pytest.raises(TrainingDataError, match="cannot be read: embedded null"):
        check("a\0b")
    with pytest.raises(TrainingDataError, match="no such file"):
        check(good_lines("chat")[0], validation=tmp_path / "no.jsonl")
    with pytest.raises(RequestError, match="binary mode"):
        check(io.StringIO("{}"))  # type: ignore[arg-type]  # what is tested
    with pytest.raises(RequestError, match="given as a path, as bytes, or as a file"):
        check(7)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    "action", [check, fix, split, lambda path: list(read_rows(path, format="jsonl"))]
)
def test_every_reader__says_that_there_is_no_file(
    action: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(TrainingDataError, match="cannot be read: no such file or directory"):
        action(tmp_path / "no.jsonl")


@posix
@pytest.mark.parametrize("name", ["x" * 300, "."])
def test_fix_and_split__say_why_a_file_cannot_be_read(name: str, tmp_path: Path) -> None:
    reason = "is a directory" if name == "." else "file name too long"
    source, first, second = tmp_path / name, tmp_path / "a", tmp_path / "b"
    with pytest.raises(TrainingDataError, match=f"cannot be read: {reason}"):
        fix(source, first)
    with pytest.raises(TrainingDataError, match=f"cannot be read: {reason}"):
        split(source, training_path=first, validation_path=second)


@posix
def test_check__a_device_has_no_end() -> None:
    for path in ("/dev/zero", "/dev/null"):
        with pytest.raises(TrainingDataError) as refused:
            check(path)
        assert refused.value.message == (
            f"The training file {path} cannot be read: it is a device and not a file. "
            "Check the path and its permissions."
        )
    with pytest.raises(TrainingDataError, match="a device"):
        list(read_rows("/dev/zero", format="csv"))


@posix
@pytest.mark.parametrize("format", ["jsonl", "json", "csv"])
def test_read_rows__of_a_pipe(format: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = b"a\n1\n2\n" if format == "csv" else b'{"a": "1"}\n{"a": "2"}\n'
    writer = threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True)
    writer.start()
    rows = list(read_rows(pipe, format=format))  # type: ignore[arg-type]  # one of them
    writer.join()
    assert rows == [{"a": "1"}, {"a": "2"}]


@posix
@pytest.mark.parametrize("action", [fix, split])
def test_fix_and_split__refuse_a_pipe(action: Callable[[Path], object], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(TrainingDataError) as refused:
        action(pipe)
    assert refused.value.message == (
        f"The training file {pipe} cannot be read: it is not a regular file, and it has to be read "
        "more than once. Check the path and its permissions."
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_check__a_file_that_grows_is_read_as_long_as_it_was(workers: int, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join([*good_lines("chat"), b""]))
    size = path.stat().st_size
    said: list[int] = []

    def grow(done: int, _size: int) -> None:
        said.append(done)
        if len(said) < 4:  # a reader that follows it comes to an end
            with path.open("ab") as file:
                file.write(b"{\n" * 200_000)

    report = check(path, workers=workers, progress=grow)
    assert (report.ok, report.statistics["examples"], said[-1]) == (True, 10, size)
