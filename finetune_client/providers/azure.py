"""Azure OpenAI in Microsoft Foundry: the v1 API, and the classic one with a dated version.

https://learn.microsoft.com/azure/ai-services/openai/how-to/fine-tuning
"""

from __future__ import annotations

from dataclasses import replace

from finetune_client.providers.provider import Provider
from finetune_client.providers.request_limits import DPO, REINFORCEMENT, SUPERVISED, Bounds, Limits
from finetune_client.providers.training_rules import TrainingRules

__all__ = ["AZURE", "AZURE_CLASSIC"]

_V1 = "it is not in the specification of the v1 API (2026-10)"
_CLASSIC = "it is not in the specification of the classic API (2024-10-21)"

AZURE = Provider(
    name="azure",
    hosts=(
        ".openai.azure.com",
        ".cognitiveservices.azure.com",
        ".api.cognitive.microsoft.com",
        ".services.ai.azure.com",
        ".openai.azure.us",
        ".openai.azure.cn",
    ),
    url_ends_with="/v1",
    key_header="api-key",
    keeps_ids=True,
    lacks={"uploads": _V1, "metadata_filter": _V1, "weights": _V1},
    environment=("AZURE_OPENAI_API_KEY",),
    limits=Limits(
        suffix=40,
        suffix_characters="A-Za-z0-9_-",
        # -1 is "auto", also in answers: a job's own settings can be sent again.
        supervised={name: replace(bounds, automatic=-1) for name, bounds in SUPERVISED.items()},
        dpo={name: replace(bounds, automatic=-1) for name, bounds in DPO.items()},
        reinforcement={
            name: replace(bounds, automatic=-1)
            for name, bounds in {
                **REINFORCEMENT,
                "compute_multiplier": Bounds(least=0.5, most=3),
                "eval_interval": Bounds(least=1, most=25, whole=True),
                "eval_samples": Bounds(least=1, most=10, whole=True),
            }.items()
        },
    ),
    training_rules=TrainingRules(
        images=64,
        image_examples=None,
        reinforcement_images=False,
        outputs=None,
        byte_order_mark=True,
        refuses_null_text=True,
    ),
    known_fields=frozenset({"trainingType", "inference_configs"}),
    known_hyperparameters=frozenset({"prompt_loss_weight"}),
    hints=(
        (
            "base model does not support fine-tuning",
            "Open models need a training type: extra_body={'trainingType': 'GlobalStandard'}.",
        ),
        (
            "deploymentnotfound",
            "On Azure model= is the name of a deployment; a tuned model must be deployed first.",
        ),
    ),
    late_events=600.0,
    max_upload_bytes=9 * 1000 * 1000 * 1000,
)

AZURE_CLASSIC = replace(
    AZURE,
    name="azure-classic",
    url_ends_with="",
    chat_path="/deployments/{model}/chat/completions",
    # The specification has no `method`, but the service takes it: recorded with 2024-10-21 and
    # with 2025-04-01-preview. Nothing says that models cannot be deleted.
    lacks={
        "pause": _CLASSIC,
        "permissions": _CLASSIC,
        "graders": _CLASSIC,
        "metadata": _CLASSIC,
        "metadata_filter": _CLASSIC,
        "integrations": _CLASSIC,
        "files_paging": _CLASSIC,
        "file_expiry": _CLASSIC,
        "weights": _CLASSIC,
    },
)
