"""Memory: bombs and bodies without end cost a child process next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fault_server import FaultServer, fault

if TYPE_CHECKING:
    from tests.support.fault_server import Fault

CHILD = '''
import dataclasses, json, resource, sys
from finetune_client import Client
from finetune_client.errors import FineTuneError

client = Client("sk-test", base_url=sys.argv[1], provider="openai", timeout=(5, 20), max_retries=0)
clock = client._session.clock
client._session.clock = dataclasses.replace(clock, sleep=lambda seconds: None)
calls = {
    "retrieve": lambda: client.jobs.retrieve("ftjob-7"),
    "create": lambda: client.jobs.create(model="m", training_file="file-1"),
    "cancel": lambda: client.jobs.cancel("ftjob-7"),
}

def peak():
    """Megabytes of this program alone: what getrusage says starts with what the parent had."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 2**20 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit

client.jobs.retrieve("ftjob-1")
start, found = peak(), []
for call in sys.argv[2:]:
    error = None
    try:
        calls[call]()
    except FineTuneError as caught:
        error = type(caught).__name__
    found.append({"error": error, "megabytes": peak() - start})
print(json.dumps(found))
'''
UNREADABLE, LOST = "APIResponseError", "APIConnectionError"
CASES: dict[str, tuple[str, Fault, str]] = {
    "1 GB from 1 MB": ("retrieve", fault("bomb", megabytes=1000), UNREADABLE),
    "an error that is a bomb": (
        "retrieve",
        fault("bomb", megabytes=1000, status=400),
        "BadRequestError",
    ),
    "a redirect that is a bomb": (
        "retrieve",
        fault("bomb", megabytes=1000, status=302, headers={"Location": "http://[::1"}),
        "RedirectRefusedError",
    ),
    "a redirect that is a bomb for a POST": (
        "cancel",
        fault("bomb", megabytes=1000, status=307, headers={"Location": "/v1/x"}),
        "RedirectRefusedError",
    ),
    "no end": ("retrieve", fault("endless"), UNREADABLE),
    "no end, in chunks": ("cancel", fault("endless", chunked=True), UNREADABLE),
    "an error without end": ("retrieve", fault("endless", status=404), "NotFoundError"),
    "headers without end": ("retrieve", fault("endless head"), LOST),
    "a header line without end": ("retrieve", fault("endless head", width=10_000_000), LOST),
    "too large a JSON": (
        "retrieve",
        fault("answer", text=b'{"id": "ftjob-7", "x": "' + b"x" * (40 * 2**20) + b'"}'),
        UNREADABLE,
    ),
    "a bomb for a create": ("create", fault("bomb", megabytes=300), "JobMayExistError"),
}


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    """One child meets all of it in turn, the create with its look-ups last; its peak only grows."""
    with FaultServer() as server:
        server.script(fault("pass"), *[trouble for _, trouble, _ in CASES.values()])
        calls = [call for call, _, _ in CASES.values()]
        done = subprocess.run(
            [sys.executable, "-c", CHILD, server.url, *calls],
            capture_output=True,
            text=True,
            timeout=50,
            check=True,
        )
        assert server.pending == []
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no module resource")
@pytest.mark.parametrize("case", CASES)
def test_memory__stays_flat(found: dict[str, dict[str, Any]], case: str) -> None:
    assert found[case]["error"] == CASES[case][2]
    assert found[case]["megabytes"] < 80
