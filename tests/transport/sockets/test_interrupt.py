"""Ctrl-C: a call ends at once, says nothing of the key, and cancels no job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.fault_server import FaultServer, fault
from tests.support.processes import end_with
from tests.support.unmeasured import unmeasured

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent as POSIX does")
KEY = "sk-interrupted-9f2c1b"
CHILD = """
import sys
from finetune_client import Client

url, key, call = sys.argv[1:]
with Client(key, base_url=url, provider="openai", timeout=(60, 60)) as client:
    calls = {
        "retrieve": lambda: client.jobs.retrieve("ftjob-7"),
        "create": lambda: client.jobs.create(model="m", training_file="file-1"),
        "content": lambda: client.files.content("file-7"),
        "upload": lambda: client.files.create(file=("a.jsonl", b"x" * 2**23), purpose="fine-tune"),
        "wait": lambda: client.jobs.wait("ftjob-7", poll_interval=60),
        "sleep": lambda: client.jobs.retrieve("ftjob-7"),
    }
    calls[call]()
"""
TROUBLE = {
    "retrieve": fault("hang"),
    "create": fault("hang"),
    "content": fault("drip", every=0.2),
    "upload": fault("deaf"),
    "wait": fault("pass"),
    "sleep": fault("answer", status=429, headers={"Retry-After": "50"}),
}


@pytest.mark.parametrize("call", TROUBLE)
def test_ctrl_c__ends_the_call(call: str) -> None:
    with FaultServer() as server:
        server.script(TROUBLE[call])
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, server.url, KEY, call],
            env=unmeasured(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        _once_it_waits(server)
        out, trace = end_with(signal.SIGINT, child)
        assert len(server.seen) == 1
        assert server.api.effects == []
    assert "KeyboardInterrupt" in trace
    assert child.returncode != 0
    assert KEY not in out + trace


def _once_it_waits(server: FaultServer) -> None:
    ends = time.monotonic() + 20
    while server.pending and time.monotonic() < ends:
        time.sleep(0.02)
    assert server.pending == []
    time.sleep(0.3)
