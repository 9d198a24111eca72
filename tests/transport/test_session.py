"""The whole way of a request, over `responses`; what only a socket can show is in sockets/."""

from __future__ import annotations

import gzip
import json
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any, cast

import pytest
import requests
import responses
from responses import matchers

from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    ConfigurationError,
    IntegrityError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
    RedirectRefusedError,
    RequestError,
)
from finetune_client.providers import AZURE_CLASSIC
from finetune_client.transport import Request, ResponseInfo
from tests.support.fake_time import FakeTime
from tests.support.sessions import BASE, JOB_PATH, KEY, make_session

if TYPE_CHECKING:
    from collections.abc import Iterator


URL = BASE + JOB_PATH
JOB = {"id": "ftjob-1", "object": "fine_tuning.job"}
GET = Request(method="GET", path=JOB_PATH, expect_id="ftjob-1")
COSTLY = Request(method="POST", path="/fine_tuning/jobs", json={"model": "m"}, idempotent=False)


@pytest.fixture
def stubs() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


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
                    "User-Agent": "finetune-client/0.1.0",
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


def test_key__is_asked_for_each_try(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=500)
    keys = iter(["one", "two", "three"])
    with pytest.raises(InternalServerError):
        make_session(api_key=lambda: next(keys)).send(GET)
    sent = [call.request.headers["Authorization"] for call in stubs.calls]
    assert sent == ["Bearer one", "Bearer two", "Bearer three"]


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


MATRIX: list[tuple[str, dict[str, Any], int, int]] = [
    ("429", {"status": 429}, 3, 3),
    ("503 with Retry-After", {"status": 503, "headers": {"Retry-After": "1"}}, 3, 3),
    ("503", {"status": 503}, 3, 1),
    ("500", {"status": 500}, 3, 1),
    ("409", {"status": 409}, 3, 1),
    ("404", {"status": 404}, 1, 1),
    ("quota", {"status": 429, "json": {"error": {"code": "insufficient_quota"}}}, 1, 1),
    ("told not to", {"status": 500, "headers": {"x-should-retry": "false"}}, 1, 1),
    ("told to", {"status": 400, "headers": {"x-should-retry": "true"}}, 3, 1),
    ("too long a wait", {"status": 429, "headers": {"Retry-After": "61"}}, 1, 1),
    ("never connected", {"body": requests.ConnectTimeout()}, 3, 3),
    ("lost", {"body": requests.ConnectionError()}, 3, 1),
    ("late", {"body": requests.ReadTimeout()}, 3, 1),
    ("not JSON", {"body": "<html>"}, 3, 1),
    ("empty", {"body": ""}, 3, 1),
    ("cut", {"body": '{"id"', "headers": {"Content-Length": "50"}}, 3, 1),
    ("a redirect", {"status": 302, "headers": {"Location": BASE}}, 1, 1),
]


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("case", MATRIX, ids=lambda case: case[0])
def test_retries__follow_the_matrix(
    stubs: responses.RequestsMock, case: tuple[str, dict[str, Any], int, int], idempotent: bool
) -> None:
    _, answer, repeated, sent_once = case
    stubs.post(URL + "/cancel", **answer)
    fake = FakeTime(chance=0.5)
    with pytest.raises(
        (APIStatusError, APIConnectionError, APIResponseError, RedirectRefusedError)
    ) as caught:
        make_session(fake).send(_post(idempotent=idempotent))
    tries = repeated if idempotent else sent_once
    assert len(stubs.calls) == caught.value.attempts == tries
    assert len(fake.sleeps) == tries - 1
    assert all(wait > 0 for wait in fake.sleeps)
    assert caught.value.__context__ is None
    pickle.loads(pickle.dumps(caught.value))


def test_retries__until_it_works(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=429, headers={"Retry-After": "7"})
    stubs.get(URL, body=requests.ConnectionError())
    stubs.get(URL, json=JOB)
    fake = FakeTime(chance=0.5)
    assert make_session(fake).send(GET).data == JOB
    assert fake.sleeps == [7.0, 0.5]


def test_retries__none_if_none_are_wanted(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=500)
    with pytest.raises(InternalServerError) as caught:
        make_session(max_retries=0).send(GET)
    assert caught.value.attempts == 1


def test_total_timeout__starts_no_sleep_that_it_cannot_finish(
    stubs: responses.RequestsMock,
) -> None:
    stubs.get(URL, status=429, headers={"Retry-After": "7"})
    fake = FakeTime()
    with pytest.raises(RateLimitError) as caught:
        make_session(fake, total_timeout=10, max_retries=5).send(GET)
    assert (caught.value.attempts, fake.sleeps) == (2, [7.0])
    assert caught.value.retry_after == 7.0


def test_total_timeout__that_a_slow_key_used_up_sends_nothing(
    stubs: responses.RequestsMock,
) -> None:
    fake = FakeTime()

    def slow_key() -> str:
        fake.at += 11.0
        return KEY

    with pytest.raises(APITimeoutError) as caught:
        make_session(fake, api_key=slow_key, total_timeout=10).send(COSTLY)
    assert (caught.value.outcome, caught.value.attempts) == ("not_sent", 1)
    assert not stubs.calls


def test_deadline__of_a_request_is_shared(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=429, headers={"Retry-After": "7"})
    fake = FakeTime()
    session = make_session(fake, total_timeout=10)
    deadline = session.deadline()
    fake.at = 4.0
    with pytest.raises(RateLimitError) as caught:
        session.send(Request(method="GET", path=JOB_PATH, deadline=deadline))
    assert caught.value.attempts == 1
    assert make_session().deadline() is None


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


