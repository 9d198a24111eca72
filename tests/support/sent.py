"""What a request carried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

__all__ = ["sent_bytes", "sent_json"]


def sent_json(request: requests.PreparedRequest) -> dict[str, Any]:
    """Read the JSON object that a request carried."""
    assert isinstance(request.body, (bytes, str))
    body = json.loads(request.body)
    assert isinstance(body, dict)
    return body


def sent_bytes(request: requests.PreparedRequest) -> bytes:
    """Read all that a request carried; newer versions of `responses` have read it already."""
    body: Any = request.body
    return body if isinstance(body, bytes) else b"".join(body)
