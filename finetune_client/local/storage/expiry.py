"""``expires_after``: when a file is to vanish, in a form's fields or in JSON.

https://platform.openai.com/docs/api-reference/files/create
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.local.http.errors import WireError
from finetune_client.local.http.request_fields import choice, integer, only

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["seconds_to_live"]

_SHORTEST, _LONGEST = 3600, 2_592_000


def seconds_to_live(expires_after: object) -> int | None:
    """Read ``{"anchor": "created_at", "seconds": 3600..2592000}``; `None` means for ever."""
    if expires_after is None:
        return None
    if not isinstance(expires_after, dict):
        raise WireError(400, "'expires_after' must be an object.", param="expires_after")
    fields: Mapping[str, Any] = expires_after
    only(fields, ("anchor", "seconds"), "expires_after.")
    choice(fields, "anchor", ("created_at",), where="expires_after.", required=True)
    seconds: int = integer(
        fields, "seconds", _SHORTEST, _LONGEST, where="expires_after.", required=True
    )
    return seconds
