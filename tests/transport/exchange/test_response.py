from __future__ import annotations

import gzip
import logging
import traceback
from typing import Any

import pytest
import responses

from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    IntegrityError,
    InternalServerError,
    NotFoundError,
)
from finetune_client.providers import AZURE, AZURE_CLASSIC, OPENAI, Provider
from finetune_client.transport import Request
from finetune_client.transport.exchange.response import request_id
from tests.support.fake_time import FakeTime
from tests.support.sessions import BASE, GET, JOB_PATH, KEY, URL, make_session


def test_request_id__openai_then_azure() -> None:
    assert request_id({"x-request-id": "req_1", "apim-request-id": "a"}) == "req_1"
    assert request_id({"apim-request-id": "a"}) == "a"
    assert request_id({}) is None
    assert request_id({"x-request-id": "a\r\n b"}) == "a b"


def test_error__carries_its_facts(stubs: responses.RequestsMock) -> None:
    inner = {"message": "No such job.", "code": 404, "param": "id", "type": "invalid"}
    headers = {"x-request-id": "req_9", "Retry-After": "3"}
    stubs.get(URL, status=404, json={"error": inner}, headers=headers)
    with pytest.raises(NotFoundError) as caught:
        make_session().send(GET)
    error = caught.value
    assert error.message == (
        "No such job. (HTTP 404, GET /fine_tuning/jobs/ftjob-1, request req_9, retry after 3 s)"
    )
    assert error.__dict__ == {
        "message": error.message,
        "outcome": "refused",
        "attempts": 1,
        "method": "GET",
        "path": JOB_PATH,
        "status_code": 404,
        "request_id": "req_9",
        "retry_after": 3.0,
        "code": "404",
        "param": "id",
        "type": "invalid",
        "body": inner,
    }


def test_error__says_something_when_the_server_does_not(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=520)
    with pytest.raises(InternalServerError) as caught:
        make_session(max_retries=0).send(GET)
    assert caught.value.message == (
        "The server answered 520 and said nothing more. (HTTP 520, GET /fine_tuning/jobs/ftjob-1)"
    )


@pytest.mark.parametrize("provider", [AZURE, AZURE_CLASSIC, OPENAI])
def test_error__has_the_hint_of_its_provider(
    provider: Provider, stubs: responses.RequestsMock
) -> None:
    said = "The specified base model does not support fine-tuning."
    stubs.get(URL, status=400, json={"error": {"message": said}})
    with pytest.raises(APIStatusError) as caught:
        make_session(provider=provider).send(GET)
    hint = " Open models need a training type: extra_body={'trainingType': 'GlobalStandard'}."
    assert caught.value.message == (
        f"{said} (HTTP 400, GET /fine_tuning/jobs/ftjob-1){'' if provider is OPENAI else hint}"
    )


def test_error__is_never_longer_than_500(stubs: responses.RequestsMock) -> None:
    stubs.get(BASE + "/" + "p" * 900, status=400, body="x" * 5000)
    with pytest.raises(APIStatusError) as caught:
        make_session().send(Request(method="GET", path="/" + "p" * 900))
    assert len(caught.value.message) <= 500


def test_error__that_repeats_the_key_is_cleaned(stubs: responses.RequestsMock) -> None:
    body = {"error": {"message": f"Incorrect API key: {KEY}", "seen": f"Bearer {KEY}"}}
    stubs.get(URL, status=401, json=body)
    del body
    with pytest.raises(APIStatusError) as caught:
        make_session().send(GET)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    for text in (repr(caught.value.__dict__), "".join(shown.format())):
        assert KEY not in text
    assert caught.value.message.startswith("Incorrect API key: <secret> (")


UNREADABLE: list[tuple[str, dict[str, Any], str]] = [
    (
        "html",
        {"body": "<h1>Hi</h1>"},
        "it is not JSON (Expecting value: line 1 column 1 (char 0)); it began '<h1>Hi</h1>'",
    ),
    ("empty", {"body": ""}, "it is empty"),
    ("null", {"body": "null"}, "it is null, not an object"),
    ("text", {"body": '"x"'}, "it is a string, not an object"),
    ("true", {"body": "true"}, "it is a boolean, not an object"),
    ("another job", {"json": {"id": "ftjob-2"}}, "it is about 'ftjob-2' instead of 'ftjob-1'"),
    ("no id", {"json": {}}, "it is about 'None' instead of 'ftjob-1'"),
    (
        "not gzip",
        {"body": "no gzip", "headers": {"Content-Encoding": "gzip"}},
        "it is not gzip as its headers say",
    ),
    (
        "brotli",
        {"body": "x", "headers": {"Content-Encoding": "br"}},
        "it is compressed as 'br'",
    ),
]


