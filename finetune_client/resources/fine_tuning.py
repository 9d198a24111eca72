"""The official SDK's paths to the same objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune_client.resources.checkpoints import Checkpoints
    from finetune_client.resources.graders import Graders
    from finetune_client.resources.jobs.jobs import Jobs

__all__ = ["Alpha", "FineTuning"]


class Alpha:
    """``client.fine_tuning.alpha``: holds `graders`."""

    __slots__ = ("graders",)

    def __init__(self, graders: Graders) -> None:
        self.graders = graders


class FineTuning:
    """``client.fine_tuning``: the objects of ``client`` under the official SDK's paths."""

    __slots__ = ("alpha", "checkpoints", "jobs")

    def __init__(self, jobs: Jobs, checkpoints: Checkpoints, graders: Graders) -> None:
        self.jobs = jobs
        self.checkpoints = checkpoints
        self.alpha = Alpha(graders)
