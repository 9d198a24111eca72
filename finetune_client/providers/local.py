"""The server of this package, `finetune_client.local`."""

from __future__ import annotations

from finetune_client.providers.provider import Provider
from finetune_client.providers.training_rules import TrainingRules

__all__ = ["LOCAL"]

LOCAL = Provider(
    name="local",
    marks_jobs=True,
    keeps_ids=True,
    counts_bytes=True,
    environment=(),
    bills=False,
    training_rules=TrainingRules(learns_images=False),
    grader_types=("string_check", "text_similarity", "python", "multi"),
    first_poll=0.05,
    longest_poll=0.5,
)
