"""Webhooks: what a server sends of its own accord, verified and read.

With a webhook a program need not poll at all: the service posts an event when a job has
succeeded, failed or was cancelled. The signature is that of Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md),
the events are those of https://developers.openai.com/api/reference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.clock import SYSTEM_CLOCK
from finetune_client.errors import ConfigurationError, DecodeError, InvalidWebhookSignatureError
from finetune_client.models.codec import (
    copy_fields,
    copy_object,
    pop_integer,
    pop_object,
    pop_text,
    write_fields,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.clock import Clock

__all__ = ["WebhookEvent", "sign", "unwrap", "verify_signature"]

_JOB_EVENTS = "fine_tuning.job."
_PREFIX = "whsec_"
_SCHEME = "v1"


@dataclass(kw_only=True, slots=True)
class WebhookEvent:
    """An event that a server posted.

    Attributes:
        id: The event's id; the same event may come more than once, each time with this id.
        type: Such as ``fine_tuning.job.succeeded``; an open set.
        created_at: Unix time in seconds.
        data: What the event is about: for a job, ``{"id": "ftjob-abc123"}``.
        object: ``event``.
        extra: All other keys, as sent.
    """

    id: str | None = None
    type: str | None = None
    created_at: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    object: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def job_id(self) -> str | None:
        """The id of the fine-tuning job, if the event is about one."""
        about = self.data.get("id")
        of_job = (self.type or "").startswith(_JOB_EVENTS)
        return about if of_job and isinstance(about, str) else None

    @property
    def job_status(self) -> str | None:
        """The state the job has come to: ``succeeded``, ``failed`` or ``cancelled``."""
        return (self.type or "")[len(_JOB_EVENTS) :] if self.job_id else None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WebhookEvent:
        """Read the JSON form; what is of another kind than its field is kept in `extra`."""
        rest = copy_fields(cls, data)
        return cls(
            id=pop_text(rest, "id"),
            type=pop_text(rest, "type"),
            created_at=pop_integer(rest, "created_at"),
            data=pop_object(rest, "data") or {},
            object=pop_text(rest, "object"),
            extra=rest,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "id": self.id,
                "type": self.type,
                "created_at": self.created_at,
                "data": copy_object(self.data or None),
                "object": self.object,
            },
            self.extra,
        )


def unwrap(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance: float = 300,
    clock: Clock = SYSTEM_CLOCK,
) -> WebhookEvent:
    """Verify a webhook's signature and read its event.

    Args:
        body: The request's body exactly as it came, not parsed and put together again.
        headers: The request's headers, in any spelling: ``webhook-id``, ``webhook-timestamp``
            and ``webhook-signature`` are used.
        secret: The endpoint's signing secret, ``whsec_…``. Services differ in what a secret without
            that prefix is, base64 or the key itself: both are tried.
        tolerance: Seconds that the webhook may be old, or ahead of this machine's clock.
        clock: Where the time comes from.

    Raises:
        InvalidWebhookSignatureError: A header is missing, the time is off, or no signature is
            right. Answer with 400 and do nothing.
        ConfigurationError: The secret is empty, or not base64 after ``whsec_``; or an argument is
            of another kind.
        DecodeError: The signature is right, but the body is not a JSON object.
    """
    verify_signature(body, headers, secret, tolerance=tolerance, clock=clock)
    return _read(_bytes(body))


def verify_signature(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance: float = 300,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Verify a webhook's signature; arguments and errors are those of `unwrap`."""
    raw = _bytes(body)
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
    """Return the headers that `unwrap` verifies, for tests of a server of your own.

    Args:
        body: The request's body.
        id: The ``webhook-id``.
        timestamp: Unix time in whole seconds.
        secret: The signing secret.
    """
    _check_secret(secret)
    code = _signature(_keys(secret)[0], id, str(timestamp), _bytes(body))
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"{_SCHEME},{base64.b64encode(code).decode()}",
    }


def _bytes(given: object) -> bytes:
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
    return as_base64 if plain.startswith(_PREFIX) else [_bytes(plain), *as_base64]


def _signed_headers(headers: Mapping[str, str]) -> tuple[str, str, str]:
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
    signed = _bytes(f"{id}.{timestamp}.") + raw
    return hmac.new(key, signed, hashlib.sha256).digest()


def _matches(expected: bytes, signatures: str) -> bool:
    """Compare with each signature, in a time that does not tell how much of it was right."""
    right = base64.b64encode(expected)
    found = False
    for entry in signatures.split():
        scheme, _, code = entry.partition(",")
        found |= hmac.compare_digest(_bytes(code), right) and scheme == _SCHEME
    return found


def _read(raw: bytes) -> WebhookEvent:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise DecodeError("The webhook's body is not a JSON object.")
    return WebhookEvent.from_dict(data)
