from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock, Mock, patch

import pytest
import requests
import responses
from requests.structures import CaseInsensitiveDict

from finetune_client import Client
from finetune_client.errors import (
    APIConnectionError,
    APIError,
    APIResponseError,
    ConfigurationError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
    WaitTimeoutError,
)
from finetune_client.transport.exchange.fakes import check_response, words_of_fake
from tests.support.faults.clients import failure, sleepless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOB = {"id": "ftjob-1", "object": "fine_tuning.job", "status": "queued"}
URL = "https://api.openai.com/v1/fine_tuning/jobs"


@pytest.fixture
def client() -> Iterator[Client]:
    with Client("sk-test-123456") as client:
        yield client


def _made(data: Any, *, status: Any = 200, headers: Any = None) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps(data).encode()
    if headers is not None:
        response.headers = headers
    return response


def test_send__that_is_replaced_answers(client: Client) -> None:
    with patch("requests.Session.send", return_value=_made(JOB)) as send:
        assert client.jobs.retrieve("ftjob-1").status == "queued"
        assert client.jobs.create(model="m", training_file="file-1").id == "ftjob-1"
        assert [call.args[0].method for call in send.call_args_list] == ["GET", "POST"]
    page = {"object": "list", "data": [JOB], "has_more": False}
    with patch("requests.adapters.HTTPAdapter.send", return_value=_made(page)):
        assert [job.id for job in client.jobs.list()] == ["ftjob-1"]


def test_send__that_is_replaced_gives_a_files_content(client: Client) -> None:
    response = _made("x")
    response._content = b"a,b\n1,2\n"
    with patch("requests.Session.send", return_value=response) as send:
        assert client.files.content("file-1") == b"a,b\n1,2\n"
        assert b"".join(client.files.stream("file-1")) == b"a,b\n1,2\n"
        assert send.call_count == 2


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (404, None, NotFoundError),
        (429, {"retry-after": 7}, RateLimitError),
        (429, {"Retry-After": "7"}, RateLimitError),
        (500, {}, InternalServerError),
    ],
)
def test_send__that_is_replaced_refuses(
    status: int, headers: Any, kind: type[APIError], client: Client
) -> None:
    naps = sleepless(client)
    answer = _made({"error": {"message": "No."}}, status=status, headers=headers)
    with patch("requests.Session.send", return_value=answer):
        error = failure(lambda: client.jobs.retrieve("ftjob-1"), kind)
    assert error.message.startswith("No.")
    assert error.retry_after == (7.0 if status == 429 else None)
    assert naps == {404: [], 429: [7.0, 7.0], 500: [0.25, 0.5]}[status]


def test_send__that_gives_a_body_of_no_bytes(client: Client) -> None:
    response = _made(None)
    response._content = False
    response.raw = Mock()
    sleepless(client)
    with patch("requests.Session.send", return_value=response):
        error = failure(lambda: client.jobs.retrieve("ftjob-1"), APIResponseError)
        assert error.message == (
            "api.openai.com answered GET /fine_tuning/jobs/ftjob-1 with 200 OK, but the answer "
            "cannot be used: its body gives Mock instead of bytes."
        )
        error = failure(lambda: list(client.files.stream("file-1")), APIResponseError)
        assert error.message == (
            "The answer of api.openai.com cannot be used: its body gives Mock instead of bytes."
        )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            MagicMock(),
            (
                "The session answered with a MagicMock, not with a requests.Response. If a test has "
                "replaced its send: let it return a requests.Response."
            ),
        ),
        (
            None,
            (
                "The session answered with a NoneType, not with a requests.Response. If a test has "
                "replaced its send: let it return a requests.Response."
            ),
        ),
        (
            requests.Response(),
            (
                "The session answered with a requests.Response whose status_code is None, not a "
                "number. If a test made it: give it one, such as 200."
            ),
        ),
    ],
)
def test_send__that_gives_no_response(answer: Any, message: str, client: Client) -> None:
    naps = sleepless(client)
    calls: list[Callable[[], Any]] = [
        lambda: client.jobs.retrieve("ftjob-1"),
        lambda: client.jobs.create(model="m", training_file="file-1"),
        lambda: client.files.content("file-1"),
    ]
    for call in calls:
        with patch("requests.Session.send", return_value=answer):
            assert failure(call, ConfigurationError).message == message
    assert naps == []


@pytest.mark.parametrize("headers", [None, {}, [("X-A", "1")], {"x-a": 1}, {"X-A": b"1"}])
def test_response__has_texts_as_headers(headers: Any) -> None:
    response = _made({}, headers=headers)
    response.headers = headers
    checked = check_response(response)
    assert isinstance(checked.headers, CaseInsensitiveDict)
    assert checked.headers.get("X-a") in ({None} if not headers else {"1", "b'1'"})


def test_response__of_the_network_stays_as_it_is() -> None:
    headers = CaseInsensitiveDict({"X-A": "1"})
    assert check_response(_made({}, headers=headers)).headers is headers


def test_responses__says_what_is_not_registered(client: Client) -> None:
    naps = sleepless(client)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as server:
        server.get(f"{URL}/ftjob-2", json=JOB)
        error = failure(lambda: client.jobs.retrieve("ftjob-1"), ConfigurationError)
        assert error.message == (
            "GET /fine_tuning/jobs/ftjob-1 met a fake of the network that has no answer for it, "
            "and nothing was sent. The fake says: Connection refused by Responses - the call "
            "doesn't match any registered mock.\n\n"
            f"Request: \n- GET {URL}/ftjob-1\n\n"
            f"Available matches:\n- GET {URL}/ftjob-2 URL does not match"
        )
        failure(lambda: client.jobs.create(model="m", training_file="file-1"), ConfigurationError)
        failure(lambda: client.jobs.wait("ftjob-1"), ConfigurationError)
        failure(lambda: client.files.create(file=b"{}"), ConfigurationError)
    assert naps == []


def test_responses__that_plays_a_lost_connection_is_a_lost_connection(client: Client) -> None:
    naps = sleepless(client)
    with responses.RequestsMock() as server:
        server.get(f"{URL}/ftjob-1", body=requests.ConnectionError("reset"))
        error = failure(lambda: client.jobs.retrieve("ftjob-1"), APIConnectionError)
    assert (error.outcome, error.attempts, naps) == ("ambiguous", 3, [0.25, 0.5])


def test_words__hold_no_key(client: Client) -> None:
    with responses.RequestsMock() as server:
        server.get(f"{URL}/ftjob-sk-test-123456", json=JOB)
        error = failure(lambda: client.jobs.retrieve("ftjob-1"), ConfigurationError)
        server.reset()
    assert "ftjob-<secret>" in error.message


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Connection refused"),
        requests.ConnectionError("Connection refused by peer"),
        WaitTimeoutError("x"),
        requests.ConnectionError(),
    ],
)
def test_words__of_others_are_none(error: Exception) -> None:
    assert words_of_fake(error, None) is None


def test_words__of_an_error_that_the_caller_handles_are_not_of_this_request() -> None:
    handled = requests.ConnectionError("Connection refused by Responses - x")
    error = requests.ConnectionError("lost")
    error.__context__ = handled
    assert words_of_fake(error, handled) is None
    assert words_of_fake(error, None) == "Connection refused by Responses - x"
