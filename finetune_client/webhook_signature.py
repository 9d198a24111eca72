"""The signature of a webhook: how it is made and verified.

That of Standard Webhooks, which OpenAI uses:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from finetune_client.clock import SYSTEM_CLOCK
from finetune_client.errors import ConfigurationError, InvalidWebhookSignatureError

if TYPE_CHECKING:
    from finetune_client.clock import Clock

__all__ = ["HeaderItems", "body_bytes", "sign", "verify_signature"]

_PREFIX = "whsec_"
_SCHEME = "v1"


class HeaderItems(Protocol):
    """The headers of a request: a mapping, or what a web framework has, such as Flask's."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return the names and values."""


def verify_signature(
    body: bytes | str,
    headers: HeaderItems,
    secret: str,
    *,
    tolerance: float = 300,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Verify a webhook's signature; arguments and errors are those of `webhooks.unwrap`."""
    raw = body_bytes(body)
    _check_secret(secret)
    name, timestamp, signatures = _signed_headers(headers)
    _check_time(timestamp, tolerance, clock)
    # No variable here holds a key: tools that report errors show those of every frame.
    if not any(
        _matches(_signature(key, name, timestamp, raw), signatures) for key in _keys(secret)
    ):
        raise InvalidWebhookSignatureError(
            "None of the webhook's signatures is right: the secret is another endpoint's, or the "
            "body is not what was sent."
        )


def sign(body: bytes | str, *, id: str, timestamp: int, secret: str) -> dict[str, str]:
    """Return the headers that `webhooks.unwrap` verifies.

    Args:
        body: The request's body.
        id: The ``webhook-id``.
        timestamp: Unix time in whole seconds.
        secret: The signing secret.
    """
    _check_secret(secret)
    code = _signature(_keys(secret)[0], id, str(timestamp), body_bytes(body))
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"{_SCHEME},{base64.b64encode(code).decode()}",
    }


def body_bytes(given: object) -> bytes:
    """Return a webhook's body, which may be text, as bytes."""
    if isinstance(given, str):
        return given.encode("utf-8", "surrogatepass")
    if isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given)
    raise ConfigurationError(
        f"The webhook's body must be bytes or text, exactly as it came, not {type(given).__name__}."
    )


def _check_secret(secret: object) -> None:
    if not isinstance(secret, str | None):
        raise ConfigurationError(f"The webhook secret must be text, not {type(secret).__name__}.")
    if not (secret or "").strip():
        raise ConfigurationError("The webhook secret is empty: give the endpoint's whsec_… secret.")
    if not _keys(secret or ""):
        raise ConfigurationError("The webhook secret is not base64 after whsec_: copy it whole.")


def _keys(secret: str) -> list[bytes]:
    """Return what the secret may mean; nothing if it is not base64 after ``whsec_``."""
    plain = secret.strip()
    try:
        decoded = base64.b64decode(plain.removeprefix(_PREFIX), validate=True)
    except ValueError:
        decoded = b""
    as_base64 = [decoded] if decoded else []
    return as_base64 if plain.startswith(_PREFIX) else [body_bytes(plain), *as_base64]


def _signed_headers(headers: HeaderItems) -> tuple[str, str, str]:
    if not callable(getattr(headers, "items", None)):  # not a Mapping in every web framework
        raise ConfigurationError(
            f"The webhook's headers must be a mapping, not {type(headers).__name__}."
        )
    given = {str(name).lower(): value for name, value in headers.items()}
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    missing = [name for name in names if not given.get(name)]
    if missing:
        raise InvalidWebhookSignatureError(f"The webhook lacks a header: {', '.join(missing)}.")
    strange = [name for name in names if not isinstance(given[name], str)]
    if strange:
        raise InvalidWebhookSignatureError(f"A header is not text: {', '.join(strange)}.")
    return given[names[0]], given[names[1]], given[names[2]]


def _check_time(timestamp: str, tolerance: float, clock: Clock) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise InvalidWebhookSignatureError("The webhook's time is not a number of seconds.")
    if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)):
        raise ConfigurationError(f"tolerance must be a number of seconds, not {tolerance!r}.")
    age = clock.now() - int(timestamp)
    if not abs(age) <= tolerance:  # NaN allows nothing
        side = "old" if age > 0 else "ahead of this machine's clock"
        raise InvalidWebhookSignatureError(
            f"The webhook is {abs(age):.0f} s {side}, and {tolerance:.0f} s are allowed: it was "
            "sent again by someone else, or a clock is wrong."
        )


def _signature(key: bytes, id: str, timestamp: str, raw: bytes) -> bytes:
    signed = body_bytes(f"{id}.{timestamp}.") + raw
    return hmac.new(key, signed, hashlib.sha256).digest()


def _matches(expected: bytes, signatures: str) -> bool:
    """Compare with each signature, in a time that does not tell how much of it was right."""
    right = base64.b64encode(expected)
    found = False
    for entry in signatures.split():
        scheme, _, code = entry.partition(",")
        found |= hmac.compare_digest(body_bytes(code), right) and scheme == _SCHEME
    return found
