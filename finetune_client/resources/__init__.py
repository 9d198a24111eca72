"""The calls of the API: one class a part of it, each an attribute of `Client`."""

from __future__ import annotations

from finetune_client.resources.checkpoints import Checkpoints, JobCheckpoints, Permissions
from finetune_client.resources.files.files import Files
from finetune_client.resources.files.uploads import Uploads
from finetune_client.resources.fine_tuning import Alpha, FineTuning
from finetune_client.resources.graders import Graders
from finetune_client.resources.jobs.jobs import Jobs
from finetune_client.resources.models import Models
from finetune_client.resources.options import Extras, Options
from finetune_client.resources.pager import Pager

__all__ = [
    "Alpha",
    "Checkpoints",
    "Extras",
    "Files",
    "FineTuning",
    "Graders",
    "JobCheckpoints",
    "Jobs",
    "Models",
    "Options",
    "Pager",
    "Permissions",
    "Uploads",
]
