"""The calls of the API: one class a part of it, each an attribute of `Client`."""

from __future__ import annotations

from ._options import Extras, Options
from ._pager import Pager
from .checkpoints import Checkpoints, JobCheckpoints, Permissions
from .files import Files
from .fine_tuning import Alpha, FineTuning
from .graders import Graders
from .jobs import Jobs
from .models import Models
from .uploads import Uploads

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
