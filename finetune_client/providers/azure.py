"""Azure OpenAI: the v1 API, and the classic one with a dated version.

https://learn.microsoft.com/azure/ai-services/openai/how-to/fine-tuning
"""

from __future__ import annotations

from dataclasses import replace

from finetune_client.providers.limits import REINFORCEMENT, Bounds, Limits
from finetune_client.providers.provider import Provider
from finetune_client.providers.training_rules import TrainingRules

__all__ = ["AZURE", "AZURE_CLASSIC"]

AZURE = Provider(
    name="azure",
    hosts=(
        ".openai.azure.com",
        ".cognitiveservices.azure.com",
        ".services.ai.azure.com",
        ".openai.azure.us",
        ".openai.azure.cn",
    ),
    url_ends_with="/v1",
    key_header="api-key",
    keeps_ids=True,
    needs_file_expiry=True,
    lacks=frozenset({"permissions", "uploads", "delete_model", "metadata_filter"}),
    environment=("AZURE_OPENAI_API_KEY",),
    limits=Limits(
        suffix=40,
        suffix_characters="A-Za-z0-9_-",
        reinforcement={
            **REINFORCEMENT,
            "compute_multiplier": Bounds(least=0.5, most=3),
            "eval_interval": Bounds(least=1, most=25, whole=True),
            "eval_samples": Bounds(least=1, most=10, whole=True),
        },
    ),
    training_rules=TrainingRules(
        images=64,
        image_examples=None,
        reinforcement_images=False,
        outputs=None,
        byte_order_mark=True,
    ),
    max_upload_bytes=9 * 1000 * 1000 * 1000,
)

AZURE_CLASSIC = replace(
    AZURE,
    name="azure-classic",
    url_ends_with="",
    needs_file_expiry=False,
    lacks=frozenset(
        {
            "pause",
            "permissions",
            "graders",
            "metadata",
            "metadata_filter",
            "integrations",
            "method",
            "files_paging",
            "file_expiry",
        }
    ),
)
