from __future__ import annotations

import builtins
import inspect
import os
import pickle
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import requests
import responses
from responses import matchers

from finetune_client import Client
from finetune_client.errors import ConfigurationError, NotFoundError, RequestError
from finetune_client.providers import AZURE, AZURE_CLASSIC, COMPATIBLE, LOCAL
from finetune_client.resources import (
    Checkpoints,
    Files,
    FineTuning,
    Graders,
    Jobs,
    Models,
    Uploads,
    Webhooks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "sk-test-4f1c9d2e7ab85360"
BASE = "https://api.example.com/v1"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "AZURE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def stubs() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def test_signature__is_the_contract() -> None:
    parameters = inspect.signature(Client).parameters
    assert next(iter(parameters)) == "api_key"
    defaults = {name: p.default for name, p in parameters.items()}
    assert (defaults["timeout"], defaults["max_retries"]) == ((10.0, 60.0), 2)
    assert {name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY} == {
        *("base_url", "organization", "project", "provider", "timeout", "total_timeout"),
        *("max_retries", "headers", "query", "verify", "cert", "proxies", "session"),
        *("on_response", "admin_key", "allow_http", "max_retry_wait"),
        *("ledger", "webhook_secret"),
    }


def test_resources__hang_where_they_should() -> None:
    with Client(KEY) as client:
        assert type(client.jobs) is Jobs
        assert type(client.checkpoints) is Checkpoints
        assert type(client.graders) is Graders
        assert type(client.files) is Files
        assert type(client.uploads) is Uploads
        assert type(client.models) is Models
        assert type(client.webhooks) is Webhooks
        assert type(client.fine_tuning) is FineTuning
        assert client.fine_tuning.jobs is client.jobs


def test_resources__are_loaded_on_first_use_and_can_be_replaced() -> None:
    resources = {"jobs", "checkpoints", "graders", "files", "uploads", "models", "fine_tuning"}
    resources |= {"webhooks"}
    with Client(KEY) as client:
        assert resources <= set(dir(client))
        assert not resources & set(vars(client))
        assert client.files is client.files
        with mock.patch.object(client, "files") as files:
            client.files.retrieve("file-1")
        files.retrieve.assert_called_once_with("file-1")
        assert type(client.files) is Files
        with mock.patch.object(client.jobs, "retrieve", return_value=None):
            assert client.jobs.retrieve("ftjob-1") is None
        other = client.with_options(timeout=3)
        assert other.jobs is not client.jobs


def test_repr__names_the_place_and_no_key() -> None:
    with Client(KEY, headers={"X-Token": KEY}) as client:
        assert repr(client) == "<Client of https://api.openai.com/v1 (openai)>"
        assert KEY not in repr(vars(client)) + repr(vars(client._session))
    assert repr(Client.__new__(Client)) == "<Client that was not set up>"


def test_headers__with_the_key_of_the_environment_are_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Client(headers={"X-Token": KEY, "Idempotency-Key": "run 1"}) as client:
        copy = client.with_options(headers={"X-More": f"{KEY} again"})
        assert repr(copy._session.config.headers) == (
            "{'X-Token': <secret>, 'Idempotency-Key': 'run 1', 'X-More': <secret>}"
        )


def test_pickle__is_refused() -> None:
    with (
        Client(KEY) as client,
        pytest.raises(TypeError, match=r"^A client holds a key and connections"),
    ):
        pickle.dumps(client)


@pytest.mark.parametrize("of", [lambda c: c.jobs.retrieve, lambda c: c.fine_tuning])
def test_pickle__of_a_part_is_refused(of: Callable[[Client], object]) -> None:
    with (
        Client(KEY) as client,
        pytest.raises(TypeError, match=r"^A part of a client holds a key and connections"),
    ):
        pickle.dumps(of(client))


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "https://a b"},
        {"timeout": 0},
        {"headers": {"Authorization": f"Bearer {KEY}\n"}},
        {"headers": {"X-Other": f"{KEY}\n"}},
        {"verify": "/not/there.pem"},
        {"session": requests, "proxies": {}},
        {"provider": "nobody"},
    ],
)
def test_constructor__that_fails_shows_no_key(options: dict[str, Any]) -> None:
    def make(api_key: str) -> None:
        try:
            Client(api_key, admin_key=api_key, **options)
        finally:
            del api_key

    with pytest.raises(ConfigurationError) as caught:
        make(KEY)
    inside = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in inside.stack if "finetune_client" in frame.filename]
    assert frames
    assert KEY not in repr([frame.locals for frame in frames])
    assert KEY not in caught.value.message


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ({"verify": "/not/there.pem"}, "verify"),
        ({"cert": "/not/there.pem"}, "cert"),
        ({"cert": (__file__, "/not/there.pem")}, "cert"),
    ],
)
def test_files__that_are_not_there(option: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Client(KEY, **option)
    assert caught.value.message == f"{name} names a file that is not there: '/not/there.pem'."


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"headers": "X"}, "headers must be a mapping of names to texts, not str."),
        ({"headers": [("X", "1")]}, "headers must be a mapping of names to texts, not list."),
        ({"query": 5}, "query must be a mapping of names to values, not int."),
        ({"proxies": "http://proxy"}, "proxies must be a mapping of schemes to URLs."),
        ({"proxies": {"https": 5}}, "proxies must be a mapping of schemes to URLs."),
        ({"session": 5}, "session must be a requests.Session, not int."),
    ],
)
def test_constructor__refuses_what_is_of_another_kind(option: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Client(KEY, **option)
    assert caught.value.message == message


def test_bundle__of_the_environment_is_checked_and_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/not/there.pem")
    with pytest.raises(ConfigurationError) as caught:
        Client(KEY)
    assert caught.value.message == (
        "The environment variable REQUESTS_CA_BUNDLE names a file that is not there: "
        "'/not/there.pem'."
    )
    Client(KEY, verify=False).close()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
    with responses.RequestsMock() as mock, Client(KEY) as client:
        mock.get(client.base_url + "/models", json={})
        client.request("GET", "/models")
        assert mock.calls[0].request.req_kwargs["verify"] == __file__  # type: ignore[attr-defined]  # responses adds it


def test_proxies__of_the_environment_but_not_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, stubs: responses.RequestsMock
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    mine = {"http": "http://mine.example:1"}
    made: list[tuple[Any, str | None]] = [
        (Client(KEY, base_url=BASE), "http://proxy.example:3128"),
        (Client(KEY, base_url="http://127.0.0.1:9/v1"), None),
        (Client(KEY, base_url="http://127.0.0.1:9/v2", proxies=mine), "http://mine.example:1"),
    ]
    for number, (client, proxy) in enumerate(made):
        stubs.get(client.base_url + "/models", json={})
        client.request("GET", "/models")
        used = stubs.calls[number].request.req_kwargs["proxies"]  # type: ignore[attr-defined]  # responses adds it
        scheme = client.base_url.split(":")[0]
        assert used.get(scheme) == proxy
        client.close()


def test_azure__is_a_client_of_azure(stubs: responses.RequestsMock) -> None:
    stubs.get(
        "https://res.openai.azure.com/openai/v1/models",
        json={},
        match=[matchers.header_matcher({"api-key": KEY, "X-A": "1"})],
    )
    client = Client.azure(
        "https://res.openai.azure.com/", api_key=KEY, headers={"X-A": "1"}, timeout=3
    )
    with client:
        assert client.provider is AZURE
        assert client._session.config.timeout == (3.0, 3.0)
        client.request("get", "models")


@pytest.mark.parametrize("version", [None, "2024-10-21"])
def test_azure__with_a_provider_that_lacks_nothing(
    stubs: responses.RequestsMock, version: str | None
) -> None:
    root = "https://res.openai.azure.com/openai"
    path = "fine_tuning/jobs/ftjob-1/pause"
    stubs.post(
        f"{root}/{path}?api-version={version}" if version else f"{root}/v1/{path}",
        json={"id": "ftjob-1"},
    )
    willing = replace(AZURE_CLASSIC if version else AZURE, lacks={})
    with Client.azure(
        "https://res.openai.azure.com", api_key=KEY, api_version=version, provider=willing
    ) as client:
        assert client.provider is willing
        client.jobs.pause("ftjob-1")


def test_azure__a_provider_by_name() -> None:
    with Client.azure("https://gateway.example", api_key=KEY, provider="compatible") as client:
        assert client.provider.name == "compatible"
        assert client.base_url == "https://gateway.example/openai/v1"


def test_azure_classic__takes_the_version_from_the_query(stubs: responses.RequestsMock) -> None:
    stubs.get("https://res.openai.azure.com/openai/models?api-version=2024-10-21&a=1", json={})
    query = {"a": 1, "api-version": "2024-10-21"}
    with Client(KEY, base_url="https://res.openai.azure.com/openai", query=query) as client:
        client.request("GET", "/models")


@pytest.mark.parametrize(
    ("make", "name"), [(Client.azure, "Client.azure"), (Client(KEY).with_options, "with_options")]
)
def test_options__unknown(make: Any, name: str) -> None:
    with pytest.raises(TypeError) as caught:
        make(tiemout=3)
    assert str(caught.value) == f"{name}() got an unexpected keyword argument 'tiemout'"


def test_with_options__shares_connections_and_not_settings(
    stubs: responses.RequestsMock,
) -> None:
    stubs.get(BASE + "/models", json={})
    client = Client(KEY, base_url=BASE, headers={"X-A": "1"})
    copy = client.with_options(timeout=3, headers={"X-B": "2"}, api_key="sk-other")
    assert copy._session._sender is client._session._sender
    copy.request("GET", "/models")
    client.request("GET", "/models")
    first, second = (call.request.headers for call in stubs.calls)
    assert (first["X-A"], first["X-B"], first["Authorization"]) == ("1", "2", "Bearer sk-other")
    assert (second["X-A"], second["Authorization"]) == ("1", f"Bearer {KEY}")
    assert "X-B" not in second
    client.close()
    with pytest.raises(ConfigurationError, match=r"^The client is closed; make a new one\.$"):
        copy.request("GET", "/models")


def test_none__removes_a_limit(stubs: responses.RequestsMock) -> None:
    stubs.get(BASE + "/models", json={})
    with Client(KEY, base_url=BASE, timeout=None) as client:
        client.request("GET", "/models")
        assert client._session.config.timeout == (None, None)
    with Client(KEY, base_url=BASE, timeout=3, total_timeout=9) as client:
        config = client.with_options(timeout=None, total_timeout=None)._session.config
        assert (config.timeout, config.total_timeout) == ((None, None), None)
        config = client.with_options(max_retries=0)._session.config
        assert (config.timeout, config.total_timeout) == ((3.0, 3.0), 9.0)
    with (
        requests.Session() as session,
        Client(KEY, base_url=BASE, session=session, timeout=None) as client,
    ):
        client.request("GET", "/models")
    with Client.local(timeout=None) as client:
        assert client.request("GET", "/models")["object"] == "list"


def test_with_options__keeps_a_token_a_token(stubs: responses.RequestsMock) -> None:
    stubs.get("https://res.openai.azure.com/openai/v1/models", json={})
    client = Client.azure("https://res.openai.azure.com", token="entra-1")
    client.with_options(api_key="entra-2").request("GET", "/models")
    sent = stubs.calls[0].request.headers
    assert sent["Authorization"] == "Bearer entra-2"
    assert "api-key" not in sent


def test_request__any_endpoint(stubs: responses.RequestsMock) -> None:
    stubs.post(
        BASE + "/files/import",
        status=201,
        json={"id": "file-1"},
        match=[
            matchers.json_params_matcher({"content_url": "https://x"}),
            matchers.query_param_matcher({"dry": "true"}),
            matchers.header_matcher({"X-One": "1"}),
        ],
    )
    stubs.delete(BASE + "/fine_tuning/jobs/ftjob-1", status=204)
    with Client(KEY, base_url=BASE) as client:
        answer = client.request(
            "POST",
            "/files/import",
            json={"content_url": "https://x"},
            query={"dry": True, "none": None},
            headers={"X-One": "1"},
        )
        assert answer == {"id": "file-1"}
        assert client.request("DELETE", "/fine_tuning/jobs/ftjob-1") is None


@pytest.mark.parametrize(
    ("method", "idempotent", "tries"),
    [
        ("GET", None, 2),
        ("PUT", None, 2),
        ("DELETE", None, 2),
        ("POST", None, 1),
        ("PATCH", None, 1),
        ("POST", True, 2),
        ("GET", False, 1),
    ],
)
def test_request__is_repeated_if_it_is_idempotent(
    stubs: responses.RequestsMock, method: str, idempotent: bool | None, tries: int
) -> None:
    stubs.add(method, BASE + "/x", status=500, headers={"retry-after-ms": "1"})
    with Client(KEY, base_url=BASE, max_retries=1) as client:
        with pytest.raises(Exception) as caught:  # noqa: PT011  # its tries are what matters
            client.request(method, "/x", idempotent=idempotent)
        assert caught.value.attempts == tries  # type: ignore[attr-defined]  # every APIError has it


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example/", "/../x", "/a?b"])
def test_request__cannot_leave_the_base_url(path: str) -> None:
    with Client(KEY, base_url=BASE) as client, pytest.raises(RequestError):
        client.request("GET", path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda client: client.request("GET", "/x", headers="X"),
            "extra_headers must be a mapping of names to texts, not str.",
        ),
        (
            lambda client: client.request("GET", "/x", query="a=b"),
            "A query must be a mapping of names to values, not str.",
        ),
        (
            lambda client: client.models.retrieve("m", extra_headers=5),
            "extra_headers must be a mapping of names to texts, not int.",
        ),
        (
            lambda client: client.models.retrieve("m", extra_query=5),
            "A query must be a mapping of names to values, not int.",
        ),
    ],
)
def test_request__refuses_what_is_of_another_kind(call: Any, message: str) -> None:
    with Client(KEY, base_url=BASE) as client, pytest.raises(RequestError) as caught:
        call(client)
    assert caught.value.message == message


