"""Any server that is known only to speak the API."""

from __future__ import annotations

from finetune_client.providers.provider import Provider
from finetune_client.providers.request_limits import UNKNOWN_LIMITS

__all__ = ["COMPATIBLE"]

COMPATIBLE = Provider(name="compatible", limits=UNKNOWN_LIMITS)
