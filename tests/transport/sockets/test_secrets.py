"""The key: in no error's text, attributes, pickle or frames, and in no logger's output."""

from __future__ import annotations

import contextlib
import copy
import logging
import pickle
import socket
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import FineTuneError
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import KEY, connect, sleepless
from tests.support.faults.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.support.fault_server import Fault

ECHO = {"error": {"message": f"Incorrect API key provided: {KEY}.", "code": "invalid_api_key"}}
KINDS: dict[str, tuple[Fault, str]] = {
    "reset": (fault("reset"), "retrieve a job"),
    "closed": (fault("close"), "cancel a job"),
    "timeout": (fault("hang"), "retrieve a job"),
    "401 that repeats the key": (fault("answer", status=401, json=ECHO), "list jobs"),
    "400 that repeats the key as text": (
        fault("answer", status=400, text=f"bad header: Bearer {KEY}"),
        "retrieve a job",
    ),
    "401 that repeats the key in a header": (
        fault("answer", status=401, headers={"x-request-id": f"req-{KEY}"}),
        "retrieve a job",
    ),
    "an id that repeats the key": (fault("answer", json={"id": KEY}), "retrieve a job"),
    "500": (fault("answer", status=500, text="boom"), "retrieve a job"),
    "429": (fault("answer", status=429), "upload a file"),
    "not JSON": (fault("answer", text="<html>"), "retrieve a job"),
    "cut": (fault("cut"), "retrieve a job"),
    "cut in gzip": (fault("cut gzip"), "list jobs"),
    "not gzip": (
        fault("answer", text="{}", headers={"Content-Encoding": "gzip"}),
        "retrieve a job",
    ),
    "not HTTP": (fault("raw", text="SSH-2.0\r\n\r\n"), "retrieve a job"),
    "redirected": (
        fault("answer", status=302, headers={"Location": "http://127.0.0.1:1/x"}),
        "retrieve a job",
    ),
    "lost create": (fault("reset", works=True, on="POST"), "create a job"),
    "other id": (fault("answer", json={"id": "ftjob-other"}), "retrieve a job"),
    "deep JSON": (fault("answer", text="[" * 100_000), "retrieve a job"),
    "lost upload": (fault("reset", works=True), "upload a file"),
    "stalled upload": (fault("deaf"), "stalled upload"),
    "lost download": (fault("cut"), "download a file"),
}
CALLS: dict[str, Callable[[Client], Any]] = {
    **OPERATIONS,
    "stalled upload": lambda c: c.files.create(file=b"x" * 2**23, purpose="fine-tune"),
}


def _fails(call: Callable[[], Any]) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        call()
    return caught.value


