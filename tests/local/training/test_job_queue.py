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


def test_training__goes_on_with_the_next_job_when_there_is_room_again(
    connect: Callable[[LocalServer], LocalApi],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    full = sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("finetune_client.local.training.job_queue._RETRY_SECONDS", 0.01)

    class Unlucky(BigramTrainer):
        def start(self, *_: Any) -> Any:
            monkeypatch.setattr(server._store.database, "write", self.write)
            raise full

        def write(self) -> None:
            raise full

    server = LocalServer(tmp_path, Unlucky(), workers=1)
    api = connect(server)
    train = api.upload(jsonl(chat_lines(10)))
    failed = api.create(training_file=train)
    message = f"the end of job {failed['id']} could not be saved yet"
    while message not in caplog.messages:
        time.sleep(0.01)
    monkeypatch.undo()
    assert api.ended(failed["id"])["error"]["message"] == (
        "The server failed while it worked on this job: database or disk is full."
    )
    monkeypatch.setattr(Unlucky, "start", BigramTrainer.start)
    assert api.ended(api.create(training_file=train)["id"])["status"] == "succeeded"
