"""`client.webhooks`: which secret is used, and that it never shows."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING

import pytest
import werkzeug.datastructures

from finetune_client import Client, webhooks
from finetune_client.errors import ConfigurationError, InvalidWebhookSignatureError
from tests.support.fake_time import FakeTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = 1_800_000_000
SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSBlbmRwb2ludA=="
OTHER = "whsec_" + "b3RoZXIgc2VjcmV0IHRoYXQgaXMgbG9uZw=="
BODY = json.dumps({"type": "fine_tuning.job.failed", "data": {"id": "ftjob-1"}}).encode()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_WEBHOOK_SECRET", raising=False)
    monkeypatch.delenv("OPENAI_API_VERSION", raising=False)


def headers(secret: str = SECRET, at: int = NOW) -> dict[str, str]:
    return webhooks.sign(BODY, id="wh_1", timestamp=at, secret=secret)


def on_time(client: Client) -> Client:
    client._session.clock = FakeTime(now=NOW).clock
    return client


@pytest.fixture
def client() -> Iterator[Client]:
    with Client("sk-test", webhook_secret=SECRET) as made:
        yield on_time(made)


def test_unwrap__verifies_with_the_clients_secret(client: Client) -> None:
    event = client.webhooks.unwrap(BODY, headers())
    assert (event.job_id, event.job_status) == ("ftjob-1", "failed")
    assert client.webhooks.unwrap(BODY.decode(), headers()) == event
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(BODY, headers(OTHER))


def test_unwrap__takes_the_headers_of_a_web_framework(client: Client) -> None:
    given = werkzeug.datastructures.Headers({n.title(): v for n, v in headers().items()})
    assert client.webhooks.unwrap(BODY, given).job_id == "ftjob-1"
    client.webhooks.verify_signature(BODY, given)


def test_unwrap__takes_the_calls_secret_before_the_clients(client: Client) -> None:
    assert client.webhooks.unwrap(BODY, headers(OTHER), OTHER).job_id == "ftjob-1"
    assert client.webhooks.unwrap(BODY, headers(OTHER), secret=OTHER).job_id == "ftjob-1"
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(BODY, headers(), secret=OTHER)
    with pytest.raises(ConfigurationError, match="is empty"):
        client.webhooks.unwrap(BODY, headers(), secret="")


def test_verify_signature__returns_nothing_or_raises(client: Client) -> None:
    client.webhooks.verify_signature(BODY, headers(at=NOW - 300))
    with pytest.raises(InvalidWebhookSignatureError, match="301 s old"):
        client.webhooks.verify_signature(BODY, headers(at=NOW - 301))
    client.webhooks.verify_signature(BODY, headers(at=NOW - 301), tolerance=301)
    with pytest.raises(InvalidWebhookSignatureError, match="None of the webhook's signatures"):
        client.webhooks.verify_signature(BODY + b" ", headers())


CONSTRUCTORS: dict[str, Callable[..., Client]] = {
    "Client": lambda **options: Client("sk-test", **options),
    "Client.azure": lambda **options: Client.azure(
        "https://r.openai.azure.com", api_key="k", **options
    ),
    "Client.local": Client.local,
}


@pytest.mark.parametrize("constructor", CONSTRUCTORS)
def test_secret__comes_from_the_argument_or_the_environment(
    constructor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = CONSTRUCTORS[constructor]
    with make() as client, pytest.raises(ConfigurationError) as caught:
        client.webhooks.unwrap(BODY, headers())
    assert str(caught.value) == (
        "There is no webhook secret: pass secret=, give the client webhook_secret=, or set "
        "OPENAI_WEBHOOK_SECRET."
    )
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", SECRET)
    with make() as client:
        assert on_time(client).webhooks.unwrap(BODY, headers()).job_id == "ftjob-1"
    with make(webhook_secret=OTHER) as client:
        assert on_time(client).webhooks.unwrap(BODY, headers(OTHER)).job_id == "ftjob-1"
        other = client.with_options(webhook_secret=SECRET)
        assert other.webhooks.unwrap(BODY, headers()).job_id == "ftjob-1"
        same = client.with_options(timeout=5)
        assert same.webhooks.unwrap(BODY, headers(OTHER)).job_id == "ftjob-1"


@pytest.mark.parametrize(
    "secret", [OTHER, "whsec_" + "c2VjcmV0IG9mIHRoZSBlbmRwb2lud", "plainsecret"]
)
@pytest.mark.parametrize("given", ["client", "call"])
def test_secret__is_never_shown(given: str, secret: str) -> None:
    with Client("sk-test", webhook_secret=secret if given == "client" else None) as client:
        on_time(client)
        sent = headers()
        options = {"secret": secret} if given == "call" else {}
        with pytest.raises((ConfigurationError, InvalidWebhookSignatureError)) as caught:
            client.webhooks.unwrap(BODY, sent, **options)
        shown = repr(client._session.config) + repr(client.webhooks)
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        frames = [frame for frame in told.stack if "/finetune_client/" in frame.filename]
        assert frames
        shown += str([frame.locals for frame in frames])
    assert secret not in shown
    assert repr(secret.removeprefix("whsec_"))[1:-1] not in shown
    assert "other secret" not in shown
