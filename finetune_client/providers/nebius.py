"""Nebius Token Factory.

https://docs.tokenfactory.nebius.com/api-reference/introduction
"""

from __future__ import annotations

from dataclasses import replace

from finetune_client.providers.provider import Provider
from finetune_client.providers.request_limits import UNKNOWN_LIMITS, Bounds

__all__ = ["NEBIUS"]

_NO_METADATA = "its jobs keep no metadata"

NEBIUS = Provider(
    name="nebius",
    base_url="https://api.tokenfactory.nebius.com/v1",
    hosts=("api.tokenfactory.nebius.com",),
    lacks={
        "metadata": _NO_METADATA,
        "metadata_filter": _NO_METADATA,
        "method_and_hyperparameters": "the service refuses a job that has both",
        "result_files": "its result files are weights, not metrics",
    },
    environment=("NEBIUS_API_KEY",),
    limits=replace(
        UNKNOWN_LIMITS,
        supervised={
            **UNKNOWN_LIMITS.supervised,
            "n_epochs": Bounds(least=1, most=20, whole=True),
            "batch_size": Bounds(least=1, most=32, whole=True),
        },
    ),
    methods=("supervised",),
    known_fields=frozenset({"from_checkpoint"}),
    known_hyperparameters=frozenset(
        {
            "context_length",
            "learning_rate",
            "lora",
            "lora_alpha",
            "lora_dropout",
            "lora_r",
            "max_grad_norm",
            "packing",
            "warmup_ratio",
            "weight_decay",
        }
    ),
    max_file_bytes=5 * 1000 * 1000 * 1000,
)
