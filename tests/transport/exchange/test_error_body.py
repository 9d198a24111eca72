from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client import errors
from finetune_client.transport.exchange.error_body import (
    error_class,
    read_error_body,
)

CLASSES = [
    (101, errors.APIStatusError),
    (304, errors.APIStatusError),
    (400, errors.BadRequestError),
    (401, errors.AuthenticationError),
    (403, errors.PermissionDeniedError),
    (404, errors.NotFoundError),
    (408, errors.APIStatusError),
    (409, errors.ConflictError),
    (413, errors.APIStatusError),
    (422, errors.UnprocessableEntityError),
    (429, errors.RateLimitError),
    (500, errors.InternalServerError),
    (520, errors.InternalServerError),
    (999, errors.InternalServerError),
]

OPENAI = {
    "error": {
        "message": "Could not find fine tune: ftjob-1",
        "type": "invalid_request_error",
        "param": "fine_tune_id",
        "code": "fine_tune_not_found",
    }
}
TEXTS: list[tuple[str, Any, str | None]] = [
    ("openai", OPENAI, "Could not find fine tune: ftjob-1"),
    ("error is text", {"error": "No such job."}, "No such job."),
    ("message at the top", {"message": "No such job.", "code": 7}, "No such job."),
    ("detail", {"detail": "Not found"}, "Not found"),
    (
        "detail as FastAPI lists it",
        {"detail": [{"loc": ["body", "model"], "msg": "field required"}, {"msg": "also"}]},
        "body.model: field required; also",
    ),
    (
        "problem+json",
        {"type": "about:blank", "title": "Forbidden", "detail": "Not for you.", "status": 403},
        "Not for you.",
    ),
    ("problem+json with a title only", {"type": "about:blank", "title": "Forbidden"}, "Forbidden"),
    (
        "azure innererror",
        {"error": {"code": "BadRequest", "message": "Bad.", "innererror": {"message": "Why."}}},
        "Bad. Why.",
    ),
    (
        "azure inner_error",
        {"error": {"code": "x", "message": None, "inner_error": {"code": "y", "message": "Why."}}},
        "Why.",
    ),
    ("errors in errors", {"error": {"error": {"message": "Bad"}}}, "Bad"),
    ("a list", [{"message": "One."}, "Two."], "One.; Two."),
    ("text", "just text", "just text"),
    ("null", None, "null"),
    ("a number", 7, None),
    ("error is false", {"error": False, "message": "Bad"}, "Bad"),
    ("an empty object", {}, None),
    ("an object that says nothing", {"error": None, "code": ""}, None),
    (
        "words under a name of their own",
        {"fault": {"faultstring": "Bad"}},
        '{"fault": {"faultstring": "Bad"}}',
    ),
    ("an error without words", {"error": {"code": "x1"}}, '{"error": {"code": "x1"}}'),
]
RAW: list[tuple[str, bytes, str | None]] = [
    ("nothing", b"", None),
    ("bare text", b"upstream connect error", "upstream connect error"),
    (
        "html with a title",
        b"<html><head><TITLE>502 Bad &amp; Gateway\n</TITLE></head><body>x",
        "502 Bad & Gateway",
    ),
    ("html without a title", b"<html><body><h1>Oops</h1> try later</body>", "Oops try later"),
    ("bad utf-8", b"caf\xe9", "caf�"),
    ("control characters", b"a\x00b\x1b[31mc\r\nd\xc2\x85e", "a b [31mc d e"),
    ("half a surrogate pair", b'{"message": "a\\ud800b"}', "a b"),
    ("a BOM", b'\xef\xbb\xbf{"detail": "Not found"}', "Not found"),
    ("a long number", b'{"message": "x", "n": ' + b"9" * 5000 + b"}", None),
    ("deep", b"[" * 30_000, None),
]


@pytest.mark.parametrize(("status", "kind"), CLASSES)
def test_error_class(status: int, kind: type) -> None:
    assert error_class(status) is kind


@pytest.mark.parametrize(("data", "text"), [row[1:] for row in TEXTS], ids=[r[0] for r in TEXTS])
def test_read_error_body__text_of_json(data: Any, text: str | None) -> None:
    assert read_error_body(json.dumps(data).encode())["text"] == text


@pytest.mark.parametrize(("body", "text"), [row[1:] for row in RAW], ids=[r[0] for r in RAW])
def test_read_error_body__text_of_anything_else(body: bytes, text: str | None) -> None:
    said = read_error_body(body)["text"]
    if text is None and body:
        assert said
        assert len(said) <= 200
    else:
        assert said == text


def test_read_error_body__of_openai() -> None:
    assert read_error_body(json.dumps(OPENAI).encode()) == {
        "text": "Could not find fine tune: ftjob-1",
        "code": "fine_tune_not_found",
        "param": "fine_tune_id",
        "type": "invalid_request_error",
        "body": OPENAI["error"],
    }


def test_read_error_body__code_is_text() -> None:
    assert read_error_body(b'{"error": {"message": "x", "code": 404}}')["code"] == "404"
    assert read_error_body(b'{"error": {"message": "x", "code": true}}')["code"] is None
    assert read_error_body(b'{"error": {"message": "x", "code": {}}}')["code"] is None


def test_read_error_body__azure_target_is_the_param() -> None:
    body = b'{"error": {"code": "a", "target": "model", "innererror": {"code": "b"}}}'
    facts = read_error_body(body)
    assert (facts["code"], facts["param"]) == ("a", "model")


def test_read_error_body__long_message_is_cut() -> None:
    text = read_error_body(json.dumps({"error": {"message": "x" * 5000}}).encode())["text"]
    assert len(text) == 500
    assert text.endswith("x…")


def test_read_error_body__deep_json_is_kept_as_text() -> None:
    body = b'{"error":' * 60 + b"1" + b"}" * 60
    facts = read_error_body(body)
    assert facts["body"] == body.decode()


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "message", "detail", "code", "innererror", "title", "loc", "msg"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_read_error_body__never_raise(data: Any) -> None:
    facts = read_error_body(json.dumps(data).encode())
    for name in ("text", "code", "param", "type"):
        value = facts[name]
        assert value is None or (isinstance(value, str) and value.isprintable())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_read_error_body__of_any_bytes(body: bytes) -> None:
    text = read_error_body(body)["text"]
    assert text is None or text.isprintable()