@pytest.fixture(params=["Authorization", "api-key", "callable"])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    styles: dict[str, dict[str, Any]] = {
        "Authorization": {},
        "api-key": {"provider": "azure"},
        "callable": {"api_key": lambda: KEY},
    }
    return styles[request.param]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All that any logger says, down to DEBUG."""
    with caplog.at_level(1):
        for name in ("urllib3", "requests", "finetune_client", "http.client"):
            caplog.set_level(logging.DEBUG, logger=name)
        yield caplog


@pytest.mark.parametrize("kind", KINDS)
def test_errors__hold_no_key(
    kind: str, settings: dict[str, Any], log: pytest.LogCaptureFixture
) -> None:
    trouble, call = KINDS[kind]
    server_keeps = kind != "lost create"
    with FaultServer() as server:
        server.api.keeps_metadata = server_keeps
        server.script(*[trouble] * 20)
        with connect(server, timeout=(1, 0.2), **settings) as client:
            sleepless(client)
            error = _fails(lambda: CALLS[call](client))
    _is_clean(error)
    _log_is_clean(log)


def test_not_connected__holds_no_key(log: pytest.LogCaptureFixture) -> None:
    with FaultServer(listening=False) as server, connect(server) as client:
        sleepless(client)
        _is_clean(_fails(lambda: client.jobs.retrieve("ftjob-7")))
    _log_is_clean(log)


def test_unknown_host__holds_no_key(
    monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with FaultServer() as server:
        url = "https://nowhere.invalid/v1"
        with connect(server, base_url=url) as client:
            naps = sleepless(client)
            error = _fails(lambda: OPERATIONS["create a job"](client))
    assert getattr(error, "outcome", None) == "not_sent"
    assert len(naps) == 2
    _is_clean(error)
    _log_is_clean(log)


BAD_KEYS = {
    "newline inside": KEY + "\nX-Evil: 1",
    "return inside": KEY + "\rX",
    "NUL": KEY + "\x00",
    "typographic": KEY + "\u2026",
    "above latin-1": KEY + "\u20ac",
    "empty": "",
}


@pytest.mark.parametrize("bad", BAD_KEYS)
def test_bad_keys__are_refused_unseen(bad: str, log: pytest.LogCaptureFixture) -> None:
    with FaultServer() as server:
        error = _fails(lambda: _one_call(server, BAD_KEYS[bad]))
        assert server.seen == []
    _is_clean(error)
    _log_is_clean(log)


@pytest.mark.parametrize("bad", [bad for bad in BAD_KEYS if bad != "empty"])
def test_bad_keys__from_a_callable_are_refused_unseen(
    bad: str, log: pytest.LogCaptureFixture
) -> None:
    with FaultServer() as server:
        error = _fails(lambda: _one_call(server, lambda: BAD_KEYS[bad]))
        assert server.seen == []
    _is_clean(error)
    _log_is_clean(log)


def _one_call(server: FaultServer, key: Any) -> None:
    with connect(server, api_key=key) as client:
        client.jobs.retrieve("ftjob-7")


def test_url__with_a_password_is_not_repeated() -> None:
    error = _fails(lambda: Client("sk-x", base_url=f"https://joe:{KEY}@127.0.0.1/v1"))
    assert KEY not in str(error)
    _no_key_in(vars(error))
    assert KEY.encode() not in pickle.dumps(error)


def test_client__half_made_can_be_shown() -> None:
    """A tool that prints the locals of a traceback meets the client that could not be made."""
    error = _fails(lambda: Client("sk-x", base_url="nonsense"))
    assert "<Client" in "".join(_format_with_locals(error))


def _format_with_locals(error: BaseException) -> Iterable[str]:
    return traceback.TracebackException.from_exception(error, capture_locals=True).format()


def test_success__logs_no_key(log: pytest.LogCaptureFixture, settings: dict[str, Any]) -> None:
    with FaultServer() as server, connect(server, **settings) as client:
        for call in CALLS.values():
            with contextlib.suppress(FineTuneError):
                call(client)
    assert {record.name.split(".")[0] for record in log.records} >= {"finetune_client", "urllib3"}
    _log_is_clean(log)


@pytest.mark.parametrize(
    "call",
    [
        lambda client, headers: client.request("GET", "/x", headers=headers),
        lambda client, headers: client.jobs.retrieve("ftjob-7", extra_headers=headers),
        lambda client, headers: client.jobs.list(extra_headers=headers).data,
        lambda client, headers: client.jobs.create(
            model="m", training_file="file-1", extra_headers=headers
        ),
        lambda client, headers: client.files.create(file=b"{}", extra_headers=headers),
    ],
)
def test_headers__of_one_call_are_hidden_too(call: Any, log: pytest.LogCaptureFixture) -> None:
    with FaultServer() as server, connect(server, api_key="sk-another-00112233") as client:
        server.script(*[fault("answer", status=403)] * 3)
        error = _fails(lambda: call(client, {"X-Portkey-Api-Key": KEY}))
        assert ("X-Portkey-Api-Key", KEY) in server.seen[0].headers
    _is_clean(error)
    _log_is_clean(log)


def test_client__shows_and_gives_away_no_key() -> None:
    with FaultServer() as server, connect(server) as client:
        client.jobs.retrieve("ftjob-7")
        for each in (client, client._session, client.jobs, client.files):
            assert KEY not in repr(each) + str(each)
        for attempt in (pickle.dumps, copy.deepcopy):
            with pytest.raises((TypeError, pickle.PicklingError)) as caught:
                attempt(client)
            assert KEY not in str(caught.value)


def _is_clean(error: BaseException) -> None:
    """Text, attributes, pickle, and the locals of every frame along the chain."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        assert KEY not in f"{each} {each!r}"
        _no_key_in(vars(each))
        _no_key_in(each.args)
        _no_key_in_frames(each)
        pending += [each.__cause__, each.__context__]
    copied = pickle.dumps(error)
    assert KEY.encode() not in copied
    assert str(pickle.loads(copied)) == str(error)
    assert type(pickle.loads(copied)) is type(error)


def _no_key_in_frames(error: BaseException) -> None:
    trace = error.__traceback__
    while trace is not None:
        for name, value in trace.tb_frame.f_locals.items():
            if "/tests/" not in trace.tb_frame.f_code.co_filename:
                assert KEY not in _shown(value), (trace.tb_frame.f_code, name)
        trace = trace.tb_next


def _no_key_in(value: Any, depth: int = 0) -> None:
    """Look into what is held, not only at how it is shown: no hidden key either."""
    assert KEY not in _shown(value)
    assert not (isinstance(value, str) and KEY in value)
    if depth > 6:
        return
    if isinstance(value, dict):
        for item in value.values():
            _no_key_in(item, depth + 1)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            _no_key_in(item, depth + 1)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        _no_key_in(vars(value), depth + 1)


def _shown(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else repr(value)


def _log_is_clean(log: pytest.LogCaptureFixture) -> None:
    assert KEY not in log.text
    for record in log.records:
        assert KEY not in repr(vars(record))
        if record.exc_info and record.exc_info[1]:
            _is_clean(record.exc_info[1])
