"""Proxies: never for loopback unless asked for, honoured elsewhere, their passwords unseen."""

from __future__ import annotations

import pickle
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
import requests

from finetune_client import Client
from finetune_client.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    ConfigurationError,
    FineTuneError,
)
from tests.support.fault_server import FaultServer
from tests.support.faults.clients import KEY, connect, failure, sleepless
from tests.support.faults.operations import OPERATIONS
from tests.support.faults.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.faults.certificates import Certificates

PASSWORD = "proxy-secret-5d1e"
NAMES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
ELSEWHERE = "http://api.elsewhere.invalid/v1"


@pytest.fixture
def proxy(server: FaultServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("proxies", [{}, {"http": None}, {"http": ""}])
def test_proxies__can_be_none_whatever_the_environment_says(
    proxies: dict[str, str | None], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url())
    with Client(KEY, base_url=ELSEWHERE, allow_http=True, proxies=proxies, max_retries=0) as client:
        error = failure(client.models.list, APIConnectionError)
    assert str(error) == (
        "Could not connect to api.elsewhere.invalid: its name was not found. Nothing was sent."
    )
    assert proxy.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("name", NAMES)
def test_environment__is_not_for_loopback(
    server: FaultServer, proxy: Proxy, name: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, proxy.url())
    with connect(server, base_url=f"http://{host}:{server.port}/v1") as client:
        OPERATIONS["retrieve a job"](client)
        OPERATIONS["create a job"](client)
        OPERATIONS["upload a file"](client)
    assert proxy.seen == []
    assert len(server.seen) == 3


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_environment__is_for_other_hosts(
    server: FaultServer, proxy: Proxy, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, proxy.url())
    with connect(server, base_url=ELSEWHERE, allow_http=True) as client:
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
        OPERATIONS["create a job"](client)
    assert [seen.target for seen in proxy.seen] == [
        ELSEWHERE + "/fine_tuning/jobs/ftjob-7",
        ELSEWHERE + "/fine_tuning/jobs",
    ]
    assert server.api.count("job") == 1


def test_given__is_used_even_for_loopback(server: FaultServer, proxy: Proxy) -> None:
    with connect(server, proxies={"http": proxy.url()}) as client:
        client.jobs.retrieve("ftjob-7")
    assert len(proxy.seen) == 1


def test_given__wins_over_the_environment(
    server: FaultServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(server.port) as other:
        monkeypatch.setenv("HTTP_PROXY", other.url())
        settings = {"base_url": ELSEWHERE, "allow_http": True, "proxies": {"http": proxy.url()}}
        with connect(server, **settings) as client:
            client.jobs.retrieve("ftjob-7")
        assert other.seen == []
    assert len(proxy.seen) == 1


def test_no_proxy__is_heeded(
    server: FaultServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*args: object, **kwargs: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

    monkeypatch.setenv("HTTP_PROXY", proxy.url())
    monkeypatch.setenv("NO_PROXY", "elsewhere.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", found)
    with connect(server, base_url=ELSEWHERE, allow_http=True) as client:
        client.jobs.retrieve("ftjob-7")
    assert proxy.seen == []
    assert len(server.seen) == 1


def test_plain_http__elsewhere_is_refused(server: FaultServer) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(server, base_url=ELSEWHERE)
    assert "allow_http" in caught.value.message


def test_password__is_sent_to_the_proxy_only(server: FaultServer, proxy: Proxy) -> None:
    given = {"http": proxy.url(f"joe:{PASSWORD}@")}
    with connect(server, proxies=given) as client:
        client.jobs.retrieve("ftjob-7")
    assert (proxy.seen[0].header("proxy-authorization") or "").startswith("Basic ")


@pytest.mark.parametrize("kind", ["dead", "refusing", "refusing CONNECT", "unknown"])
def test_password__is_in_no_error(server: FaultServer, kind: str) -> None:
    with FaultServer(listening=False) as dead, Proxy(server.port, refusal=407) as refusing:
        ports = {"dead": dead.port, "unknown": 0}
        port = ports.get(kind, refusing.port)
        given = f"http://joe:{PASSWORD}@127.0.0.1:{port}"
        scheme = "https" if kind == "refusing CONNECT" else "http"
        url = ELSEWHERE.replace("http", scheme, 1)
        settings = {"allow_http": True, "proxies": {"http": given, "https": given}}
        with connect(server, base_url=url, **settings) as client:
            sleepless(client)
            error = failure(lambda: client.jobs.retrieve("ftjob-7"), FineTuneError)
            assert PASSWORD not in repr(client) + repr(client._session)
    for text in (str(error), repr(vars(error)), repr(pickle.dumps(error))):
        assert PASSWORD not in text
        assert KEY not in text
    assert server.seen == []


def test_dead__is_certainly_not_sent(server: FaultServer) -> None:
    with FaultServer(listening=False) as dead:
        given = {"http": f"http://127.0.0.1:{dead.port}"}
        with connect(server, proxies=given) as client:
            sleepless(client)
            error = failure(lambda: OPERATIONS["create a job"](client), APIConnectionError)
    assert error.outcome == "not_sent"
    assert error.attempts == 3


NAMED = "Could not connect to {host} through the proxy {proxy}: {reason}. Nothing was sent."


@pytest.mark.parametrize("own", [True, False], ids=["ours", "borrowed"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", ["dead", "nobody"])
def test_dead__is_named_without_its_password(
    server: FaultServer, kind: str, scheme: str, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if kind == "nobody":
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with FaultServer(listening=False) as dead:
        proxy, reason = {
            "dead": (f"127.0.0.1:{dead.port}", "Connection refused"),
            "nobody": ("proxy.invalid:3128", "its name was not found"),
        }[kind]
        given = {scheme: f"http://joe:{PASSWORD}@{proxy}"}
        session = requests.Session()
        session.proxies = given
        way = {"proxies": given} if own else {"session": session}
        url = ELSEWHERE.replace("http", scheme, 1)
        with connect(server, base_url=url, allow_http=True, max_retries=0, **way) as client:
            error = failure(lambda: client.jobs.retrieve("ftjob-7"), APIConnectionError)
    host = "api.elsewhere.invalid"
    assert error.message == NAMED.format(host=host, proxy=proxy, reason=reason)


def test_silent__is_named(server: FaultServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        options = {"proxies": {"https": f"http://{place}"}, "timeout": (0.3, 5), "max_retries": 0}
        with connect(server, base_url="https://api.elsewhere.invalid/v1", **options) as client:
            error = failure(lambda: client.jobs.retrieve("ftjob-7"), APITimeoutError)
    assert error.message == (
        f"Could not connect to api.elsewhere.invalid through the proxy {place} within 0.3 seconds; "
        "nothing was sent."
    )


@pytest.mark.parametrize("bad", ["http://", "http://[::1", "ftp://127.0.0.1:1", "nonsense://x"])
def test_odd__is_a_documented_error(server: FaultServer, bad: str) -> None:
    def run() -> None:
        with connect(server, proxies={"http": bad}) as client:
            sleepless(client)
            client.jobs.retrieve("ftjob-7")

    failure(run, FineTuneError)
    assert server.seen == []


@pytest.mark.skipif(find_spec("socks") is not None, reason="PySocks is installed")
@pytest.mark.parametrize("kind", ["socks5", "socks5h", "socks4", "socks4a"])
def test_socks__without_its_package_says_what_to_install(
    server: FaultServer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{kind}://user:{PASSWORD}@127.0.0.1:1080")
    with connect(server, base_url=ELSEWHERE, allow_http=True) as client:
        error = failure(lambda: client.jobs.retrieve("ftjob-1"), APIConnectionError)
    assert error.message == (
        "Could not connect to api.elsewhere.invalid: the proxy is a SOCKS proxy, and the package "
        "for that is not installed (pip install 'requests[socks]'). Nothing was sent."
    )
    assert (error.outcome, error.attempts) == ("not_sent", 1)


def test_tunnel__hides_the_key_from_the_proxy(certificates: Certificates) -> None:
    with FaultServer(tls=certificates.good) as server, Proxy(server.port) as proxy:
        settings = {"proxies": {"https": proxy.url()}, "verify": certificates.authority}
        with connect(server, **settings) as client:
            OPERATIONS["retrieve a job"](client)
            OPERATIONS["create a job"](client)
        assert len(server.seen) == 2
    assert {seen.method for seen in proxy.seen} == {"CONNECT"}
    assert not [seen for seen in proxy.seen if KEY in seen.raw()]


@pytest.mark.parametrize("status", [403, 407, 502])
def test_tunnel__refused_is_certainly_not_sent(status: int, certificates: Certificates) -> None:
    with FaultServer(tls=certificates.good) as server:
        host = f"127.0.0.1:{server.port}"
        with Proxy(server.port, refusal=status) as proxy:
            place = f"127.0.0.1:{proxy.port}"
            settings = {"proxies": {"https": proxy.url()}, "verify": certificates.authority}
            with connect(server, **settings) as client:
                sleepless(client)
                error = failure(lambda: OPERATIONS["create a job"](client), APIError)
        assert server.seen == []
    assert error.outcome == "not_sent"
    reason = f"it answered with {status}"
    assert error.message == NAMED.format(host=host, proxy=place, reason=reason)
