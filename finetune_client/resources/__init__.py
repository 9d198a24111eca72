"""The calls of the API: one class for each part of it, each an attribute of `Client`.

The names are loaded on first use, so that ``client.jobs`` loads no code for files. Type checkers
read ``__init__.pyi``.
"""

from __future__ import annotations

from finetune_client.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        ".chat": ["Chat", "ChatCompletions"],
        ".checkpoints": ["Checkpoints", "JobCheckpoints", "Permissions"],
        ".files.content": ["FileBytes"],
        ".files.files": ["Files"],
        ".files.uploads": ["Uploads"],
        ".fine_tuning": ["Alpha", "FineTuning"],
        ".graders": ["Graders"],
        ".jobs.creating": ["CreateStep", "FileArgument", "OnStep"],
        ".jobs.jobs": ["Jobs"],
        ".jobs.sweeping": ["Grid", "OnRun", "OnSweepEvent", "Sweep", "SweepRun"],
        ".models": ["Models"],
        ".options": ["PollOptions", "RequestOptions"],
        ".pager": ["Pager"],
        ".raw_responses": ["RawCalls", "RawResponse", "StreamingCalls", "StreamingResponse"],
        ".webhooks": ["Webhooks"],
        ".weights": ["WeightsSource"],
        "finetune_client.metrics": ["Metrics"],
        "finetune_client.training_data": ["Report"],
        "finetune_client.waiting": ["OnPaused", "OnStalled"],
    },
)
