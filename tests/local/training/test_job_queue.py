from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from finetune_client.local import LocalServer
from finetune_client.local.training.bigram.trainer import BigramTrainer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


FULL = sqlite3.OperationalError("database or disk is full")


class Unlucky(BigramTrainer):
    """A trainer that fails as the disk gets full, so that this cannot be saved either."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._patch = patch
        self.database: Any = None

    def start(self, *_: Any) -> Any:
        self._patch.setattr(self.database, "write", self.write)
        raise FULL

    def write(self) -> None:
        raise FULL


def wait_for(message: str, caplog: pytest.LogCaptureFixture) -> None:
    while message not in caplog.messages:
        time.sleep(0.01)


def test_training__goes_on_with_the_next_job_when_there_is_room_again(
    connect: Callable[[LocalServer], LocalApi],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("finetune_client.local.training.job_queue._RETRY_SECONDS", 0.01)
    trainer = Unlucky(monkeypatch)
    server = LocalServer(tmp_path, trainer, workers=1)
    trainer.database = server._store.database
    api = connect(server)
    train = api.upload(jsonl(chat_lines(10)))
    failed = api.create(training_file=train)
    wait_for(f"the end of job {failed['id']} could not be saved yet", caplog)
    monkeypatch.undo()
    assert api.ended(failed["id"])["error"]["message"] == (
        "The server failed while it worked on this job: database or disk is full."
    )
    monkeypatch.setattr(Unlucky, "start", BigramTrainer.start)
    assert api.ended(api.create(training_file=train)["id"])["status"] == "succeeded"


def test_close__does_not_wait_for_room_and_the_next_start_goes_on(
    connect: Callable[[LocalServer], LocalApi],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("finetune_client.local.training.job_queue._RETRY_SECONDS", 3600.0)
    trainer = Unlucky(monkeypatch)
    server = LocalServer(tmp_path, trainer, workers=1)
    trainer.database = server._store.database
    api = connect(server)
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))))
    wait_for(f"the end of job {job['id']} could not be saved yet", caplog)
    monkeypatch.undo()
    server.close()
    assert connect(LocalServer(tmp_path)).ended(job["id"])["status"] == "succeeded"