def test_request__method_unknown() -> None:
    with Client(KEY) as client, pytest.raises(RequestError) as caught:
        client.request("CONNECT", "/x")
    assert caught.value.message == ("method must be one of DELETE, GET, HEAD, PATCH, POST, PUT.")


class TestOwnSession:
    """A caller's session is used as it is."""

    def test_its_headers_and_cookies_are_sent(self, stubs: responses.RequestsMock) -> None:
        stubs.get(
            BASE + "/models",
            json={},
            match=[
                matchers.header_matcher(
                    {"X-Mine": "1", "Cookie": "a=b", "Authorization": f"Bearer {KEY}"}
                ),
                matchers.query_param_matcher({"always": "1"}),
            ],
        )
        session = requests.Session()
        session.headers.update({"X-Mine": "1", "Authorization": "Bearer not-this"})
        session.cookies.set("a", "b")
        session.params = {"always": "1"}
        session.auth = ("user", "not-this-either")
        with Client(KEY, base_url=BASE, session=session) as client:
            client.request("GET", "/models")
        session.close()

    def test_its_own_auth_counts_if_there_is_no_key(self, stubs: responses.RequestsMock) -> None:
        stubs.get(BASE + "/models", json={})
        with requests.Session() as session:
            session.auth = ("user", "pw")
            with Client(False, base_url=BASE, session=session) as client:
                client.request("GET", "/models")
        assert stubs.calls[0].request.headers["Authorization"] == "Basic dXNlcjpwdw=="

    def test_netrc_does_not_win(
        self, stubs: responses.RequestsMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("default login a password b\n")
        monkeypatch.setenv("NETRC", str(netrc))
        stubs.get(BASE + "/models", json={})
        with requests.Session() as session:
            Client(KEY, base_url=BASE, session=session).request("GET", "/models")
            Client(False, base_url=BASE, session=session).request("GET", "/models")
        first, second = (call.request.headers for call in stubs.calls)
        assert first["Authorization"] == f"Bearer {KEY}"
        assert "Authorization" not in second

    def test_body_and_redirects(self, stubs: responses.RequestsMock) -> None:
        stubs.post(
            BASE + "/x",
            json={},
            match=[matchers.json_params_matcher({"a": 1})],
        )
        stubs.get(BASE + "/f", status=302, headers={"Location": BASE + "/g"})
        stubs.get(BASE + "/g", json={"here": True})
        with requests.Session() as session, Client(KEY, base_url=BASE, session=session) as client:
            client.request("POST", "/x", json={"a": 1})
            assert client.request("GET", "/f") == {"here": True}
        assert stubs.calls[0].request.headers["Content-Length"] == "7"

    def test_it_stays_open(self, stubs: responses.RequestsMock) -> None:
        stubs.get(BASE + "/models", json={})
        closed: list[bool] = []

        class Session(requests.Session):
            def close(self) -> None:
                closed.append(True)
                super().close()

        with Session() as session:
            with Client(KEY, base_url=BASE, session=session) as client:
                client.request("GET", "/models")
            assert closed == []

    @pytest.mark.parametrize("name", ["verify", "cert", "proxies"])
    def test_its_settings_are_its_own(self, name: str) -> None:
        options: dict[str, Any] = {name: {} if name == "proxies" else __file__}
        with requests.Session() as session, pytest.raises(ConfigurationError) as caught:
            Client(KEY, session=session, **options)
        assert caught.value.message == f"Set {name} on the session that you pass, not here."


class TestLocal:
    """The embedded server, through the same way as every other."""

    def test_it_answers(self) -> None:
        with Client.local(timeout=5) as client:
            assert client.provider is LOCAL
            assert client.base_url == "http://finetune.localhost/v1"
            assert client.request("GET", "/models")["object"] == "list"
            with pytest.raises(NotFoundError):
                client.jobs.retrieve("ftjob-unknown")
        with pytest.raises(ConfigurationError):
            client.request("GET", "/models")

    def test_it_needs_its_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        true_import = builtins.__import__

        def no_flask(name: str, *args: Any, **kwargs: Any) -> Any:
            if name == "finetune_client.local":
                raise ModuleNotFoundError("No module named 'flask'", name="flask")
            return true_import(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", no_flask)
        with pytest.raises(ConfigurationError) as caught:
            Client.local()
        assert caught.value.message == (
            "Client.local() needs flask, which is not installed: "
            "pip install 'finetune-client[local]'."
        )


def test_keyless_server__by_choice(stubs: responses.RequestsMock) -> None:
    stubs.get("http://127.0.0.1:8000/models", json={})
    with Client(False, base_url="http://127.0.0.1:8000") as client:
        assert client.provider is COMPATIBLE
        client.request("GET", "/models")
    assert "Authorization" not in stubs.calls[0].request.headers


def test_admin_key__is_known_to_be_there() -> None:
    assert not Client("sk-made-up").has_admin_key
    assert Client("sk-made-up", admin_key="sk-made-up-too").has_admin_key
    with Client.local() as client:
        assert not client.has_admin_key
