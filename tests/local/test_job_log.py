"""The log of a job: what its trainer wrote, while the job lives and after it has ended."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import pytest

from finetune_client.errors import FineTuneError
from finetune_client.local import LocalServer, TrainingError, read_job_log
from finetune_client.local.storage.job_logs import KEPT_LOG_BYTES
from tests.support.gated_trainer import GatedTrainer, GatedTraining
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from finetune_client.local import Notice, Step, TrainingTask

    Connect = Callable[[LocalServer], LocalApi]

pytestmark = pytest.mark.usefixtures("impatient")


class _DyingTraining(GatedTraining):
    """A run that ends as one whose process was killed."""

    def steps(self) -> Iterator[Step | Notice]:
        yield from super().steps()
        raise TrainingError("The process ended.", code="trainer_died")


class WritingTrainer(GatedTrainer):
    """It trains ``mine``, and has written a log when its first step begins."""

    def __init__(self, log: str, *, dies: bool = False) -> None:
        super().__init__(2, "mine")
        self._log = log
        self._dies = dies

    def start(self, task: TrainingTask) -> GatedTraining:
        self.write(task, self._log)
        return _DyingTraining(self, task, 0) if self._dies else super().start(task)

    @staticmethod
    def write(task: TrainingTask, text: str) -> None:
        with (task.directory / "log.txt").open("a", encoding="utf-8", newline="") as log:
            log.write(text)


def end_one(connect: Connect, directory: Path, log: str) -> str:
    """Let a server train a job whose trainer writes a log, close the server, and return the id."""
    trainer = WritingTrainer(log)
    server = LocalServer(directory, trainers=[trainer])
    api = connect(server)
    job = begin(api, trainer)
    trainer.let(2)
    api.ended(job)
    server.close()
    return job


def begin(api: LocalApi, trainer: GatedTrainer) -> str:
    """Create a job, and return its id when its first step has begun."""
    job: str = api.create(model="mine", training_file=api.upload(jsonl(chat_lines(10))))["id"]
    while trainer.next() != "step 1":
        pass
    return job


def told(directory: Path, job: str, *, follow: bool = False) -> str:
    with pytest.raises(FineTuneError) as caught:
        read_job_log(directory, job, follow=follow)
    assert type(caught.value) is FineTuneError
    return caught.value.message


def test_log__of_a_running_job_and_of_the_same_when_it_has_ended(
    connect: Connect, tmp_path: Path
) -> None:
    trainer = WritingTrainer("one\ntwo\r\n 10%\r100%\nhalf \N{SNOWMAN}")
    api = connect(LocalServer(tmp_path, trainers=[trainer]))
    job = begin(api, trainer)
    whole = ["one", "two", "100%", "half \N{SNOWMAN}"]
    assert list(read_job_log(tmp_path, job)) == whole
    assert list(read_job_log(tmp_path, job, lines=2)) == whole[2:]
    assert list(read_job_log(tmp_path, job, lines=0)) == []
    trainer.let(2)
    assert api.ended(job)["status"] == "succeeded"
    assert list(read_job_log(str(tmp_path), job)) == whole


@pytest.mark.parametrize("end", ["success", "cancelling", "dying"])
def test_log__stays_however_the_job_ended_and_without_its_server(
    connect: Connect, tmp_path: Path, end: str
) -> None:
    trainer = WritingTrainer("why\n", dies=end == "dying")
    server = LocalServer(tmp_path, trainers=[trainer])
    api = connect(server)
    job = begin(api, trainer)
    if end == "cancelling":
        api.ok("POST", f"/fine_tuning/jobs/{job}/cancel")
    else:
        trainer.let(2)
    ended = api.ended(job)
    server.close()
    assert not (tmp_path / "jobs" / job).exists()
    assert list(read_job_log(tmp_path, job)) == ["why"]
    if end == "dying":
        assert ended["error"]["message"] == (
            f"The process ended.\nOn the machine that trained it: finetune logs {job} --local."
        )


def test_log__of_a_temporary_server_is_not_promised(connect: Connect) -> None:
    trainer = WritingTrainer("why\n", dies=True)
    api = connect(LocalServer(trainers=[trainer]))
    job = begin(api, trainer)
    trainer.let(2)
    assert api.ended(job)["error"]["message"] == "The process ended."


def test_log__that_is_long_keeps_its_last_whole_lines(connect: Connect, tmp_path: Path) -> None:
    numbers = [f"line {number}" for number in range(40_000)]
    job = end_one(connect, tmp_path, "\n".join(numbers) + "\n")
    kept = list(read_job_log(tmp_path, job))
    assert kept == numbers[-len(kept) :]
    size = (tmp_path / "logs" / f"{job}.txt").stat().st_size
    assert KEPT_LOG_BYTES - 20 < size <= KEPT_LOG_BYTES


def test_log__is_followed_until_the_job_has_ended(connect: Connect, tmp_path: Path) -> None:
    trainer = WritingTrainer("one\ntwo\nhal")
    api = connect(LocalServer(tmp_path, trainers=[trainer]))
    job = begin(api, trainer)
    [task] = trainer.tasks
    seen: list[str] = []
    statuses: list[str] = []
    waits = 0

    def pass_time(seconds: float) -> None:
        nonlocal waits
        assert 0 < seconds < 2
        waits += 1
        if waits == 1:
            assert seen == ["two"]
            trainer.write(task, "f\nthree\n")
        elif waits == 2:
            assert seen == ["two", "half", "three"]
            trainer.write(task, "the end")
            trainer.let(2)
            api.ended(job)

    lines = read_job_log(
        tmp_path, job, lines=1, follow=True, on_status=statuses.append, sleep=pass_time
    )
    seen.extend(lines)  # one by one, which `pass_time` sees
    assert seen == ["two", "half", "three", "the end"]
    assert (statuses, waits) == (["running", "succeeded"], 2)


def test_log__is_waited_for(connect: Connect, tmp_path: Path) -> None:
    trainer = WritingTrainer("one\n")
    api = connect(LocalServer(tmp_path, trainers=[trainer], workers=1))
    file = api.upload(jsonl(chat_lines(10)))
    api.create(model="mine", training_file=file)
    job = api.create(model="mine", training_file=file)["id"]
    assert api.job(job, until=("queued",))
    assert told(tmp_path, job) == (
        f"The job {job} has no log; its status is queued. It begins when a process begins to train "
        "the job; follow waits for that."
    )
    statuses: list[str] = []

    def pass_time(_: float) -> None:
        trainer.let(4)
        api.ended(job)

    lines = read_job_log(tmp_path, job, follow=True, on_status=statuses.append, sleep=pass_time)
    assert list(lines) == ["one"]
    assert statuses == ["queued", "succeeded"]


def test_log__of_a_job_that_never_ran(connect: Connect, tmp_path: Path) -> None:
    trainer = WritingTrainer("one\n")
    api = connect(LocalServer(tmp_path, trainers=[trainer], workers=1))
    file = api.upload(jsonl(chat_lines(10)))
    api.create(model="mine", training_file=file)
    job = api.create(model="mine", training_file=file)["id"]
    lines = read_job_log(
        tmp_path,
        job,
        follow=True,
        sleep=lambda _: api.ok("POST", f"/fine_tuning/jobs/{job}/cancel"),
    )
    expected = (
        f"The job {job} has no log; its status is cancelled. It ended before a process began to "
        "train it, or before logs were kept."
    )
    with pytest.raises(FineTuneError) as caught:
        list(lines)
    assert caught.value.message == expected
    assert told(tmp_path, job) == expected
    assert told(tmp_path, job, follow=True) == expected


def test_log__of_tiny_there_is_none(connect: Connect, tmp_path: Path) -> None:
    api = connect(LocalServer(tmp_path))
    job = api.trained(training_file=api.upload(jsonl(chat_lines(10))))["id"]
    for follow in (False, True):
        assert told(tmp_path, job, follow=follow) == (
            f"The job {job} has no log: 'tiny' is trained within the server, not by a process of its "
            "own. The job's events say how it went."
        )


def test_log__of_what_is_not_there(connect: Connect, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert told(nowhere, "ftjob-1") == (
        f"There is no embedded server's directory at {str(nowhere)!r}, so there are no logs in it. "
        "Name the directory in which the job was trained."
    )
    assert not nowhere.exists()
    connect(LocalServer(tmp_path))
    for job in ("ftjob-1", "../ftjob-1"):
        expected = f"There is no job {job!r} in the directory {str(tmp_path)!r}."
        assert told(tmp_path, job) == expected
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "state.sqlite3").write_bytes(b"not a database" * 100)
    assert told(tmp_path / "other", "ftjob-1") == (
        f"The state in {str(tmp_path / 'other')!r} cannot be read: file is not a database."
    )


def test_log__is_there_after_the_server_was_killed_before_it_was_kept(
    connect: Connect, tmp_path: Path
) -> None:
    job = end_one(connect, tmp_path, "")
    assert not (tmp_path / "logs").exists()  # an empty log is none
    left = tmp_path / "jobs" / job / "trainer"
    left.mkdir(parents=True)
    (left / "log.txt").write_text("one\n", encoding="utf-8")
    assert list(read_job_log(tmp_path, job)) == ["one"]
    connect(LocalServer(tmp_path))
    assert not left.exists()
    assert list(read_job_log(tmp_path, job)) == ["one"]


@pytest.mark.skipif(sys.platform == "win32", reason="another error there")
def test_log__that_cannot_be_kept_is_lost_with_a_warning(
    connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").write_text("in the way", encoding="utf-8")
    trainer = WritingTrainer("one\n")
    server = LocalServer(tmp_path, trainers=[trainer])
    api = connect(server)
    job = begin(api, trainer)
    with caplog.at_level(logging.WARNING, "finetune_client.local"):
        trainer.let(2)
        assert api.ended(job)["status"] == "succeeded"
        server.close()
    assert not (tmp_path / "jobs" / job).exists()
    [record] = caplog.records
    assert record.getMessage().startswith(f"The log of job {job} could not be kept: [Errno")
