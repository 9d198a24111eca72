from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from finetune_client.transport import Request, ResponseInfo
from finetune_client.transport.hooks import report_response
from tests.support.fake_time import FakeTime
from tests.support.sessions import BASE, COSTLY, GET, JOB, JOB_PATH, URL, make_session

if TYPE_CHECKING:
    import pytest
    import responses


def test_report__hands_the_rate_limits_to_the_hook() -> None:
    headers = {"X-RateLimit-Remaining-Requests": "9", "x-request-id": "r", "Age": "1"}
    seen: list[ResponseInfo] = []
    report_response(
        Request(method="GET", path="/models"),
        200,
        "r",
        headers=headers,
        duration=0.5,
        number=2,
        hook=seen.append,
    )
    assert seen == [
        ResponseInfo(
            method="GET",
            path="/models",
            status=200,
            request_id="r",
            duration=0.5,
            attempt=2,
            rate_limits={"x-ratelimit-remaining-requests": "9"},
        )
    ]


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
