"""Where a training file may come from, and what happens if it does not."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.training_data import check
from tests.support.example_lines import good_lines

if TYPE_CHECKING:
    from pathlib import Path


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
