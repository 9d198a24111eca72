from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client import APIConnectionError, Client
from finetune_client.local import Fault, LocalServer, parse_faults, running
from finetune_client.local.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.local_api import LocalApi

KEY = {"Authorization": "Bearer local"}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", []),
        ("429", [Fault(kind="429")]),
        (
            "429=2.5x3@/jobs, reset",
            [Fault(kind="429", value=2.5, count=3, path="/jobs"), Fault(kind="reset")],
        ),
        ("delay=2", [Fault(kind="delay", value=2)]),
        ("cutx2", [Fault(kind="cut", count=2)]),
        ("lost@POST", [Fault(kind="lost", path="POST")]),
    ],
)
def test_parse_faults__reads_the_grammar(text: str, faults: list[Fault]) -> None:
    assert parse_faults(text) == faults


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "429 x3",
            "'429 x3' is not a fault: write KIND[=VALUE][xCOUNT][@PATH], such as 429x3@/jobs.",
        ),
        (
            "429x0",
            "'429x0' is not a fault: write KIND[=VALUE][xCOUNT][@PATH], such as 429x3@/jobs.",
        ),
        (
            "boom",
            "'boom' is not a status from 400 to 599, nor one of reset, lost, cut, html, delay.",
        ),
        ("delay", "delay needs its seconds, as in delay=2.5."),
    ],
)
def test_parse_faults__says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        parse_faults(text)
    assert str(caught.value) == said


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(faults="") as made:
        yield made


@pytest.fixture(params=["in process", "on a port"])
def get(
    request: pytest.FixtureRequest, server: LocalServer
) -> Iterator[Callable[..., requests.Response]]:
    """Return a call of ``GET``, over both ways to the server."""
    with requests.Session() as session:
        if request.param == "in process":
            session.mount("http://finetune.localhost", server.adapter())
            yield lambda path, **headers: session.get(
                f"http://finetune.localhost/v1{path}", headers=headers
            )
        else:
            with running(server) as url:
                yield lambda path, **headers: session.get(f"{url}{path}", headers=KEY | headers)


def _faults(server: LocalServer) -> Faults:
    assert server.faults is not None
    return server.faults


def test_faults__a_status_is_the_api_s_error(
    server: LocalServer, get: Callable[..., requests.Response]
) -> None:
    _faults(server).add(Fault(kind="429", value=2, count=2, path="/models"))
    assert get("/files").status_code == 200
    limited = get("/models")
    assert limited.status_code == 429
    assert limited.headers["Retry-After"] == "2"
    assert limited.json() == {
        "error": {
            "message": "The fault 429 was asked for.",
            "type": "requests",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }
    assert _faults(server).waiting() == [Fault(kind="429", value=2, path="/models")]
    assert [get("/models").status_code for _ in range(2)] == [429, 200]
    assert _faults(server).waiting() == []


@pytest.mark.parametrize("kind", ["reset", "lost"])
def test_faults__a_dropped_connection(
    server: LocalServer, get: Callable[..., requests.Response], kind: str
) -> None:
    _faults(server).add(Fault(kind=kind))
    with pytest.raises(requests.ConnectionError):
        get("/models")
    assert get("/models").status_code == 200


def test_faults__an_answer_cut_in_the_middle(
    server: LocalServer, get: Callable[..., requests.Response]
) -> None:
    _faults(server).add(Fault(kind="cut"))
    try:
        answer = get("/models")
    except requests.RequestException:
        pass
    else:  # urllib3 1.26 does not compare the length with the header
        assert len(answer.content) < int(answer.headers["Content-Length"])
    assert get("/models").status_code == 200


def test_faults__a_page_of_a_proxy(
    server: LocalServer, get: Callable[..., requests.Response]
) -> None:
    _faults(server).add(Fault(kind="html"))
    answer = get("/models")
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")


def test_faults__a_request_may_ask_for_its_own(
    server: LocalServer, get: Callable[..., requests.Response]
) -> None:
    header = {"X-Finetune-Fault": "503"}
    assert get("/models", **header).status_code == 503
    assert get("/models").status_code == 200
    wrong = get("/models", **{"X-Finetune-Fault": "boom"})
    assert wrong.status_code == 400
    assert "'boom' is not a status" in wrong.json()["error"]["message"]


def test_faults__a_server_without_them_ignores_the_header(api: LocalApi) -> None:
    answer = api.session.get(
        "http://finetune.localhost/v1/models", headers={"X-Finetune-Fault": "503"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(("kind", "kept"), [("lost", 1), ("reset", 0)])
def test_faults__lost_is_carried_out_and_reset_is_not(
    server: LocalServer, kind: str, kept: int
) -> None:
    _faults(server).add(Fault(kind=kind, path="POST /v1/files"))
    with running(server) as url, Client("local", base_url=url, max_retries=0) as client:
        with pytest.raises(APIConnectionError):
            client.files.create(file=("a.jsonl", b"{}\n"), purpose="user_data")
        assert len(client.files.list().data) == kept


def test_faults__a_delay_sleeps_and_then_answers() -> None:
    slept: list[float] = []

    def app(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"done"]

    faults = Faults(app, parse_faults("delay=2.5,delay=1@/b"), sleep=slept.append)
    for path in ("/a", "/b", "/c"):
        answer = faults({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda *_: lambda _: None)
        assert list(answer) == [b"done"]
    assert slept == [2.5, 1]


def test_local_server__refuses_faults_that_cannot_be_read() -> None:
    before = time.monotonic()
    with pytest.raises(ValueError, match="'boom' is not a status"):
        LocalServer(faults="boom")
    assert time.monotonic() - before < 5


def test_faults__clear_lets_nothing_more_go_wrong(server: LocalServer) -> None:
    _faults(server).add(Fault(kind="500", count=9))
    _faults(server).clear()
    assert _faults(server).waiting() == []
