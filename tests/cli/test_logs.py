from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from finetune_client import Client
from finetune_client.local import LocalServer, TrainingError
from tests.support.gated_trainer import GatedTrainer, GatedTraining

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from finetune_client.local import Notice, Step, TrainingTask
    from tests.cli.conftest import Finetune

LINES = ["one", "two\x1b[31m", "three"]


class _Training(GatedTraining):
    """A run that writes a log, and then ends as one whose process was killed."""

    def __init__(self, trainer: GatedTrainer, task: TrainingTask) -> None:
        super().__init__(trainer, task, 0)
        self._log = task.directory / "log.txt"

    def steps(self) -> Iterator[Step | Notice]:
        yield from super().steps()
        self._log.write_text("\n".join(LINES), encoding="utf-8")
        raise TrainingError("It ended.\nThe last lines of its log:\nthree", code="trainer_died")


class DyingTrainer(GatedTrainer):
    def start(self, task: TrainingTask) -> GatedTraining:
        return _Training(self, task)


@pytest.fixture
def failed(temporary_folder: Path, train: Path) -> str:
    """A job of the local directory that failed; no server is running on it any more."""
    trainer = DyingTrainer(1, "mine")
    trainer.let(1)
    with (
        LocalServer(temporary_folder / "local", trainers=[trainer]) as server,
        Client.local(server=server) as client,
    ):
        job = client.jobs.create(model="mine", training_file=train)
        return client.jobs.wait(job.id, raise_on_failure=False).id


def test_logs__prints_the_log(finetune: Finetune, failed: str) -> None:
    done = finetune("logs", failed, "--local")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["one", r"two\x1b[31m", "three"]
    assert finetune("logs", failed, "--local", "-n", 1).stdout == "three\n"
    shown = finetune("logs", failed, "--local", "--json").stdout.splitlines()
    assert [json.loads(line) for line in shown] == [
        {"kind": "log", "job": failed, "line": line} for line in LINES
    ]


def test_logs__follow_ends_with_the_job_and_says_how_it_ended(
    finetune: Finetune, failed: str
) -> None:
    done = finetune("logs", failed, "--local", "--follow", "--lines", 1)
    assert (done.exit_code, done.stdout) == (0, "three\n")
    assert done.stderr == f"Job {failed}: failed.\n"


def test_logs__of_a_directory_that_is_named(
    finetune: Finetune, failed: str, temporary_folder: Path, tmp_path: Path
) -> None:
    place = ("--local", "--directory", temporary_folder / "local")
    assert finetune("logs", failed, *place, FINETUNE_DIRECTORY="").stdout.startswith("one\n")
    nowhere = tmp_path / "nowhere"
    done = finetune("logs", failed, "--local", "--directory", nowhere)
    assert done.exit_code == 1
    assert done.stderr == (
        f"Error: There is no embedded server's directory at {str(nowhere)!r}, so there are no logs in "
        "it. Name the directory in which the job was trained.\n"
    )
    assert not nowhere.exists()


def test_logs__while_another_command_uses_the_directory(
    finetune: Finetune, failed: str, temporary_folder: Path
) -> None:
    with LocalServer(temporary_folder / "local"):
        assert finetune("logs", failed, "--local", "-n", 1).stdout == "three\n"


def test_logs__of_tiny_and_of_another_server_are_refused(finetune: Finetune, train: Path) -> None:
    made = finetune("run", train, "-m", "tiny", "--local", "--epochs", 1, "--json")
    job = json.loads(made.stdout.splitlines()[-1])["job"]["id"]
    done = finetune("logs", job, "--local")
    assert done.exit_code == 1
    assert done.stderr == (
        f"Error: The job {job} has no log: 'tiny' is trained within the server, not by a process of "
        "its own. The job's events say how it went.\n"
    )
    for place in ([], ["--base-url", "http://127.0.0.1:1/v1"], ["--provider", "nebius"]):
        done = finetune("logs", job, *place)
        assert done.exit_code == 2
        assert done.stderr == (
            "Error: Logs are on the machine that trains, and no server gives them out. Of a job that "
            f"was trained on this machine: finetune logs {job} --local. What a server tells of a job: "
            f"finetune events {job}\n"
        )


def test_logs__of_no_job(finetune: Finetune, failed: str, temporary_folder: Path) -> None:
    done = finetune("logs", "ftjob-1", "--local", "--json")
    assert done.exit_code == 1
    place = str(temporary_folder / "local")
    assert json.loads(done.stdout) == {
        "kind": "error",
        "error": "FineTuneError",
        "message": f"There is no job 'ftjob-1' in the directory {place!r}.",
    }
    assert finetune("logs", failed, "--local", "--lines", "x").exit_code == 2


def test_show__says_why_a_job_failed_and_where_its_log_is(
    finetune: Finetune, failed: str, temporary_folder: Path
) -> None:
    done = finetune("show", failed, "--local")
    assert done.exit_code == 0
    assert done.stdout.split("\t")[:3] == [failed, "failed", "mine"]
    assert done.stderr.splitlines() == [
        "It ended.",
        "The last lines of its log:",
        "three",
        f"On the machine that trained it: finetune logs {failed} --local.",
        f"Its log: finetune logs {failed} --local --directory {temporary_folder / 'local'}",
    ]
    shown = finetune("show", failed, "--local", "--json")
    assert json.loads(shown.stdout)["error"]["code"] == "trainer_died"
    assert shown.stderr == ""


def test_follow__indents_the_further_lines_of_a_message(finetune: Finetune, failed: str) -> None:
    done = finetune("follow", failed, "--local")
    assert done.stdout.splitlines()[-4:] == [
        "error: It ended.",
        "  The last lines of its log:",
        "  three",
        f"  On the machine that trained it: finetune logs {failed} --local.",
    ]
