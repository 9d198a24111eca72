"""Time: whatever the server does, a call ends when it was told to."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import (
    APIConnectionError,
    APITimeoutError,
    FineTuneError,
    RateLimitError,
)
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import connect, failure, sleepless
from tests.support.faults.operations import OPERATIONS, create

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client import Client

SLOW = ["hang", "drip", "drip open", "slow head", "endless head"]
CALLS = ["retrieve a job", "list jobs", "cancel a job", "upload a file", "create a job"]
LONG = 40
"""Seconds of silence that no test here waits for."""
LARGE = b"0123456789abcdef" * 65536 * 8
"""8 MiB: more than the buffers of two sockets hold."""


@contextlib.contextmanager
def _soon() -> Iterator[None]:
    """Long before the longest time-out of the client, however busy the machine is."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < LONG / 2


def _upload(client: Client) -> Any:
    return client.files.create(file=("a.jsonl", LARGE), purpose="fine-tune").bytes


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("action", SLOW)
def test_total__ends_what_drips(server: FaultServer, action: str, call: str) -> None:
    server.script(*[fault(action, every=0.05)] * 5)
    with connect(server, total_timeout=0.2, timeout=(LONG, LONG)) as client, _soon():
        error = failure(lambda: OPERATIONS[call](client), FineTuneError)
    if action != "endless head" and call != "create a job":
        assert isinstance(error, APITimeoutError)
        assert isinstance(error, TimeoutError)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("action", ["hang", "drip"])
def test_total__ends_what_no_other_limit_bounds(
    server: FaultServer, action: str, call: str
) -> None:
    server.script(*[fault(action, every=0.05)] * 5)
    with connect(server, total_timeout=0.2, timeout=None) as client, _soon():
        failure(lambda: OPERATIONS[call](client), FineTuneError)


def test_timeout__none_removes_the_limit_of_silence(server: FaultServer) -> None:
    server.script(*[fault("drip", every=0.4, size=100)] * 3)
    with connect(server, timeout=0.2, max_retries=0) as client:
        failure(lambda: client.jobs.retrieve("ftjob-7"), APITimeoutError)
        assert client.with_options(timeout=None).jobs.retrieve("ftjob-7").id == "ftjob-7"
        failure(lambda: client.jobs.retrieve("ftjob-7", timeout=None), APITimeoutError)


@pytest.mark.parametrize("action", ["drip", "hang", "drip open"])
def test_total__ends_a_download(server: FaultServer, action: str) -> None:
    server.script(*[fault(action, every=0.05)] * 5)
    with connect(server, total_timeout=0.2, timeout=(LONG, LONG)) as client, _soon():
        failure(lambda: client.files.content("file-7"), APITimeoutError)


@pytest.mark.parametrize("action", ["deaf", "slow reader"])
def test_total__ends_an_upload(server: FaultServer, action: str) -> None:
    server.script(fault(action, size=1024, every=0.02))
    with connect(server, total_timeout=0.5, timeout=(LONG, LONG)) as client, _soon():
        error = failure(lambda: _upload(client), APITimeoutError)
    assert error.outcome == "ambiguous"


def test_total__ends_an_error_body_that_drips(server: FaultServer) -> None:
    server.script(fault("raw", text="HTTP/1.1 400 Bad\r\nContent-Length: 9\r\n\r\n", keep=True))
    with connect(server, total_timeout=0.2, timeout=(LONG, LONG)) as client, _soon():
        failure(lambda: client.jobs.retrieve("ftjob-7"), FineTuneError)


def test_total__leaves_no_room_for_a_sleep(server: FaultServer) -> None:
    server.script(fault("answer", status=429, headers={"Retry-After": "30"}))
    with connect(server, total_timeout=1) as client:
        naps = sleepless(client)
        error = failure(lambda: client.jobs.retrieve("ftjob-7"), RateLimitError)
    assert naps == []
    assert len(server.seen) == 1
    assert error.retry_after == 30


