"""TLS: a server that cannot prove who it is gets nothing, and is not asked twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from finetune_client.errors import (
    APIConnectionError,
    APITimeoutError,
    FineTuneError,
    RedirectRefusedError,
)
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.api import CSV
from tests.support.faults.clients import KEY, connect, failure, sleepless
from tests.support.faults.operations import OPERATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.faults.certificates import Certificates

CALLS = ["retrieve a job", "create a job", "upload a file"]
BUNDLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]
BAD = ["unknown", "self_signed", "wrong_name", "expired"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("call", CALLS)
def test_good__is_trusted(certificates: Certificates, call: str) -> None:
    with (
        FaultServer(tls=certificates.good) as server,
        connect(server, verify=certificates.authority) as client,
    ):
        assert OPERATIONS[call](client)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("bad", BAD)
def test_bad__is_sent_nothing_and_asked_once(
    certificates: Certificates, bad: str, call: str
) -> None:
    with FaultServer(tls=getattr(certificates, bad)) as server:
        with connect(server, verify=certificates.authority) as client:
            naps = sleepless(client)
            error = failure(lambda: OPERATIONS[call](client), APIConnectionError)
        assert server.accepted == 1
        assert server.seen == []
    assert naps == []
    assert error.outcome == "not_sent"
    assert error.attempts == 1
    assert KEY not in repr(vars(error))


@pytest.mark.parametrize("name", BUNDLES)
def test_environment__does_not_beat_what_was_given(
    certificates: Certificates, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = OPERATIONS["retrieve a job"]
    with FaultServer(tls=certificates.good) as server:
        monkeypatch.setenv(name, certificates.other_authority)
        with connect(server, verify=certificates.authority) as client:
            call(client)
        monkeypatch.setenv(name, certificates.authority)
        with connect(server, verify=certificates.other_authority) as client:
            failure(lambda: call(client), APIConnectionError)
        assert len(server.seen) == 1


@pytest.mark.parametrize("name", BUNDLES)
def test_environment__counts_where_nothing_was_given(
    certificates: Certificates, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, certificates.authority)
    with FaultServer(tls=certificates.good) as server, connect(server) as client:
        OPERATIONS["retrieve a job"](client)
        OPERATIONS["create a job"](client)
        assert len(server.seen) == 2


def test_environment__names_its_bundles_in_an_order(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificates.authority)
    monkeypatch.setenv("SSL_CERT_FILE", certificates.other_authority)
    with FaultServer(tls=certificates.good) as server, connect(server) as client:
        assert OPERATIONS["retrieve a job"](client)


def test_environment__whose_ssl_cert_file_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    missing = str(tmp_path / "no-cert-file.crt")
    monkeypatch.setenv("SSL_CERT_FILE", missing)
    with FaultServer() as server, connect(server) as client:
        assert OPERATIONS["retrieve a job"](client)
    assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == [
        f"SSL_CERT_FILE names {missing!r}, which is not a file: it is not used"
    ]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verify_false__holds_against_the_environment(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificates.authority)
    with FaultServer(tls=certificates.unknown) as server, connect(server, verify=False) as client:
        OPERATIONS["retrieve a job"](client)


@pytest.mark.parametrize("call", CALLS)
def test_missing_file__is_a_documented_error(
    certificates: Certificates, tmp_path: Path, call: str
) -> None:
    def run() -> None:
        with connect(server, verify=str(tmp_path / "missing.pem")) as client:
            sleepless(client)
            OPERATIONS[call](client)

    with FaultServer(tls=certificates.good) as server:
        assert "missing.pem" in failure(run, FineTuneError).message


@pytest.mark.parametrize("call", CALLS)
def test_silent_handshake__is_tried_again(certificates: Certificates, call: str) -> None:
    with FaultServer(tls=certificates.good) as server:
        server.deaf_handshakes = 1
        settings = {"verify": certificates.authority, "timeout": (1, 30)}
        with connect(server, **settings) as client:
            naps = sleepless(client)
            assert OPERATIONS[call](client)
        assert len(server.seen) == 1
        assert server.accepted == 2
    assert len(naps) == 1


def test_silent_handshake__for_ever_was_certainly_not_sent(certificates: Certificates) -> None:
    with FaultServer(tls=certificates.good) as server:
        server.deaf_handshakes = 10
        settings = {"verify": certificates.authority, "timeout": (0.2, 30)}
        with connect(server, **settings) as client:
            sleepless(client)
            error = failure(lambda: OPERATIONS["create a job"](client), APITimeoutError)
    assert error.outcome == "not_sent"
    assert error.attempts == 3


def test_plain_server__was_certainly_not_asked() -> None:
    with FaultServer() as server:
        url = server.url.replace("http", "https")
        server.script(fault("raw", text="HTTP/1.1 400 Bad\r\n\r\n"))
        with connect(server, base_url=url, timeout=(0.2, 0.2), verify=False) as client:
            sleepless(client)
            error = failure(lambda: OPERATIONS["create a job"](client), APIConnectionError)
        assert server.seen == []
    assert error.outcome == "not_sent"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "call", ["retrieve a job", "cancel a job", "create a job", "download a file"]
)
def test_redirect__to_plain_http_is_refused(
    certificates: Certificates, code: int, call: str
) -> None:
    with FaultServer() as plain, FaultServer(tls=certificates.good) as server:
        moved = {"Location": plain.url + "/files/file-7/content"}
        server.script(fault("answer", status=code, headers=moved))
        with connect(server, verify=certificates.authority) as client:
            failure(lambda: OPERATIONS[call](client), RedirectRefusedError)
        assert plain.seen == []


def test_redirect__to_another_tls_host_carries_no_key(certificates: Certificates) -> None:
    with FaultServer(tls=certificates.good) as there, FaultServer(tls=certificates.good) as here:
        moved = {"Location": there.url + "/files/file-7/content"}
        here.script(fault("answer", status=302, headers=moved))
        with connect(here, verify=certificates.authority) as client:
            assert client.files.content("file-7") == CSV
        assert KEY not in there.seen[0].raw()


def test_redirect__to_a_host_that_cannot_prove_itself_is_not_followed(
    certificates: Certificates,
) -> None:
    with FaultServer(tls=certificates.unknown) as there, FaultServer(tls=certificates.good) as here:
        moved = {"Location": there.url + "/files/file-7/content"}
        here.script(*[fault("answer", status=302, headers=moved)] * 20)
        with connect(here, verify=certificates.authority) as client:
            sleepless(client)
            failure(lambda: client.files.content("file-7"), FineTuneError)
        assert there.seen == []


@pytest.mark.parametrize("action", ["drip", "drip open", "slow head", "hang", "deaf"])
def test_total__ends_what_drips_over_tls(certificates: Certificates, action: str) -> None:
    started = time.monotonic()
    with FaultServer(tls=certificates.good) as server:
        server.script(*[fault(action, every=0.05)] * 5)
        settings = {"verify": certificates.authority, "total_timeout": 0.2, "timeout": (40, 40)}
        with connect(server, **settings) as client, pytest.raises(APITimeoutError):
            OPERATIONS["retrieve a job"](client)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("action", ["reset", "close", "cut", "cut chunks", "twice", "informed"])
def test_faults__over_tls_are_survived(certificates: Certificates, action: str) -> None:
    with FaultServer(tls=certificates.good) as server:
        server.script(fault(action))
        with connect(server, verify=certificates.authority) as client:
            sleepless(client)
            assert client.jobs.retrieve("ftjob-1").id == "ftjob-1"
            assert client.jobs.retrieve("ftjob-2").id == "ftjob-2"
        assert server.pending == []
