"""Unsloth Studio, which trains on the user's own GPU.

https://unsloth.ai/docs/basics/api
"""

from __future__ import annotations

import math

from finetune_client.providers.provider import Provider
from finetune_client.providers.request_limits import UNKNOWN_LIMITS

__all__ = ["UNSLOTH"]

_STUDIO = "it is not in the source of Unsloth Studio (2026.10.8)"

UNSLOTH = Provider(
    name="unsloth",
    lacks={
        "file_content": _STUDIO,
        "file_delete": _STUDIO,
        "uploads": _STUDIO,
        "pause": _STUDIO,
        "graders": _STUDIO,
        "permissions": _STUDIO,
        "metadata": "it answers with null for every job's metadata",
        "metadata_filter": "it keeps no metadata",
        "weights": "it gives no files; they are on the disk of the machine that trained them",
        "result_files": "it answers with an empty list for every job's result files",
    },
    # https://unsloth.ai/docs/integrations/unsloth-start
    environment=("UNSLOTH_API_KEY",),
    bills=False,
    methods=("supervised",),
    limits=UNKNOWN_LIMITS,
    # On one's own machine; and there are no uploads in parts that a larger file could come by.
    max_file_bytes=math.inf,
    max_upload_bytes=math.inf,
    first_poll=1.0,
    longest_poll=5.0,
)
