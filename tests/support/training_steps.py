"""The steps of a training, without what it tells between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.local import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client.local import Training

__all__ = ["steps_of"]


def steps_of(training: Training) -> Iterator[Step]:
    """Train, and yield each step."""
    return (told for told in training.steps() if isinstance(told, Step))
