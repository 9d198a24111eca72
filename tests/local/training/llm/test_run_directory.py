from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from finetune_client.local.training.llm.run_directory import RunDirectory, RunLog

if TYPE_CHECKING:
    from pathlib import Path


def test_events__are_read_once_and_whole(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    reader = run.events()
    assert list(reader.read()) == []
    run.add_event("started", total_steps=3)
    assert list(reader.read()) == [{"event": "started", "total_steps": 3}]
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "st')
        file.flush()
        assert list(reader.read()) == []
        file.write('ep"}\n')
    assert list(reader.read()) == [{"event": "step"}]
    assert [event["event"] for event in run.events().read()] == ["started", "step"]


def test_requests__are_files(tmp_path: Path) -> None:
    run, other = RunDirectory(tmp_path), RunDirectory(tmp_path)
    assert not other.is_pause_requested()
    assert not other.is_cancel_requested()
    run.request_pause()
    run.request_cancel()
    run.request_cancel()
    assert other.is_pause_requested()
    assert other.is_cancel_requested()


def test_requests__to_a_directory_that_is_gone(tmp_path: Path) -> None:
    RunDirectory(tmp_path / "gone").request_cancel()
    with pytest.raises(FileNotFoundError):
        RunDirectory(tmp_path / "gone").request_pause()


def test_last_lines__are_few(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log.txt")
    assert log.last_lines() == ""
    log.path.write_bytes(b"\xff" * 20_000 + b"\n" + b"".join(b"%d\n" % n for n in range(50)))
    assert log.last_lines().splitlines() == [str(n) for n in range(30, 50)]


def test_last_lines__are_those_of_the_last_run(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"of the first run\n")
    log = RunLog(path)
    assert log.last_lines() == ""
    with path.open("ab") as file:
        file.write(b"of the second\n")
    assert log.last_lines() == "of the second"


def test_task__is_read_as_written(tmp_path: Path) -> None:
    RunDirectory(tmp_path).write_task({"seed": 1, "parent": None})
    assert RunDirectory(tmp_path).read_task() == {"seed": 1, "parent": None}
