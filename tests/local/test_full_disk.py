"""A disk that is full, in a process of its own: the limit is the whole process's."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from finetune_client.local import LocalServer
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = """
import resource
from finetune_client import APIStatusError, Client, JobFailedError

line = '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "%d"}]}\\n'
lines = "".join(line % number for number in range(10)).encode()
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))  # more than the database, less than a model
with Client.local(max_retries=0) as client:
    try:
        client.files.create(file=lines * 1000)
    except APIStatusError as error:
        print(error.status_code, error.body["message"])
    file = client.files.create(file=lines)
    job = client.jobs.create(model="tiny", training_file=file.id)
    try:
        client.jobs.wait(job.id)
    except JobFailedError as error:
        print(error.code, error.job.error.message)
"""

FILLED = """
import resource, sys
from finetune_client import APIStatusError, Client, NotFoundError

made = []
client = Client.local(sys.argv[1], max_retries=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    while True:
        made.append(client.files.create(file=b"x", purpose="user_data").id)
except APIStatusError as error:
    print(error.status_code, error.body["message"])
for number in range(3):
    print(client.files.retrieve(made[-1]).id == made[-1], len(list(client.files.list())) == len(made))
    try:
        client.files.create(file=b"x", purpose="user_data")
    except APIStatusError as error:
        print(error.status_code)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
made.append(client.files.create(file=b"x", purpose="user_data").id)
client.close()
with Client.local(sys.argv[1]) as client:
    print(sorted(file.id for file in client.files.list()) == sorted(made))
    print({client.files.content(file) for file in made})
"""


def output(script: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        env=unmeasured(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such bound")
def test_local__says_why_the_disk_takes_no_more() -> None:
    assert output(SCRIPT) == [
        "500 The server had an error while processing your request: File too large.",
        "server_error The server failed while it worked on this job: File too large.",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such bound")
def test_local__loses_nothing_that_it_answered_when_the_disk_is_full(tmp_path: Path) -> None:
    first, *rest = output(FILLED, str(tmp_path))
    assert first == "500 The server had an error while processing your request: disk I/O error."
    assert rest == [*["True True", "500"] * 3, "True", "{b'x'}"]


@pytest.fixture
def shared_path() -> Iterator[Path]:
    """A directory that all users of the machine can reach."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


@pytest.mark.skipif(sys.platform == "win32", reason="it has users of another kind")
def test_directory__that_is_read_only_is_refused_with_the_reason(shared_path: Path) -> None:
    script = """
import os, sys
from finetune_client.local import LocalServer
if os.geteuid() == 0:  # whom no mode keeps from writing
    os.setgid(65534)
    os.setuid(65534)
for directory in sys.argv[1:]:
    try:
        LocalServer(directory)
    except OSError as error:
        print(error)
"""
    used, new = shared_path / "used", shared_path / "new"
    with LocalServer(used):
        pass
    folders = [path for path in (shared_path, *shared_path.rglob("*")) if path.is_dir()]
    for path in (*folders, *used.glob("*.*"), used / "lock"):
        path.chmod(0o555)
    assert output(script, str(used), str(new)) == [
        f"[Errno 13] Permission denied: {str(used / 'lock')!r}",
        f"[Errno 13] Permission denied: {str(new)!r}",
    ]
    for path in folders:
        path.chmod(0o755)
