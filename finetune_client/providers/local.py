"""The server of this package, `finetune_client.local`."""

from __future__ import annotations

from finetune_client.providers.provider import Provider

__all__ = ["LOCAL"]

LOCAL = Provider(
    name="local",
    marks_jobs=True,
    keeps_ids=True,
    counts_bytes=True,
    environment=(),
    first_poll=0.05,
    longest_poll=0.5,
)
