from __future__ import annotations

from typing import Any

import pytest

from finetune_client.errors import RequestError
from finetune_client.resources.options import (
    RequestOptions,
    check_poll_options,
    options_of_uploads,
    with_options,
    without_extra_body,
)
from finetune_client.transport import Request

GET = Request(method="GET", path="/models", query=[("limit", "2")], headers={"X-Trace": "1"})
POST = Request(method="POST", path="/fine_tuning/jobs", json={"model": "m", "seed": 1})


def test_with_options__without_any_is_the_same_request() -> None:
    assert with_options(GET, {}) is GET


def test_with_options__headers_win_over_those_of_the_call_in_any_case() -> None:
    sent = with_options(GET, {"extra_headers": {"x-trace": "2", "X-More": "3"}})
    assert dict(sent.headers) == {"x-trace": "2", "X-More": "3"}
    assert dict(GET.headers) == {"X-Trace": "1"}


def test_with_options__a_query_pair_replaces_that_of_the_call() -> None:
    sent = with_options(GET, {"extra_query": {"limit": 5, "expand": {"a": 1}, "none": None}})
    assert list(sent.query) == [("limit", "5"), ("expand[a]", "1")]


def test_with_options__body_keys_replace_those_of_the_call() -> None:
    sent = with_options(POST, {"extra_body": {"seed": None, "trainingType": "Standard"}})
    assert sent.json == {"model": "m", "seed": None, "trainingType": "Standard"}
    assert POST.json == {"model": "m", "seed": 1}


def test_with_options__a_post_without_a_body_gets_one() -> None:
    pause = Request(method="POST", path="/fine_tuning/jobs/j/pause")
    assert with_options(pause, {"extra_body": {"reason": "cost"}}).json == {"reason": "cost"}


@pytest.mark.parametrize(("given", "used"), [(None, 3.0), (7.0, 7.0), ((1.0, 2.0), (1.0, 2.0))])
def test_with_options__timeout_none_leaves_that_of_the_request(given: Any, used: Any) -> None:
    request = Request(method="GET", path="/models", timeout=3.0)
    assert with_options(request, {"timeout": given}).timeout == used


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"extra_headers": ["a"]},
            "extra_headers must be a mapping of names to texts, not list.",
        ),
        ({"extra_body": [1]}, "extra_body must be a mapping of keys to values, not list."),
    ],
)
def test_with_options__of_the_wrong_kind(options: Any, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        with_options(POST, options)
    assert caught.value.message == message


def test_with_options__a_body_where_there_is_none() -> None:
    with pytest.raises(RequestError) as caught:
        with_options(GET, {"extra_body": {"a": 1}})
    assert caught.value.message == (
        "GET /models has no JSON body: extra_body cannot be sent with it. "
        "extra_query adds to its query."
    )


def test_with_options__an_unknown_keyword_is_named() -> None:
    options: Any = {"extra_header": {}}
    with pytest.raises(TypeError) as caught:
        with_options(GET, options)
    assert str(caught.value) == (
        "unexpected keyword argument 'extra_header'; beside its own arguments a call takes "
        "extra_body, extra_headers, extra_query, timeout"
    )


def test_secret_headers__are_hidden_where_a_traceback_would_show_them() -> None:
    options: RequestOptions = {"extra_headers": {"Authorization": "Bearer sk-not-for-logs"}}
    sent = with_options(GET, options)
    assert "sk-not-for-logs" not in repr(options)
    assert "sk-not-for-logs" not in repr(dict(sent.headers))
    assert sent.headers["Authorization"].encode() == b"Bearer sk-not-for-logs"


def test_without_extra_body__leaves_the_rest() -> None:
    options: RequestOptions = {"extra_body": {"a": 1}, "timeout": 3.0, "extra_query": {"q": 1}}
    assert without_extra_body(options) == {"timeout": 3.0, "extra_query": {"q": 1}}
    assert "extra_body" in options


def test_options_of_uploads__are_the_calls_without_its_body_and_its_own_win() -> None:
    options: RequestOptions = {"extra_body": {"route": "a", "b": 1}, "timeout": 3.0}
    own: RequestOptions = {"timeout": 60.0, "extra_headers": {"Authorization": "sk-not-for-logs"}}
    merged = options_of_uploads(options, own, frozenset({"route", "other"}))
    assert (merged["extra_body"], merged["timeout"]) == ({"route": "a"}, 60.0)
    assert "sk-not-for-logs" not in repr(merged)
    assert own["extra_headers"] == {"Authorization": "sk-not-for-logs"}
    assert options_of_uploads(options, None, frozenset()) == {"timeout": 3.0}


def test_poll_options__take_no_timeout() -> None:
    options: Any = {"timeout": 3.0}
    with pytest.raises(TypeError, match="unexpected keyword argument 'timeout'"):
        check_poll_options(options)
    assert check_poll_options({"extra_query": {"a": 1}}) == {"extra_query": {"a": 1}}
