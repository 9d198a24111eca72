"""A disk that takes no more, in a process of its own: the bound is the whole process's."""

from __future__ import annotations

import errno
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.local import LocalServer
from finetune_client.local.training.bigram.trainer import BigramTrainer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCRIPT = """
import resource
from finetune_client import APIStatusError, Client, JobFailedError

line = '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "%d"}]}\\n'
lines = "".join(line % number for number in range(10)).encode()
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
with Client.local(max_retries=0) as client:
    try:
        client.files.create(file=lines * 10)
    except APIStatusError as error:
        print(error.status_code, error.body["message"])
    file = client.files.create(file=lines)
    job = client.jobs.create(model="tiny", training_file=file.id)
    try:
        client.jobs.wait(job.id)
    except JobFailedError as error:
        print(error.code, error.job.error.message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such bound")
def test_local__says_why_the_disk_takes_no_more() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "500 The server had an error while processing your request: File too large.",
        "server_error The server failed while it worked on this job: File too large.",
    ]


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
