"""How a request is sent again; what only a socket can show is in sockets/."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    ConfigurationError,
    InternalServerError,
    RateLimitError,
    RedirectRefusedError,
)
from finetune_client.providers import AZURE_CLASSIC
from finetune_client.transport import Request
from tests.support.fake_time import FakeTime
from tests.support.sessions import BASE, COSTLY, GET, JOB, JOB_PATH, KEY, URL, make_session

if TYPE_CHECKING:
    import responses


def _post(*, idempotent: bool) -> Request:
    return Request(method="POST", path=JOB_PATH + "/cancel", idempotent=idempotent)


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


def test_require__names_the_provider_and_the_way_out() -> None:
    session = make_session(provider=AZURE_CLASSIC)
    session.require("delete_model", "deleting a model")
    with pytest.raises(ConfigurationError) as caught:
        session.require("pause", "pausing a job")
    assert caught.value.message == (
        "The provider 'azure-classic' does not support pausing a job: it is not in the "
        "specification of the classic API (2024-10-21). Nothing was sent. To ask all the same, give "
        "the client provider=dataclasses.replace(provider, lacks={})."
    )


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
