"""Waiting for a job over a connection that fails: what passes is outlasted, what does not ends it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from finetune_client.errors import APIError, AuthenticationError, FineTuneError, NotFoundError
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import connect, failure, sleepless

if TYPE_CHECKING:
    from tests.support.fault_server import Fault

JOB = {"id": "ftjob-7", "object": "fine_tuning.job", "status": "succeeded"}
DONE = fault("answer", json=JOB)
TRIES = 3
PASSING: dict[str, Fault] = {
    "reset": fault("reset"),
    "closed": fault("close"),
    "cut": fault("cut"),
    "silent": fault("hang"),
    "not HTTP": fault("raw", text="SSH-2.0\r\n\r\n"),
    "408": fault("answer", status=408),
    "409": fault("answer", status=409),
    "429": fault("answer", status=429),
    "500": fault("answer", status=500),
    "502": fault("answer", status=502, text="<title>Bad Gateway</title>"),
    "503": fault("answer", status=503),
    "504": fault("answer", status=504),
    "520": fault("answer", status=520),
    "HTML": fault("answer", text="<html>"),
    "nothing": fault("answer", text=""),
    "deep": fault("answer", text="[" * 100_000),
}


@pytest.mark.parametrize("trouble", PASSING)
def test_wait__outlasts_four_failed_looks(trouble: str) -> None:
    with FaultServer() as server:
        server.api.jobs.append(JOB)
        server.script(*[PASSING[trouble]] * (4 * TRIES))
        with connect(server, timeout=(10, 0.1 if trouble == "silent" else 30)) as client:
            sleepless(client)
            assert client.jobs.wait("ftjob-7", timeout=3600).status == "succeeded"
        assert server.pending == []
        assert server.api.effects == []


def test_wait__outlasts_three_404s_and_no_more() -> None:
    missing = fault("answer", status=404)
    with FaultServer() as server, connect(server) as client:
        sleepless(client)
        server.script(*[missing] * 3, DONE)
        assert client.jobs.wait("ftjob-7").status == "succeeded"
        server.script(*[missing] * 4, DONE)
        failure(lambda: client.jobs.wait("ftjob-7"), NotFoundError)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_wait__ends_at_once_where_time_mends_nothing(status: int) -> None:
    with FaultServer() as server, connect(server) as client:
        naps = sleepless(client)
        server.script(fault("answer", status=status))
        error = failure(lambda: client.jobs.wait("ftjob-7"), APIError)
    assert error.status_code == status
    assert error.message.endswith(" (while waiting for job ftjob-7, last seen: never)")
    assert pickle.loads(pickle.dumps(error)).message == error.message
    assert naps == []
    assert (status == 401) == isinstance(error, AuthenticationError)


def test_wait__ends_after_the_longest_outage() -> None:
    with FaultServer(listening=False) as server, connect(server) as client:
        naps = sleepless(client)
        error = failure(lambda: client.jobs.wait("ftjob-7", max_outage=300), FineTuneError)
    assert 300 <= sum(naps) < 400
    assert error.message.endswith(" (while waiting for job ftjob-7, last seen: never)")
