"""A client that threads share: each gets the answer to what it asked."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from finetune_client.errors import ConfigurationError, FineTuneError
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import connect, failure, sleepless
from tests.support.faults.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client import Client


def _rounds(client: Client, thread: int, count: int) -> list[tuple[str, str]]:
    asked = [f"ftjob-{thread}-{number}" for number in range(count)]
    return [(name, client.jobs.retrieve(name).id) for name in asked]


@pytest.mark.parametrize("provider", ["openai", "compatible"])
def test_threads__get_their_own_answers(server: FaultServer, provider: str) -> None:
    with connect(server, provider=provider) as client, ThreadPoolExecutor(8) as pool:
        rounds = pool.map(lambda thread: _rounds(client, thread, 25), range(8))
        pairs = [pair for each in rounds for pair in each]
    assert len(pairs) == 200
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_threads__get_their_own_answers_among_faults(server: FaultServer) -> None:
    trouble = ["reset", "close", "cut", "cut chunks", "short length", "stale", "twice"]
    server.script(*[fault(action) for action in trouble] * 3)
    with connect(server, max_retries=30) as client, ThreadPoolExecutor(8) as pool:
        sleepless(client)
        rounds = pool.map(lambda thread: _rounds(client, thread, 25), range(8))
        pairs = [pair for each in rounds for pair in each]
    assert len(pairs) == 200
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    assert server.pending == []


def test_threads__create_their_own_jobs(server: FaultServer) -> None:
    def create(number: int) -> tuple[str, str | None]:
        name = f"file-{number}"
        return name, client.jobs.create(model="m", training_file=name).training_file

    with connect(server) as client, ThreadPoolExecutor(6) as pool:
        pairs = list(pool.map(create, range(30)))
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    assert sorted(job["training_file"] for job in server.api.jobs) == sorted(p[0] for p in pairs)
    keys = {seen.header("idempotency-key") for seen in server.seen}
    assert len(keys) == 30


def test_threads__lost_creates_find_their_own_jobs(server: FaultServer) -> None:
    def create(number: int) -> tuple[str, str | None]:
        name = f"file-{number}"
        return name, client.jobs.create(model="m", training_file=name).training_file

    server.script(*[fault("reset", works=True, on="POST")] * 30)
    with connect(server) as client, ThreadPoolExecutor(6) as pool:
        sleepless(client)
        pairs = list(pool.map(create, range(30)))
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    assert server.api.count("job") == 30


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


TROUBLE = [
    "pass",
    "reset",
    "close",
    "cut",
    "cut open",
    "cut chunks",
    "cut gzip",
    "short length",
    "twice",
    "informed",
    "stale",
    "bomb",
    "hang",
    "endless",
    "endless head",
    "early",
    "slow head",
]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
def test_leaks__no_descriptor_and_no_thread_stays(server: FaultServer) -> None:
    threads, descriptors = _baseline(server)
    calls = ["retrieve a job", "cancel a job", "upload a file", "create a job"]
    for _ in range(2):
        with connect(server, timeout=(1, 0.05), max_retries=0) as client:
            sleepless(client)
            for action in TROUBLE:
                for call in calls:
                    server.script(fault(action, megabytes=40, status=500))
                    _try(client, call)
                    server.pending.clear()
    assert _settles(_open_descriptors, descriptors)
    assert _settles(threading.active_count, threads)


def _baseline(server: FaultServer) -> tuple[int, int]:
    """What is open after a first client has come and gone."""
    with connect(server) as client:
        client.jobs.retrieve("ftjob-1")
    _settles(lambda: len(server.wires), 0)
    return threading.active_count(), _open_descriptors()


def _try(client: Client, call: str) -> None:
    with contextlib.suppress(FineTuneError):
        OPERATIONS[call](client)


def _settles(measure: Callable[[], int], wanted: int) -> bool:
    """The server's own side of a connection ends a moment after the client's."""
    ends = time.monotonic() + 5
    while measure() > wanted and time.monotonic() < ends:
        time.sleep(0.02)
    return measure() <= wanted


def test_close__is_idempotent_and_leaves_nothing_open(server: FaultServer) -> None:
    client = connect(server)
    client.jobs.retrieve("ftjob-1")
    client.close()
    client.close()
    assert _settles(lambda: len(server.wires), 0)


def test_close__ends_with_the_with_statement(server: FaultServer) -> None:
    with connect(server) as client:
        client.jobs.retrieve("ftjob-1")
    assert _settles(lambda: len(server.wires), 0)


@pytest.mark.parametrize("call", OPERATIONS)
def test_closed__sends_nothing_more(server: FaultServer, call: str) -> None:
    with connect(server) as client:
        client.jobs.retrieve("ftjob-1")
    error = failure(lambda: OPERATIONS[call](client), ConfigurationError)
    assert error.message == "The client is closed; make a new one."
    assert len(server.seen) == 1
