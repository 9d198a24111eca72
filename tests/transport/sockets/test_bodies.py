"""Bodies of every kind: what cannot be read is a documented error, and the next call is right."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from finetune_client.errors import APIStatusError, FineTuneError, JobMayExistError
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import connect, sleepless
from tests.support.faults.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client import Client

JOB = {"id": "ftjob-7", "object": "fine_tuning.job", "status": "running"}
READABLE = {
    "BOM": b"\xef\xbb\xbf" + json.dumps(JOB).encode(),
    "blanks around": b"\r\n  " + json.dumps(JOB).encode() + b"\n\n",
    "NaN": b'{"id": "ftjob-7", "loss": NaN}',
    "infinity": b'{"id": "ftjob-7", "loss": -Infinity}',
    "duplicate keys": b'{"id": "ftjob-1", "id": "ftjob-7"}',
    "a lone surrogate": b'{"id": "ftjob-7", "model": "\\ud800"}',
    "a number of 400 digits": b'{"id": "ftjob-7", "seed": ' + b"9" * 400 + b"}",
    "wrong kinds": b'{"id": "ftjob-7", "status": 7, "created_at": "x", "error": []}',
    "unknown fields": b'{"id": "ftjob-7", "status": "dreaming", "mood": {"a": [1]}}',
}
UNREADABLE = {
    "truncated": b'{"id": "ftjob-7", "sta',
    "bad UTF-8": b'{"id": "ftjob-7", "model": "\xff\xfe"}',
    "UTF-16": json.dumps(JOB).encode("utf-16"),
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "a number of 5,000 digits": b'{"id": "ftjob-7", "seed": ' + b"9" * 5000 + b"}",
    "null": b"null",
    "true": b"true",
    "a number": b"42",
    "a string": b'"ftjob-7"',
    "HTML": b"<!DOCTYPE html><html><title>Sign in</title></html>",
    "nothing": b"",
    "blanks": b"   \n",
    "two documents": b"{}{}",
    "JSON lines": json.dumps(JOB).encode() * 2,
    "single quotes": b"{'id': 'ftjob-7'}",
    "a trailing comma": b'{"id": "ftjob-7",}',
    "NUL": b"\x00" * 20,
}
SHAPES = {
    "an empty object": b"{}",
    "an empty list": b"[]",
    "a list of nulls": b"[null, null]",
    "an id of null": b'{"id": null}',
    "an id that is a number": b'{"id": 7}',
    "an id that is empty": b'{"id": ""}',
    "data that is no list": b'{"object": "list", "data": {"a": 1}, "has_more": "yes"}',
    "data of odd rows": b'{"object": "list", "data": [null, 1, "x", [], {}]}',
    "an error with 200": b'{"error": {"message": "no"}}',
}
ALL = {**READABLE, **UNREADABLE, **SHAPES}
CALLS = [
    "retrieve a job",
    "list jobs",
    "create a job",
    "cancel a job",
    "list events",
    "retrieve a file",
    "upload a file",
    "delete a model",
    "run a grader",
    "permit a project",
]


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def client(server: FaultServer) -> Iterator[Client]:
    with connect(server) as client:
        sleepless(client)
        yield client


@pytest.fixture(autouse=True)
def nothing_pending(server: FaultServer) -> None:
    server.pending.clear()


def _answer(server: FaultServer, call: str, body: bytes, **args: Any) -> None:
    """The same answer to each try of the operation, not to look-ups after a create."""
    server.pending.clear()
    on = "POST" if call == "create a job" else ""
    server.script(*[fault("answer", text=body, on=on, **args)] * 3)


def _settle(client: Client, call: str) -> FineTuneError | None:
    try:
        OPERATIONS[call](client)
    except FineTuneError as error:
        return error
    return None


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", ALL)
def test_any_body__is_read_or_a_documented_error(
    server: FaultServer, client: Client, body: str, call: str
) -> None:
    _answer(server, call, ALL[body])
    _settle(client, call)
    server.pending.clear()
    assert client.jobs.retrieve("ftjob-2").id == "ftjob-2"


@pytest.mark.parametrize("body", READABLE)
def test_readable_body__is_read(server: FaultServer, client: Client, body: str) -> None:
    _answer(server, "retrieve a job", READABLE[body])
    assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
    server.pending.clear()


@pytest.mark.parametrize("call", [call for call in CALLS if call != "create a job"])
@pytest.mark.parametrize("body", UNREADABLE)
def test_unreadable_body__is_an_error(
    server: FaultServer, client: Client, body: str, call: str
) -> None:
    _answer(server, call, UNREADABLE[body])
    error = _settle(client, call)
    server.pending.clear()
    assert error is not None
    assert len(error.message) < 1000


@pytest.mark.parametrize("body", [*UNREADABLE, *SHAPES])
def test_create__with_any_body_may_exist(server: FaultServer, client: Client, body: str) -> None:
    before = server.api.count("job")
    _answer(server, "create a job", ALL[body])
    error = _settle(client, "create a job")
    posted = len([each for each in server.pending if each.on])
    server.pending.clear()
    assert isinstance(error, JobMayExistError)
    assert posted == 2
    assert server.api.count("job") == before


ERRORS: dict[str, bytes] = {
    **ALL,
    "OpenAI": b'{"error": {"message": "Bad", "code": "c", "param": "p", "type": "t"}}',
    "Azure": b'{"error": {"code": "c", "message": "Bad", "innererror": {"code": "x"}}}',
    "detail text": b'{"detail": "Bad"}',
    "detail list": b'{"detail": [{"loc": ["body", 1], "msg": "Bad", "type": "t"}]}',
    "problem": b'{"type": "about:blank", "title": "Bad", "status": 400}',
    "error text": b'{"error": "Bad"}',
    "error null": b'{"error": null}',
    "error list": b'{"error": ["Bad", 1]}',
    "error of numbers": b'{"error": {"message": 5, "code": 404, "param": [], "type": {}}}',
    "nested": b'{"error": {"error": {"error": {"message": "Bad"}}}}',
    "message": b'{"message": "Bad"}',
    "plain": b"Bad",
    "latin-1": "Fl\xe4che".encode("latin-1"),
    "control characters": b"a\x1b[31mred\x07\r\nb\x00c",
    "64 KiB and more": b"x" * 200_000,
}
SAYS_BAD = [name for name, body in ERRORS.items() if b"Bad" in body and name != "error list"]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 520, 599, 999])
@pytest.mark.parametrize("body", ERRORS)
def test_any_error_body__is_a_status_error(
    server: FaultServer, client: Client, body: str, status: int
) -> None:
    _answer(server, "retrieve a job", ERRORS[body], status=status)
    with pytest.raises(APIStatusError) as caught:
        client.jobs.retrieve("ftjob-7")
    server.pending.clear()
    assert caught.value.status_code == status
    assert len(caught.value.message) <= 700
    assert not [c for c in caught.value.message if ord(c) < 32 and c != "\n"]
    for fact in (caught.value.code, caught.value.param, caught.value.type):
        assert fact is None or isinstance(fact, str)
    if body in SAYS_BAD:
        assert "Bad" in caught.value.message


HEADS: dict[str, str] = {
    "a status of letters": "HTTP/1.1 abc OK\r\n\r\n",
    "no status": "HTTP/1.1\r\n\r\n",
    "a status of 99": "HTTP/1.1 99 Low\r\n\r\n",
    "a status of 1000": "HTTP/1.1 1000 High\r\n\r\n",
    "a negative status": "HTTP/1.1 -200 OK\r\n\r\n",
    "HTTP/2": "HTTP/2 200\r\n\r\n",
    "HTTP/0.9": "<html>hello</html>",
    "blank lines": "\r\n\r\n\r\n",
    "NUL": "\x00\x00\x00\r\n\r\n",
    "300 headers": "HTTP/1.1 200 OK\r\n" + "X-A: 1\r\n" * 300 + "\r\n",
    "a header of 100 KB": "HTTP/1.1 200 OK\r\nX-A: " + "x" * 100_000 + "\r\n\r\n",
    "a status line of 100 KB": "HTTP/1.1 200 " + "x" * 100_000 + "\r\n\r\n",
    "a header without a colon": "HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
    "a length of letters": "HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n{}",
    "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}",
    "a length of 10^18": "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n{}",
    "chunks of nonsense": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n",
    "an unknown encoding": "HTTP/1.1 200 OK\r\nContent-Encoding: zip\r\nContent-Length: 2\r\n\r\n{}",
    "two encodings": "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\n{}",
    "ten encodings": "HTTP/1.1 200 OK\r\nContent-Encoding: "
    + ", ".join(["gzip"] * 10)
    + "\r\nContent-Length: 2\r\n\r\n{}",
    "an unknown charset": "HTTP/1.1 400 Bad\r\nContent-Type: text/plain; charset=zork\r\n"
    "Content-Length: 2\r\n\r\nno",
}


@pytest.mark.parametrize(
    "call", ["retrieve a job", "cancel a job", "upload a file", "download a file"]
)
@pytest.mark.parametrize("head", HEADS)
def test_any_head__is_read_or_a_documented_error(
    server: FaultServer, client: Client, head: str, call: str
) -> None:
    server.script(*[fault("raw", text=HEADS[head])] * 3)
    with contextlib.suppress(FineTuneError):
        OPERATIONS[call](client)
    server.pending.clear()
    assert client.jobs.retrieve("ftjob-2").id == "ftjob-2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["id", "object", "data", "error", "message", "code", "status", "detail"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
BODIES = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=60),
    st.tuples(st.sampled_from(sorted(ALL.values(), key=len)[:25]), st.integers(0, 60)).map(
        lambda pair: pair[0][: pair[1]] + pair[0][pair[1] + 1 :]
    ),
)
QUICK = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@QUICK
@given(body=BODIES, call=st.sampled_from(CALLS))
def test_answer_bodies__let_only_documented_errors_out(
    server: FaultServer, client: Client, body: bytes, call: str
) -> None:
    _answer(server, call, body)
    _settle(client, call)
    server.pending.clear()


@QUICK
@given(
    body=BODIES,
    call=st.sampled_from(CALLS),
    status=st.integers(400, 999),
    kind=st.sampled_from(["application/json", "text/html", "text/plain", "", "x"]),
)
def test_error_bodies__let_only_documented_errors_out(
    server: FaultServer, client: Client, body: bytes, call: str, status: int, kind: str
) -> None:
    _answer(server, call, body, status=status, headers={"Content-Type": kind})
    error = _settle(client, call)
    server.pending.clear()
    assert error is not None
    assert len(error.message) <= 1500
