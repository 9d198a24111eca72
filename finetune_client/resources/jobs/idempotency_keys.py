"""The idempotency key of a create: made or checked, and where it travels.

No server is known to honour ``Idempotency-Key``, so the key also stands in the job's metadata,
where it can be looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from finetune_client.errors import RequestError
from finetune_client.models.jobs import IDEMPOTENCY_PAIR

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HEADER", "checked_key", "key_in", "new_key", "with_key"]

HEADER = "Idempotency-Key"

_MAX_KEY_LENGTH = 255


def new_key() -> str:
    """Return a new key."""
    return str(uuid4())


def checked_key(key: object) -> str:
    """Return a caller's key, which goes into a header and into metadata.

    Raises:
        RequestError: It is empty, too long, or not printable ASCII.
    """
    if not isinstance(key, str) or not key.strip():
        raise RequestError("idempotency_key must be text that is not empty.")
    printable = key.isascii() and key.isprintable() and key == key.strip()
    if not printable or len(key) > _MAX_KEY_LENGTH:
        raise RequestError(
            f"idempotency_key must be at most {_MAX_KEY_LENGTH} printable ASCII characters without "
            "spaces at the ends."
        )
    return key


def with_key(body: Mapping[str, Any], key: str, max_pairs: float) -> Mapping[str, Any]:
    """Return the body of a create with a key in its metadata, if there is room for one more pair.

    A key that is there already (metadata copied from another job) is replaced.
    """
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict):
        return body
    if len(metadata) >= max_pairs and IDEMPOTENCY_PAIR not in metadata:
        return body
    return {**body, "metadata": {**metadata, IDEMPOTENCY_PAIR: key}}


def key_in(body: Mapping[str, Any]) -> str | None:
    """Return the key in the metadata of a body, whoever put it there."""
    metadata = body.get("metadata")
    return metadata.get(IDEMPOTENCY_PAIR) if isinstance(metadata, dict) else None
