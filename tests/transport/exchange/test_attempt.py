from __future__ import annotations

import traceback
from typing import Any

import pytest
import responses

from finetune_client.errors import (
    InternalServerError,
    RedirectRefusedError,
)
from tests.support.sessions import BASE, GET, JOB, KEY, URL, make_session


def test_key__is_asked_for_each_try(stubs: responses.RequestsMock) -> None:
    stubs.get(URL, status=500)
    keys = iter(["one", "two", "three"])
    with pytest.raises(InternalServerError):
        make_session(api_key=lambda: next(keys)).send(GET)
    sent = [call.request.headers["Authorization"] for call in stubs.calls]
    assert sent == ["Bearer one", "Bearer two", "Bearer three"]


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