def test_total__ends_many_tries(server: FaultServer) -> None:
    server.script(*[fault("answer", status=500)] * 200)
    with connect(server, total_timeout=0.5, max_retries=100) as client, _soon():
        failure(lambda: client.jobs.retrieve("ftjob-7"), FineTuneError)


@pytest.mark.parametrize("action", ["hang", "raw"])
@pytest.mark.parametrize("call", CALLS)
def test_read__ends_a_silence(server: FaultServer, call: str, action: str) -> None:
    half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    server.script(*[fault(action, text=half, keep=True)] * 3)
    with connect(server, timeout=(LONG, 0.1)) as client, _soon():
        sleepless(client)
        failure(lambda: OPERATIONS[call](client), FineTuneError)


def test_read__is_given_for_one_call(server: FaultServer) -> None:
    server.script(*[fault("hang")] * 3)
    with connect(server, timeout=(LONG, LONG)) as client, _soon():
        sleepless(client)
        failure(lambda: client.jobs.retrieve("ftjob-7", timeout=(LONG, 0.2)), APITimeoutError)
    assert len(server.seen) == 3


def test_read__does_not_end_what_keeps_coming(server: FaultServer) -> None:
    server.script(fault("drip", every=0.1, size=10))
    with connect(server, timeout=(LONG, 1)) as client:
        started = time.monotonic()
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
        assert time.monotonic() - started > 1
    assert len(server.seen) == 1


def test_send__is_not_bound_by_the_connect_timeout(server: FaultServer) -> None:
    server.script(fault("slow reader", size=65536, every=0.005))
    started = time.monotonic()
    with connect(server, timeout=(0.2, LONG)) as client:
        assert _upload(client) == len(LARGE)
    assert time.monotonic() - started > 0.4
    assert server.api.count("file") == 1


def test_send__of_large_json_is_not_bound_by_the_connect_timeout(server: FaultServer) -> None:
    server.script(fault("slow reader", size=65536, every=0.005))
    with connect(server, timeout=(0.2, LONG)) as client:
        create(client, extra_body={"padding": "x" * len(LARGE)})
    assert server.api.count("job") == 1


def test_send__that_stalls_ends_within_the_read_timeout(server: FaultServer) -> None:
    server.script(fault("deaf"))
    with connect(server, timeout=(LONG, 0.3)) as client, _soon():
        error = failure(lambda: _upload(client), APITimeoutError)
    assert error.attempts == 1
    assert error.outcome == "ambiguous"


@pytest.mark.parametrize("status", [401, 413])
@pytest.mark.parametrize("rude", [False, True])
def test_send__answered_early(server: FaultServer, status: int, rude: bool) -> None:
    server.script(fault("early", status=status, text="too much", rude=rude))
    with connect(server, timeout=(LONG, LONG)) as client, _soon():
        error = failure(lambda: _upload(client), FineTuneError)
    if not rude:
        assert getattr(error, "status_code", None) == status
    assert len(server.seen) == 1
    assert server.api.count("file") == 0


def test_send__reset_half_way(server: FaultServer) -> None:
    server.script(fault("early reset", after=1000))
    with connect(server) as client:
        error = failure(lambda: _upload(client), APIConnectionError)
    assert len(server.seen) == 1
    assert error.outcome == "ambiguous"


@pytest.mark.parametrize("status", [429, 503])
def test_send__whole_again_after_a_wait(server: FaultServer, status: int) -> None:
    server.script(fault("answer", status=status, headers={"Retry-After": "1"}))
    with connect(server) as client:
        sleepless(client)
        assert _upload(client) == len(LARGE)
    assert [len(seen.body) > len(LARGE) for seen in server.seen] == [True, True]
    assert all(seen.complete for seen in server.seen)


def test_connect__ends_in_time() -> None:
    """A listener whose queue is full takes no more connections."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(full.getsockname())
        server = stack.enter_context(FaultServer())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        client = stack.enter_context(connect(server, base_url=url, timeout=(0.2, LONG)))
        sleepless(client)
        with _soon():
            error = failure(lambda: create(client), APITimeoutError)
    assert error.outcome == "not_sent"
    assert error.attempts == 3
