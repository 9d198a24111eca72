from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import responses
from responses import matchers

from finetune_client.errors import (
    RequestError,
)
from finetune_client.transport import Request
from tests.support.sent import sent_bytes
from tests.support.sessions import BASE, COSTLY, GET, JOB, JOB_PATH, KEY, URL, make_session

if TYPE_CHECKING:
    from collections.abc import Iterator


def _post(*, idempotent: bool) -> Request:
    return Request(method="POST", path=JOB_PATH + "/cancel", idempotent=idempotent)


def test_get__the_whole_request(stubs: responses.RequestsMock) -> None:
    stubs.get(
        URL,
        json=JOB,
        headers={"x-request-id": "req_1"},
        match=[
            matchers.header_matcher(
                {
                    "Authorization": f"Bearer {KEY}",
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                    "Cache-Control": "no-cache, no-store",
                    "User-Agent": "finetune-client/0.2.0",
                    "X-Mine": "1",
                },
                strict_match=True,
            ),
            matchers.query_param_matcher({"a": "1", "b": "2"}),
        ],
    )
    session = make_session(headers={"X-Mine": "1"}, query={"a": 1})
    reply = session.send(Request(method="GET", path=JOB_PATH, query=[("b", "2")]))
    assert (reply.data, reply.status, reply.request_id) == (JOB, 200, "req_1")
    assert reply.headers["content-type"] == "application/json"


def test_post__the_whole_request(stubs: responses.RequestsMock) -> None:
    stubs.post(
        BASE + "/fine_tuning/jobs",
        status=201,
        json=JOB,
        match=[
            matchers.json_params_matcher({"model": "mödel"}),
            matchers.header_matcher(
                {"Content-Type": "application/json", "Content-Length": "18", "X-Own": "1"}
            ),
        ],
    )
    sent = Request(
        method="POST", path="/fine_tuning/jobs", json={"model": "mödel"}, headers={"X-Own": "1"}
    )
    assert make_session().send(sent).status == 201


def test_post__without_a_body_says_so(stubs: responses.RequestsMock) -> None:
    stubs.post(URL + "/cancel", json=JOB, match=[matchers.header_matcher({"Content-Length": "0"})])
    make_session().send(_post(idempotent=True))
    assert "Content-Type" not in stubs.calls[0].request.headers


def test_headers__of_a_request_win_but_never_over_the_key(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, json=JOB)
    headers = {"authorization": "Bearer other", "user-agent": "mine"}
    make_session().send(Request(method="GET", path=JOB_PATH, headers=headers))
    sent = stubs.calls[0].request.headers
    assert sent["Authorization"] == f"Bearer {KEY}"
    assert sent["User-Agent"] == "mine"
    make_session(api_key=False).send(Request(method="GET", path=JOB_PATH, headers=headers))
    assert stubs.calls[1].request.headers["Authorization"] == "Bearer other"


def test_headers__that_cannot_be_sent(stubs: responses.RequestsMock) -> None:
    with pytest.raises(RequestError) as caught:
        make_session().send(Request(method="GET", path=JOB_PATH, headers={"X": "a\nb"}))
    assert caught.value.message == (
        "The value of 'X' in extra_headers must be text without control characters or spaces "
        "around it, and within Latin-1."
    )
    assert not stubs.calls


def test_query__of_a_request_wins(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, json=JOB, match=[matchers.query_param_matcher({"a": "2"})])
    session = make_session(query={"a": "1"})
    session.send(Request(method="GET", path=JOB_PATH, query=[("a", "2")]))


def test_admin_key__where_there_is_one(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, json=JOB)
    sent = Request(method="GET", path=JOB_PATH, admin=True)
    make_session(admin_key="sk-admin").send(sent)
    make_session(admin_key="sk-admin").send(GET)
    make_session().send(sent)
    keys = [call.request.headers["Authorization"] for call in stubs.calls]
    assert keys == ["Bearer sk-admin", f"Bearer {KEY}", f"Bearer {KEY}"]


def test_azure__key_and_version_in_every_request(stubs: responses.RequestsMock) -> None:
    stubs.get(
        URL,
        json=JOB,
        match=[
            matchers.query_param_matcher({"api-version": "2024-10-21"}),
            matchers.header_matcher({"api-key": KEY}),
        ],
    )
    session = make_session(provider="azure", query={"api-version": "2024-10-21"})
    session.send(GET)
    assert "Authorization" not in stubs.calls[0].request.headers


def test_path__without_a_slash() -> None:
    with pytest.raises(RequestError) as caught:
        make_session().send(Request(method="GET", path="@evil.example/x"))
    assert caught.value.message == "The path must start with a slash, got '@evil.example/x'."


def test_timeout__of_a_request_is_checked() -> None:
    with pytest.raises(RequestError) as caught:
        make_session().send(Request(method="GET", path=JOB_PATH, timeout=-1))
    assert caught.value.message == "timeout must be above zero and finite, got -1."


def test_body__goes_out_in_its_own_type(stubs: responses.RequestsMock) -> None:
    class Body:
        content_type = "multipart/form-data; boundary=x"

        def __len__(self) -> int:
            return 6

        def __iter__(self) -> Iterator[bytes]:
            yield b"abc"
            yield b"def"

    stubs.post(BASE + "/files", json={"id": "file-1"})
    make_session().send(Request(method="POST", path="/files", body=Body(), idempotent=False))
    sent = stubs.calls[0].request
    assert sent.headers["Content-Type"] == "multipart/form-data; boundary=x"
    assert sent.headers["Content-Length"] == "6"
    assert sent_bytes(sent) == b"abcdef"


def test_json__of_every_kind_is_sent_compact(stubs: responses.RequestsMock) -> None:
    stubs.post(BASE + "/fine_tuning/jobs", json=JOB)
    make_session().send(COSTLY)
    assert stubs.calls[0].request.body == b'{"model":"m"}'
    assert json.loads(stubs.calls[0].request.body) == {"model": "m"}
