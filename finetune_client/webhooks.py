"""Webhooks: what a server sends of its own accord, verified and read.

With a webhook a program need not poll at all: the service posts an event when a job has
succeeded, failed or was cancelled. The signature is that of Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md),
the events are those of https://developers.openai.com/api/reference.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.clock import SYSTEM_CLOCK
from finetune_client.errors import DecodeError
from finetune_client.models.codec import (
    copy_fields,
    copy_object,
    pop_integer,
    pop_object,
    pop_text,
    write_fields,
)
from finetune_client.webhook_signature import HeaderItems, body_bytes, sign, verify_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.clock import Clock

__all__ = ["WebhookEvent", "sign", "unwrap", "verify_signature"]

_JOB_EVENTS = "fine_tuning.job."


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
    headers: HeaderItems,
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
    return _read(body_bytes(body))


def _read(raw: bytes) -> WebhookEvent:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise DecodeError("The webhook's body is not a JSON object.")
    return WebhookEvent.from_dict(data)
