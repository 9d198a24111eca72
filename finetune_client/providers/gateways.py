"""Gateways that pass requests on to other providers.

https://docs.litellm.ai/docs/fine_tuning
https://portkey.ai/docs/aigw/integrations/llms/openai/fine-tuning
"""

from __future__ import annotations

from finetune_client.providers.provider import Provider
from finetune_client.providers.request_limits import UNKNOWN_LIMITS

__all__ = ["LITELLM", "PORTKEY"]

_ROUTES = "the proxy's fine-tuning routes are create, list, retrieve and cancel"
_DROPPED = "the proxy drops it without a word"

LITELLM = Provider(
    name="litellm",
    lacks={
        "events": _ROUTES,
        "checkpoints": _ROUTES,
        "pause": _ROUTES,
        "permissions": _ROUTES,
        "graders": _ROUTES,
        "weights": _ROUTES,
        "method": _DROPPED,
        "metadata": _DROPPED,
        "metadata_filter": "the proxy passes no metadata on",
    },
    # https://docs.litellm.ai/docs/proxy/api_key_auth has the first, LiteLLM's own client the second.
    environment=("LITELLM_API_KEY", "LITELLM_PROXY_API_KEY"),
    limits=UNKNOWN_LIMITS,
    methods=("supervised",),
    routing_fields=frozenset({"custom_llm_provider", "target_model_names"}),
)

PORTKEY = Provider(
    name="portkey",
    base_url="https://aigw.portkey.ai/v1",
    hosts=("aigw.portkey.ai", "api.portkey.ai"),
    environment=("PORTKEY_API_KEY",),
    limits=UNKNOWN_LIMITS,
)
