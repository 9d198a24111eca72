from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import RequestError
from finetune_client.models import FineTuningJob
from finetune_client.transport.paths import check_path, encode_query, path_segment, query_pairs

ORDINARY = [
    ("ftjob-abc123", "ftjob-abc123"),
    ("ft:gpt-4o-mini:org::7p4l:ckpt-step-5", "ft:gpt-4o-mini:org::7p4l:ckpt-step-5"),
    ("../../models", "..%2F..%2Fmodels"),
    ("a/b", "a%2Fb"),
    ("a?b=c", "a%3Fb=c"),
    ("a#x", "a%23x"),
    ("a b", "a%20b"),
    ("a%2fb", "a%252fb"),
    ("...", "..."),
    ("ä", "%C3%A4"),
]
REFUSED: list[tuple[Any, str]] = [
    (None, "Expected a non-empty value for `job_id` but received None"),
    ("", "Expected a non-empty value for `job_id` but received ''"),
    (7, "job_id must be text, not int."),
    (b"ftjob-1", "job_id must be text, not bytes."),
    (
        FineTuningJob(id="ftjob-1"),
        "job_id must be text, not FineTuningJob; pass its id, 'ftjob-1'.",
    ),
    (".", "job_id must not be '.': it would lead out of the path."),
    ("..", "job_id must not be '..': it would lead out of the path."),
    ("%2e%2E", "job_id must not be '%2e%2E': it would lead out of the path."),
    ("%252e%252e", "job_id must not be '%252e%252e': it would lead out of the path."),
    (".%2e", "job_id must not be '.%2e': it would lead out of the path."),
    ("a\nb", "job_id must not have control characters in it, got 'a\\nb'."),
    ("a\x00", "job_id must not have control characters in it, got 'a\\x00'."),
    ("a\x85", "job_id must not have control characters in it, got 'a\\x85'."),
    ("\ud800", "job_id must be valid Unicode, got '\\ud800'."),
]
BAD_PATHS: list[tuple[Any, str]] = [
    (None, "path must be text, not NoneType."),
    ("/a?b", "path must not have ? or # in it, got '/a?b'; give query= instead."),
    ("/a\r\nb", "path must not have control characters or backslashes in it, got '/a\\r\\nb'."),
    ("\\\\evil", "path must not have control characters or backslashes in it, got '\\\\\\\\evil'."),
    ("/a/../b", "path must not have . or .. segments in it, got '/a/../b'."),
    ("/a/%2e%2e/b", "path must not have . or .. segments in it, got '/a/%2e%2e/b'."),
    ("/a/x%2f..%2fb", "path must not have . or .. segments in it, got '/a/x%2f..%2fb'."),
]
ELSEWHERE = ["", "/", "//evil.example/x", "https://evil.example/x", "mailto:x"]


@pytest.mark.parametrize(("value", "quoted"), ORDINARY)
def test_segment__is_quoted(value: str, quoted: str) -> None:
    assert path_segment(value, "job_id") == quoted


@pytest.mark.parametrize(("value", "message"), REFUSED)
def test_segment__refused(value: Any, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        path_segment(value, "job_id")
    assert caught.value.message == message
    assert caught.value.__context__ is None


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_segment__gives_itself_back_and_stays_one(value: str) -> None:
    try:
        quoted = path_segment(value, "id")
    except RequestError:
        return
    assert unquote(quoted) == value
    assert re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]+", quoted)
    assert quoted not in {".", ".."}


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/fine_tuning/jobs", "/fine_tuning/jobs"),
        ("files", "/files"),
        ("/models/ft:gpt:org::1", "/models/ft:gpt:org::1"),
        ("/files/a b", "/files/a%20b"),
        ("/files/a%20b", "/files/a%20b"),
    ],
)
def test_check_path(path: str, sent: str) -> None:
    assert check_path(path) == sent


@pytest.mark.parametrize(("path", "message"), BAD_PATHS)
def test_check_path__refused(path: Any, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_path(path)
    assert caught.value.message == message


@pytest.mark.parametrize("path", ELSEWHERE)
def test_check_path__leads_elsewhere(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_path(path)
    assert caught.value.message == (
        f"path must be a path below the base URL, such as '/fine_tuning/jobs', got {path!r}."
    )


def test_query_pairs__of_every_kind() -> None:
    pairs = query_pairs(
        {
            "after": None,
            "limit": 20,
            "flag": True,
            "off": False,
            "metadata": {"a b": "x", "k": ""},
            "include": ["one", 2],
        }
    )
    assert pairs == [
        ("limit", "20"),
        ("flag", "true"),
        ("off", "false"),
        ("metadata[a b]", "x"),
        ("metadata[k]", ""),
        ("include[]", "one"),
        ("include[]", "2"),
    ]
    assert encode_query(pairs[3:5]) == "metadata%5Ba+b%5D=x&metadata%5Bk%5D="


def test_query__with_half_a_surrogate_pair() -> None:
    with pytest.raises(RequestError) as caught:
        encode_query([("a", "\udc00")])
    assert caught.value.message == "The query has text in it that is not valid Unicode."
