from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from email.message import Message
from typing import Any, cast

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client import webhooks
from finetune_client.errors import (
    ConfigurationError,
    DecodeError,
    InvalidWebhookSignatureError,
)
from tests.support.fake_time import FakeTime

KEY = b"a key of thirty-two bytes, or so"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOW = 1_800_000_000
EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "fine_tuning.job.succeeded",
    "created_at": NOW,
    "data": {"id": "ftjob-abc123"},
}
BODY = json.dumps(EVENT).encode()
CLOCK = FakeTime(now=NOW).clock


def _headers(body: bytes = BODY, *, at: int = NOW, key: bytes = KEY) -> dict[str, str]:
    """Sign as the service does, apart from the code that is tested."""
    code = hmac.new(key, b"wh_1." + str(at).encode() + b"." + body, hashlib.sha256).digest()
    return {
        "webhook-id": "wh_1",
        "webhook-timestamp": str(at),
        "webhook-signature": "v1," + base64.b64encode(code).decode(),
    }


def _unwrap(body: bytes | str, headers: dict[str, str], **options: Any) -> webhooks.WebhookEvent:
    return webhooks.unwrap(body, headers, SECRET, clock=CLOCK, **options)


def test_unwrap__gives_the_event_with_its_job() -> None:
    event = _unwrap(BODY, _headers())
    assert event.type == "fine_tuning.job.succeeded"
    assert event.job_id == "ftjob-abc123"
    assert event.job_status == "succeeded"
    assert event.to_dict() == EVENT


def test_unwrap__verifies_the_example_of_the_standard() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    clock = FakeTime(now=1614265330).clock
    event = webhooks.unwrap('{"test": 2432232314}', headers, secret, clock=clock)
    assert event.extra == {"test": 2432232314}
    assert (event.job_id, event.job_status) == (None, None)


def test_unwrap__takes_text_any_spelling_and_several_signatures() -> None:
    headers = {name.title(): value for name, value in _headers().items()}
    headers["Webhook-Signature"] = f"v1,AAAA v2,x {headers['Webhook-Signature']} v1a,zz junk"
    assert _unwrap(BODY.decode(), headers).job_id == "ftjob-abc123"


def test_unwrap__takes_a_secret_that_is_no_base64() -> None:
    headers = _headers(key=b"plain text")
    assert webhooks.unwrap(BODY, headers, "plain text", clock=CLOCK).job_id == "ftjob-abc123"


def test_unwrap__takes_a_base64_secret_without_its_prefix() -> None:
    bare = SECRET.removeprefix("whsec_")
    assert webhooks.unwrap(BODY, _headers(), bare, clock=CLOCK).id == "evt_1"
    signed = _headers(key=bare.encode())
    assert webhooks.unwrap(BODY, signed, bare, clock=CLOCK).id == "evt_1"


def test_unwrap__refuses_a_wrong_signature() -> None:
    with pytest.raises(InvalidWebhookSignatureError) as caught:
        _unwrap(BODY + b" ", _headers())
    assert caught.value.message == (
        "None of the webhook's signatures is right: the secret is another endpoint's, or the body "
        "is not what was sent."
    )
    right = _headers()["webhook-signature"]
    for wrong in (right.replace("v1", "v2"), right[:-1], right.removeprefix("v1,"), "v1,\udc80"):
        with pytest.raises(InvalidWebhookSignatureError):
            _unwrap(BODY, {**_headers(), "webhook-signature": wrong})


def test_unwrap__refuses_another_id() -> None:
    with pytest.raises(InvalidWebhookSignatureError):
        _unwrap(BODY, {**_headers(), "webhook-id": "wh_2"})


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_unwrap__names_the_header_that_is_missing(name: str) -> None:
    headers = {key: value for key, value in _headers().items() if key != name}
    with pytest.raises(
        InvalidWebhookSignatureError, match=rf"^The webhook lacks a header: {name}\.$"
    ):
        _unwrap(BODY, headers)


