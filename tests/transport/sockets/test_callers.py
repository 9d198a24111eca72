"""What a caller does meanwhile: handles another error, raises from a callback, closes the client."""

from __future__ import annotations

import errno
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
import urllib3

from finetune_client.errors import APIConnectionError, APIError
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.api import CSV
from tests.support.faults.clients import connect, failure, sleepless
from tests.support.faults.operations import create

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client import Client

HANDLED = [
    requests.ConnectTimeout("another server"),
    requests.exceptions.ProxyError("another server"),
    socket.gaierror(socket.EAI_NONAME, "another server"),
    ssl.SSLCertVerificationError("another server"),
    TimeoutError("another server"),
]


def _while_handling(error: Exception, call: Callable[[], Any]) -> Any:
    try:
        raise error
    except type(error):
        return call()


@pytest.mark.parametrize("own", [True, False], ids=["ours", "borrowed"])
@pytest.mark.parametrize("handled", HANDLED, ids=lambda error: type(error).__name__)
def test_handled_error__does_not_pay_twice(handled: Exception, own: bool) -> None:
    with (
        FaultServer() as server,
        connect(server, session=None if own else requests.Session()) as client,
    ):
        server.script(fault("close", works=True, on="POST"))
        sleepless(client)
        job = _while_handling(handled, lambda: create(client))
        assert server.api.count("job") == 1
        assert job.id == "ftjob-1000"


@pytest.mark.parametrize("handled", HANDLED, ids=lambda error: type(error).__name__)
def test_handled_error__says_nothing_of_this_call(handled: Exception) -> None:
    with FaultServer() as server, connect(server, max_retries=1) as client:
        server.script(*[fault("close")] * 2)
        sleepless(client)
        error = failure(
            lambda: _while_handling(handled, lambda: client.jobs.retrieve("ftjob-7")),
            APIConnectionError,
        )
    assert (type(error), error.outcome, error.attempts) == (APIConnectionError, "ambiguous", 2)
    place = urlsplit(client.base_url).netloc
    assert error.message == (
        f"The connection to {place} was lost before the answer was there: RemoteDisconnected."
    )


@pytest.mark.parametrize("trouble", ["close", "cut"])
@pytest.mark.parametrize(
    "call",
    [lambda c: c.jobs.retrieve("ftjob-7"), lambda c: list(c.files.stream("file-7"))],
    ids=["send", "stream"],
)
def test_handled_error__stays_as_it_is(call: Callable[[Client], Any], trouble: str) -> None:
    answer = requests.Response()

    def ask() -> None:
        asked = "what the caller wants to see in a debugger"
        raise requests.HTTPError(len(asked), response=answer, request=requests.Request())

    with FaultServer() as server, connect(server, max_retries=0) as client:
        server.script(fault(trouble))
        with pytest.raises(requests.HTTPError) as caught:
            ask()
        with pytest.raises(APIError):
            _while_handling(caught.value, lambda: call(client))
    error = caught.value
    assert error.response is answer
    assert error.request is not None
    assert "asked" in caught.traceback[-1].frame.f_locals


RAISED = [
    BrokenPipeError(errno.EPIPE, "standard output is closed"),
    ConnectionResetError(errno.ECONNRESET, "of the caller's own connection"),
    OSError(errno.ENOSPC, "No space left on device"),
    TimeoutError("the caller's"),
    UnicodeEncodeError("ascii", "\u2588", 0, 1, "ordinal not in range(128)"),
    ValueError("the caller's"),
    requests.ConnectionError("the caller's"),
    urllib3.exceptions.ProtocolError("the caller's"),
]
UPLOADS: dict[str, Callable[[Client, Any], Any]] = {
    "a file": lambda c, progress: c.files.create(file=b"x" * 200_000, progress=progress),
    "a part": lambda c, progress: c.uploads.parts.create(
        "upload_7", data=b"x" * 200_000, progress=progress
    ),
    "in parts": lambda c, progress: c.uploads.upload_file(
        ("a.jsonl", b"x" * 200_000), workers=1, progress=progress
    ),
}


@pytest.mark.parametrize("own", [True, False], ids=["ours", "borrowed"])
@pytest.mark.parametrize("upload", UPLOADS)
@pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
def test_progress__that_raises_ends_the_upload_with_what_it_raised(
    raised: Exception, upload: str, own: bool
) -> None:
    def progress(sent: int, _total: int) -> None:
        if sent > 100_000:
            raise raised

    with (
        FaultServer() as server,
        connect(server, session=None if own else requests.Session()) as client,
    ):
        naps = sleepless(client)
        began = time.monotonic()
        with pytest.raises(type(raised)) as caught:
            UPLOADS[upload](client, progress)
        assert time.monotonic() - began < 15
        assert caught.value is raised
        assert caught.value.__context__ is None
        assert naps == []


def test_close__during_a_call_leaves_no_connection() -> None:
    with FaultServer() as server:
        server.script(fault("answer", status=500))
        client = connect(server)
        sleepless(client, client.close)
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
        ends = time.monotonic() + 20
        while server.wires and time.monotonic() < ends:
            time.sleep(0.01)
        assert server.wires == []


def test_hook__that_reads_an_answer_does_not_take_it_away() -> None:
    read: list[int] = []
    with FaultServer() as server, requests.Session() as session:
        session.hooks["response"].append(lambda response, **_: read.append(len(response.content)))
        with connect(server, session=session, max_retries=0) as client:
            server.script(fault("gzip", on="GET"))
            assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
            assert create(client).id == "ftjob-1000"
            assert client.files.content("file-7") == CSV
            assert b"".join(client.files.stream("file-7")) == CSV
    assert read[2:] == [len(CSV)] * 2
