"""The official SDK's paths to the same objects."""

from __future__ import annotations

from finetune_client.lazy import part
from finetune_client.resources.base import Part
from finetune_client.resources.checkpoints import Checkpoints
from finetune_client.resources.graders import Graders
from finetune_client.resources.jobs.jobs import Jobs

__all__ = ["Alpha", "FineTuning"]


class Alpha(Part):
    """``client.fine_tuning.alpha``: holds `graders`."""

    def __init__(self, graders: Graders) -> None:
        self._graders = graders

    @part
    def graders(self) -> Graders:
        """``client.graders``."""
        return self._graders


class FineTuning(Part):
    """``client.fine_tuning``: the objects of ``client`` under the official SDK's paths."""

    def __init__(self, jobs: Jobs, checkpoints: Checkpoints, graders: Graders) -> None:
        self._jobs = jobs
        self._checkpoints = checkpoints
        self._graders = graders

    @part
    def jobs(self) -> Jobs:
        """``client.jobs``."""
        return self._jobs

    @part
    def checkpoints(self) -> Checkpoints:
        """``client.checkpoints``."""
        return self._checkpoints

    @part
    def alpha(self) -> Alpha:
        """What the official SDK calls alpha."""
        return Alpha(self._graders)
