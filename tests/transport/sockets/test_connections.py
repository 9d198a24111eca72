"""Connections that are not what they seem: an answer goes to the one who asked, or to nobody."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import APIResponseError, FineTuneError
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import connect, failure, sleepless
from tests.support.faults.operations import OPERATIONS, create

if TYPE_CHECKING:
    from finetune_client import Client


def _ask(client: Client, name: str) -> str | None:
    """Ask for a job: its id, or `None` after a documented error."""
    try:
        return client.jobs.retrieve(name).id
    except FineTuneError:
        return None


def _until_closed(server: FaultServer) -> None:
    """Wait until the server has left its end of every connection."""
    ends = time.monotonic() + 20
    while server.wires and time.monotonic() < ends:
        time.sleep(0.005)
    assert server.wires == []


@pytest.mark.parametrize("then", ["retrieve a job", "cancel a job", "upload a file"])
@pytest.mark.parametrize("reset", [False, True])
def test_stale__next_call_is_answered(server: FaultServer, reset: bool, then: str) -> None:
    server.script(fault("stale", reset=reset))
    with connect(server) as client:
        sleepless(client)
        assert client.jobs.list().data == []
        _until_closed(server)
        assert OPERATIONS[then](client)
    assert server.pending == []


@pytest.mark.parametrize("reset", [False, True])
def test_stale__create_is_sent_once(server: FaultServer, reset: bool) -> None:
    server.script(fault("stale", reset=reset))
    with connect(server) as client:
        client.jobs.retrieve("ftjob-1")
        _until_closed(server)
        create(client)
    assert server.lines.count("POST /fine_tuning/jobs") == 1
    assert server.api.count("job") == 1


def test_race__get_is_repeated_and_create_meets_none() -> None:
    with FaultServer(races=True) as server, connect(server) as client:
        sleepless(client)
        for _ in range(3):
            assert client.jobs.retrieve("ftjob-1").id == "ftjob-1"
            create(client)
        assert server.lines.count("POST /fine_tuning/jobs") == 3
        assert server.api.count("job") == 3


EARLY = {
    "100": [100],
    "102": [102],
    "103": [103],
    "103 twice": [103, 103],
    "100 and 103": [100, 103],
    "103 and 100": [103, 100],
    "199": [199],
    "ten": [103] * 10,
}


@pytest.mark.parametrize("late", [0, 0.05])
@pytest.mark.parametrize("codes", EARLY)
def test_1xx__shifts_no_answer(server: FaultServer, codes: str, late: float) -> None:
    with connect(server) as client:
        sleepless(client)
        for number in range(4):
            server.script(fault("informed", codes=EARLY[codes], late=late))
            assert client.jobs.retrieve(f"ftjob-{number}").id == f"ftjob-{number}"
            assert client.jobs.retrieve(f"ftjob-9{number}").id == f"ftjob-9{number}"


@pytest.mark.parametrize("codes", EARLY)
def test_1xx__before_a_create_makes_one_job(server: FaultServer, codes: str) -> None:
    server.script(fault("informed", on="POST", codes=EARLY[codes]))
    with connect(server) as client:
        job = create(client)
    assert server.lines == ["POST /fine_tuning/jobs"]
    assert [job.id] == [made["id"] for made in server.api.jobs]


def test_101__is_an_error(server: FaultServer) -> None:
    server.script(*[fault("raw", text="HTTP/1.1 101 Switching\r\n\r\n", keep=True)] * 3)
    with connect(server, timeout=(1, 0.5)) as client:
        sleepless(client)
        assert _ask(client, "ftjob-1") is None
        server.pending.clear()
        assert _ask(client, "ftjob-2") == "ftjob-2"


@pytest.mark.parametrize("then", ["retrieve", "create"])
@pytest.mark.parametrize("less", [1, 10, 40])
@pytest.mark.parametrize("action", ["short length", "twice"])
def test_leftovers__reach_nobody(server: FaultServer, action: str, less: int, then: str) -> None:
    with connect(server) as client:
        sleepless(client)
        for number in range(3):
            server.script(fault(action, less=less))
            assert client.jobs.retrieve(f"ftjob-{number}").id == f"ftjob-{number}"
            assert server.pending == []
            if then == "retrieve":
                assert client.jobs.retrieve(f"ftjob-9{number}").id == f"ftjob-9{number}"
            else:
                create(client, suffix=f"n{number}")
    assert server.api.count("job") == (3 if then == "create" else 0)


OTHER = {"id": "ftjob-other", "object": "fine_tuning.job"}


@pytest.mark.parametrize(
    ("provider", "call"),
    [
        (provider, call)
        for provider in ("openai", "azure", "local")
        for call in ("retrieve a job", "cancel a job", "pause a job", "resume a job")
    ],
)
def test_other_id__is_an_error_where_ids_are_kept(
    server: FaultServer, provider: str, call: str
) -> None:
    server.script(*[fault("answer", json=OTHER)] * 3)
    with connect(server, provider=provider) as client:
        sleepless(client)
        error = failure(lambda: OPERATIONS[call](client), APIResponseError)
    assert "ftjob-other" in error.message
    assert "ftjob-7" in error.message


@pytest.mark.parametrize("call", ["retrieve a file", "delete a file", "retrieve a model"])
def test_other_id__is_seen_for_other_things(server: FaultServer, call: str) -> None:
    server.script(*[fault("answer", json={"id": "other", "object": "file"})] * 3)
    with connect(server) as client:
        sleepless(client)
        failure(lambda: OPERATIONS[call](client), APIResponseError)


def test_other_id__is_a_warning_elsewhere(
    server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(fault("answer", json=OTHER))
    with connect(server, provider="compatible") as client, caplog.at_level(logging.WARNING):
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-other"
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.name.startswith("finetune_client")


BIG = {"text": "x" * 300_000}


@pytest.mark.parametrize(
    "args",
    [
        {"status": 400, **BIG},
        {"status": 404, **BIG, "headers": {"Content-Type": "text/html"}},
        {"status": 204},
        {"status": 400, "text": "", "headers": {"Connection": "close"}},
    ],
)
def test_after_an_odd_answer__the_next_is_right(server: FaultServer, args: dict[str, Any]) -> None:
    server.script(fault("answer", **args))
    with connect(server) as client:
        assert _ask(client, "ftjob-1") is None
        assert _ask(client, "ftjob-2") == "ftjob-2"


def test_half_read_stream__reaches_nobody(server: FaultServer) -> None:
    server.script(fault("answer", text="z" * 1_000_000))
    with connect(server) as client:
        for block in client.files.stream("file-7"):
            assert block
            break
        assert client.jobs.retrieve("ftjob-2").id == "ftjob-2"
