"""The calls of the API: one class for each part of it, each an attribute of `Client`.

The names are loaded on first use, so that ``client.jobs`` loads no code for files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.lazy import attach

if TYPE_CHECKING:
    from finetune_client.resources.checkpoints import Checkpoints, JobCheckpoints, Permissions
    from finetune_client.resources.files.files import Files
    from finetune_client.resources.files.uploads import Uploads
    from finetune_client.resources.fine_tuning import Alpha, FineTuning
    from finetune_client.resources.graders import Graders
    from finetune_client.resources.jobs.creating import CreateStep
    from finetune_client.resources.jobs.jobs import Jobs
    from finetune_client.resources.models import Models
    from finetune_client.resources.options import PollOptions, RequestOptions
    from finetune_client.resources.pager import Pager

__all__ = [
    "Alpha",
    "Checkpoints",
    "CreateStep",
    "Files",
    "FineTuning",
    "Graders",
    "JobCheckpoints",
    "Jobs",
    "Models",
    "Pager",
    "Permissions",
    "PollOptions",
    "RequestOptions",
    "Uploads",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            ".checkpoints": ["Checkpoints", "JobCheckpoints", "Permissions"],
            ".files.files": ["Files"],
            ".files.uploads": ["Uploads"],
            ".fine_tuning": ["Alpha", "FineTuning"],
            ".graders": ["Graders"],
            ".jobs.creating": ["CreateStep"],
            ".jobs.jobs": ["Jobs"],
            ".models": ["Models"],
            ".options": ["PollOptions", "RequestOptions"],
            ".pager": ["Pager"],
        },
    )
