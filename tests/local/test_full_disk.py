"""A disk that is full, in a process of its own: the limit is the whole process's."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
