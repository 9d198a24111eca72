from __future__ import annotations

import pickle
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import requests

from finetune_client import Client, errors
from finetune_client.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    NotFoundError,
    RateLimitError,
)

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
URL = "https://api.openai.com/v1/fine_tuning/jobs?limit=1"
REQUEST: Any = requests.Request("POST", URL).prepare()


def _response(status: int, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    response.request = REQUEST
    return response


def test_status_error__takes_its_facts_from_a_response() -> None:
    body = {"code": "rate_limit_exceeded", "param": None, "type": "requests", "message": "Slow."}
    error = RateLimitError("Slow.", response=_response(429, **{"x-request-id": "r-1"}), body=body)
    assert (error.message, str(error), error.status_code) == ("Slow.", "Slow.", 429)
    assert (error.code, error.param, error.type) == ("rate_limit_exceeded", None, "requests")
    assert (error.request_id, error.method, error.path) == ("r-1", "POST", "/v1/fine_tuning/jobs")
    assert error.body == body
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__


def test_status_error__takes_text_and_numbers_of_a_body_alone() -> None:
    error = RateLimitError(
        "x", response=_response(429), body={"code": 5, "param": [], "type": {"a": 1}}
    )
    assert (error.code, error.param, error.type) == ("5", None, None)
    assert APIStatusError("x", body={"code": "a"}).code is None


def test_status_error__keeps_neither_the_response_nor_the_request() -> None:
    error = NotFoundError("No.", response=_response(404), body="No.")
    assert not any(isinstance(one, requests.Response) for one in vars(error).values())
    assert REQUEST not in vars(error).values()
    assert (error.body, error.code) == ("No.", None)


def test_error__prefers_what_is_given_to_what_the_response_says() -> None:
    error = APIStatusError(
        "x", response=_response(500), body={"code": "a"}, status_code=503, code="b", path="/p"
    )
    assert (error.status_code, error.code, error.path) == (503, "b", "/p")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (APIError("Broken.", REQUEST, body=None), "Broken."),
        (APIConnectionError(request=REQUEST), "Connection error."),
        (APIConnectionError(message="Gone.", request=REQUEST), "Gone."),
        (APITimeoutError(REQUEST), "Request timed out."),
        (APITimeoutError(request=REQUEST), "Request timed out."),
    ],
)
def test_error__takes_a_request_where_the_official_one_does(error: APIError, message: str) -> None:
    assert (error.message, error.args) == (message, (message,))
    assert (error.method, error.path) == ("POST", "/v1/fine_tuning/jobs")
    assert (error.status_code, error.request_id) == (None, None)
    assert pickle.loads(pickle.dumps(error)).message == message


def test_error__takes_any_object_for_a_response() -> None:
    error = RateLimitError("x", response=SimpleNamespace(status_code=429), body={"code": "a"})
    assert (error.status_code, error.code, error.request_id, error.path) == (429, "a", None, None)


def test_error__is_the_side_effect_of_a_call_in_a_users_test() -> None:
    with Client("sk-test") as client:
        refusal = RateLimitError("Slow.", response=_response(429), body=None)
        with (
            mock.patch.object(client.jobs, "create", side_effect=refusal),
            pytest.raises(RateLimitError) as caught,
        ):
            client.jobs.create(model="m", training_file="file-1")
    assert caught.value is refusal


def test_page__has_every_error_and_warning_once() -> None:
    rows = re.findall(r"^\| `(\w+(?:Error|Warning))` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    bases = {"APIError", "FineTuneError", "Outcome"}
    assert sorted(rows) == sorted(set(errors.__all__) - bases)
