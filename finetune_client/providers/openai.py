"""OpenAI.

https://developers.openai.com/api/reference
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
    lacks={"weights": "a checkpoint has no files in its API's specification (2026-11)"},
    counts_bytes=True,
    # As announced by 2026-11-26. Jobs, files and results can be read after these days.
    last_job_day="2027-01-06",
    shutdowns={
        "gpt-4.1-nano": "2026-10-23",
        "gpt-3.5-turbo": "2026-10-23",
        "o4-mini": "2026-10-23",
        "gpt-4o": "2027-01-14",
        "gpt-4.1": "2027-01-14",
    },
)
