"""OpenAI.

https://platform.openai.com/docs/api-reference/fine-tuning
"""

from __future__ import annotations

from finetune_client.providers.provider import Provider

__all__ = ["OPENAI"]

OPENAI = Provider(
    name="openai",
    base_url="https://api.openai.com/v1",
    hosts=("api.openai.com", ".api.openai.com"),
    marks_jobs=True,
    keeps_ids=True,
)