def test_redirect__of_a_get_within_the_origin(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=307, headers={"Location": "/v1/moved"})
    stubs.get(BASE + "/moved", json=JOB)
    assert make_session().send(GET).data == JOB
    assert stubs.calls[1].request.headers["Authorization"] == f"Bearer {KEY}"


def test_redirect__elsewhere_is_refused(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=302, headers={"Location": "https://evil.example/x"})
    with pytest.raises(RedirectRefusedError) as caught:
        make_session().send(GET)
    assert caught.value.message == (
        "api.example.com answered GET /fine_tuning/jobs/ftjob-1 with a redirect (302), which was "
        "not followed: it leads to another origin, evil.example:443."
    )
    assert (caught.value.outcome, caught.value.status_code) == ("refused", 302)
    assert len(stubs.calls) == 1


def test_redirect__in_a_circle(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=302, headers={"Location": URL})
    with pytest.raises(RedirectRefusedError, match="it is one more than 5 in a row"):
        make_session().send(GET)
    assert len(stubs.calls) == 6


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
        "User-Agent": "finetune-client/0.1.0",
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


def test_on_response__sees_every_answer(stubs: responses.RequestsMock) -> None:
    limits = {"x-ratelimit-remaining-requests": "0"}
    stubs.get(URL, status=429, headers={"x-request-id": "r1", **limits})
    stubs.get(URL, json=JOB)
    seen: list[ResponseInfo] = []
    make_session(on_response=seen.append).send(GET)
    facts = [(i.method, i.path, i.status, i.request_id, i.attempt) for i in seen]
    assert facts == [("GET", JOB_PATH, 429, "r1", 1), ("GET", JOB_PATH, 200, None, 2)]
    assert seen[0].rate_limits == limits
    assert seen[0].duration == 0.0


def test_on_response__that_fails_loses_no_answer(
    stubs: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    stubs.post(BASE + "/fine_tuning/jobs", json=JOB)

    def hook(_info: ResponseInfo) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "finetune_client"):
        assert make_session(on_response=hook).send(COSTLY).data == JOB
    assert caplog.messages == ["on_response failed; the answer is returned all the same"]


def test_log__has_the_allowed_facts_only(
    stubs: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    stubs.get(URL, status=500, headers={"x-request-id": "r1"}, body="secret words")
    stubs.get(URL, json=JOB)
    with caplog.at_level(logging.DEBUG, "finetune_client"):
        make_session(FakeTime(chance=0.5), query={"q": "private"}).send(GET)
    assert caplog.messages == [
        f"GET {JOB_PATH} -> 500 (r1) in 0 ms, attempt 1",
        f"GET {JOB_PATH}: attempt 1 failed (ambiguous, 500), retrying in 0.2 s",
        f"GET {JOB_PATH} -> 200 (None) in 0 ms, attempt 2",
    ]


def test_require__names_the_provider_and_the_way_out() -> None:
    session = make_session(provider=AZURE_CLASSIC)
    session.require("delete_model", "deleting models")
    with pytest.raises(ConfigurationError) as caught:
        session.require("pause", "pausing jobs")
    assert caught.value.message == (
        "The provider 'azure-classic' does not have pausing jobs. If this server does, give the "
        "client a provider of its own: dataclasses.replace(provider, lacks=frozenset())."
    )


def test_path__without_a_slash() -> None:
    with pytest.raises(RequestError) as caught:
        make_session().send(Request(method="GET", path="@evil.example/x"))
    assert caught.value.message == "The path must start with a slash, got '@evil.example/x'."


def test_timeout__of_a_request_is_checked() -> None:
    with pytest.raises(RequestError) as caught:
        make_session().send(Request(method="GET", path=JOB_PATH, timeout=-1))
    assert caught.value.message == "timeout must be above zero and finite, got -1."


def test_close__of_copies_and_of_the_first() -> None:
    first = make_session()
    copy = first.sharing(first.config)
    copy.sharing(first.config).close()
    assert not copy.is_closed
    copy.close()
    assert not first.is_closed
    other = first.sharing(first.config)
    first.close()
    first.close()
    assert other.is_closed
    with pytest.raises(ConfigurationError) as caught:
        other.send(GET)
    assert caught.value.message == "The client is closed; make a new one."


def test_copy__outlives_a_first_that_is_gone(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, json=JOB)
    first = make_session()
    copy = first.sharing(first.config)
    del first
    assert copy.send(GET).data == JOB
    copy.close()
    assert copy.is_closed


def test_interrupt__goes_through_scrubbed(stubs: responses.RequestsMock) -> None:
    def interrupt(_request: Any) -> Any:
        key = "sk-local-" + "12345678"
        raise KeyboardInterrupt(len(key))

    stubs.add_callback(responses.GET, URL, callback=interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        make_session().send(GET)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(shown.format())
    assert "sk-local-12345678" not in text
    assert KEY not in text


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
    assert b"".join(cast("Any", sent.body)) == b"abcdef"


def test_json__of_every_kind_is_sent_compact(stubs: responses.RequestsMock) -> None:
    stubs.post(BASE + "/fine_tuning/jobs", json=JOB)
    make_session().send(COSTLY)
    assert stubs.calls[0].request.body == b'{"model":"m"}'
    assert json.loads(stubs.calls[0].request.body) == {"model": "m"}
