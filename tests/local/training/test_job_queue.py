from __future__ import annotations

import errno
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
    full = OSError(errno.ENOSPC, "No space left on device")

    class Unlucky(BigramTrainer):
        def start(self, *_: Any) -> Any:
            monkeypatch.setattr(server._store, "save", self.save)
            raise full

        def save(self, *_: Any) -> None:
            raise full

    server = LocalServer(tmp_path, Unlucky(), workers=1)
    api = connect(server)
    train = api.upload(jsonl(chat_lines(10)))
    failed = api.ended(api.create(training_file=train)["id"])
    assert failed["status"] == "failed"
    monkeypatch.undo()
    monkeypatch.setattr(Unlucky, "start", BigramTrainer.start)
    assert api.ended(api.create(training_file=train)["id"])["status"] == "succeeded"
    assert f"the end of job {failed['id']} could not be saved" in caplog.messages