@pytest.mark.parametrize(
    ("answer", "reason"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE]
)
def test_answer__that_cannot_be_used(
    stubs: responses.RequestsMock, answer: dict[str, Any], reason: str
) -> None:
    stubs.get(URL, **answer)
    with pytest.raises(APIResponseError) as caught:
        make_session(max_retries=0).send(GET)
    assert caught.value.message == (
        "api.example.com answered GET /fine_tuning/jobs/ftjob-1 with 200 OK, but the answer "
        f"cannot be used: {reason}."
    )
    assert (caught.value.outcome, caught.value.status_code) == ("bad_answer", 200)


def test_answer__too_large_is_not_asked_for_again(stubs: responses.RequestsMock) -> None:
    bomb = gzip.compress(b'{"a": "' + b"x" * (33 * 2**20))
    stubs.get(URL, body=bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(APIResponseError, match=r"it is larger than 32 MiB\.$") as caught:
        make_session().send(GET)
    assert caught.value.attempts == 1


def test_answer__cut_short(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, body='{"id"', headers={"Content-Length": "50"})
    with pytest.raises(APIConnectionError) as caught:
        make_session(max_retries=0).send(GET)
    assert caught.value.outcome == "bad_answer"
    assert caught.value.status_code == 200


def test_answer__with_another_id_from_a_gateway_is_let_through(
    stubs: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    stubs.get(URL, json={"id": "gw-7"})
    with caplog.at_level(logging.WARNING, "finetune_client"):
        reply = make_session(provider="compatible").send(GET)
    assert reply.data == {"id": "gw-7"}
    assert caplog.messages == [f"GET {JOB_PATH}: the answer has another id"]


@pytest.mark.parametrize("status", [204, 205])
def test_answer__without_content(stubs: responses.RequestsMock, status: int) -> None:
    stubs.delete(URL, status=status)
    assert make_session().send(Request(method="DELETE", path=JOB_PATH)).data is None


def test_answer__of_any_kind_if_asked_for(stubs: responses.RequestsMock) -> None:
    for body in ("", "null", "7"):
        stubs.get(URL, body=body)
    sent = Request(method="GET", path=JOB_PATH, any_answer=True)
    assert [make_session().send(sent).data for _ in range(3)] == [None, None, 7]


def test_stream__of_content_that_lies_elsewhere(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=302, headers={"Location": "https://blobs.example/f?sig=1"})
    stubs.get("https://blobs.example/f?sig=1", body=b"x" * 100_000)
    session = make_session(headers={"X-Gateway-Token": "t", "X-Any": "a"})
    asked = Request(
        method="GET", path=JOB_PATH, accept="*/*", headers={"Range": "bytes=5-", "X-Own": "1"}
    )
    with session.stream(asked) as stream:
        sizes = [len(block) for block in stream.blocks()]
    assert sizes == [65536, 34464]
    sent = dict(stubs.calls[1].request.headers)
    assert sent == {
        "User-Agent": "finetune-client/0.2.0",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Range": "bytes=5-",
    }


def test_stream__facts_and_errors(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, body=b"abc", headers={"x-request-id": "r", "Content-Length": "9"})
    with make_session().stream(GET) as stream:
        assert (stream.status, stream.request_id) == (200, "r")
        with pytest.raises(IntegrityError) as caught:
            list(stream.blocks())
    assert caught.value.message in {
        "The answer of api.example.com is not whole: 3 of 9 bytes came.",
        "The answer of api.example.com is not whole: the connection was closed before its end.",
    }
    assert caught.value.__context__ is None
    stubs.replace(responses.GET, URL, status=404)
    with pytest.raises(NotFoundError):
        make_session().stream(GET)


def test_stream__ends_with_the_total_timeout(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, body=b"x" * 200_000)
    fake = FakeTime()
    with make_session(fake, total_timeout=5).stream(GET) as stream:
        blocks = stream.blocks()
        next(blocks)
        fake.at = 6.0
        with pytest.raises(APIConnectionError) as caught:
            next(blocks)
    assert caught.value.message == (
        "The total timeout was over before api.example.com had answered in full."
    )
