"""Any server that is known only to speak the API."""

from __future__ import annotations

from finetune_client.providers.limits import UNKNOWN_LIMITS
from finetune_client.providers.provider import Provider

__all__ = ["COMPATIBLE"]

COMPATIBLE = Provider(name="compatible", limits=UNKNOWN_LIMITS)