def test_unwrap__refuses_what_is_out_of_its_time() -> None:
    with pytest.raises(InvalidWebhookSignatureError) as caught:
        _unwrap(BODY, _headers(at=NOW - 301))
    assert caught.value.message == (
        "The webhook is 301 s old, and 300 s are allowed: it was sent again by someone else, or a "
        "clock is wrong."
    )
    with pytest.raises(
        InvalidWebhookSignatureError, match="is 301 s ahead of this machine's clock"
    ):
        _unwrap(BODY, _headers(at=NOW + 301))
    assert _unwrap(BODY, _headers(at=NOW - 299)).id == "evt_1"
    assert _unwrap(BODY, _headers(at=NOW - 3000), tolerance=3600).id == "evt_1"


def test_unwrap__a_tolerance_that_is_no_number_allows_nothing() -> None:
    with pytest.raises(InvalidWebhookSignatureError):
        _unwrap(BODY, _headers(at=NOW - 3000), tolerance=float("nan"))


@pytest.mark.parametrize("time", ["", "soon", "1e9", "-5", "9" * 5000, "\u0661"])
def test_unwrap__refuses_a_time_that_is_none(time: str) -> None:
    with pytest.raises(InvalidWebhookSignatureError):
        _unwrap(BODY, {**_headers(), "webhook-timestamp": time})


NO_SECRET = "The webhook secret is empty: give the endpoint's whsec_… secret."
BAD_SECRET = "The webhook secret is not base64 after whsec_: copy it whole."


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("", NO_SECRET),
        ("  ", NO_SECRET),
        (None, NO_SECRET),
        ("whsec_", BAD_SECRET),
        ("whsec_not base64!", BAD_SECRET),
        ("whsec_é", BAD_SECRET),
        (b"whsec_QQ==", "The webhook secret must be text, not bytes."),
    ],
)
def test_unwrap__refuses_a_secret_that_is_none(secret: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        webhooks.unwrap(BODY, _headers(), secret, clock=CLOCK)


@pytest.mark.parametrize("name", sorted(_headers()))
@pytest.mark.parametrize("value", [b"wh_1", 1_800_000_000, ["wh_1"]])
def test_unwrap__refuses_headers_that_are_no_text(name: str, value: Any) -> None:
    with pytest.raises(InvalidWebhookSignatureError, match=rf"^A header is not text: {name}\.$"):
        _unwrap(BODY, {**_headers(), name: value})


def test_unwrap__takes_the_headers_of_a_plain_http_server() -> None:
    message = Message()
    for name, value in _headers().items():
        message[name.title()] = value
    assert webhooks.unwrap(BODY, cast("dict[str, str]", message), SECRET, clock=CLOCK).id == "evt_1"


@pytest.mark.parametrize("headers", [None, [("webhook-id", "wh_1")], "webhook-id: wh_1"])
def test_unwrap__says_that_headers_must_be_a_mapping(headers: Any) -> None:
    with pytest.raises(ConfigurationError, match="headers must be a mapping, not"):
        _unwrap(BODY, headers)


@pytest.mark.parametrize("body", [None, EVENT, 5, [123]])
def test_unwrap__says_that_the_body_must_be_as_it_came(body: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be bytes or text, exactly as it came, not"):
        _unwrap(body, _headers())


@pytest.mark.parametrize("tolerance", ["300", None, True])
def test_unwrap__says_that_the_tolerance_must_be_a_number(tolerance: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^tolerance must be a number"):
        _unwrap(BODY, _headers(), tolerance=tolerance)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000])
def test_unwrap__says_when_a_signed_body_is_no_object(body: bytes) -> None:
    with pytest.raises(DecodeError, match=r"^The webhook's body is not a JSON object\.$"):
        _unwrap(body, _headers(body))


def test_sign__makes_what_unwrap_verifies() -> None:
    headers = webhooks.sign(BODY, id="wh_1", timestamp=NOW, secret=SECRET)
    assert headers == _headers()


def test_event__keeps_values_of_another_kind() -> None:
    sent = {"id": 7, "type": "fine_tuning.job.failed", "created_at": True, "data": {"id": 5}}
    event = webhooks.WebhookEvent.from_dict(sent)
    assert event.job_id is None
    assert event.to_dict() == sent


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(_headers())), st.text()), st.binary())
def test_unwrap__believes_nothing_that_is_not_signed(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(InvalidWebhookSignatureError):
        _unwrap(body, headers)
