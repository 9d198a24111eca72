"""Rewards of the samples of a run: those of the very graders that ``graders.run`` uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.grading import PythonGraders, PythonLimits, run_grader
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SampleGrader"]


class SampleGrader:
    """Grades the samples of a run; a sample that cannot be graded has what its grader gives then.

    Args:
        grader: The grader, as the API has it.
        limits: Of each call of a python grader.
        warn: Called with a sentence about the first error of each kind.
    """

    def __init__(
        self, grader: Mapping[str, Any], limits: PythonLimits, warn: Callable[[str], object]
    ) -> None:
        self._grader = grader
        self._python = PythonGraders(limits)
        self._warn = warn
        self._warned_of: set[str] = set()

    def reward(self, sample: str, item: Mapping[str, Any]) -> float:
        """Return the reward of a sample.

        Raises:
            TrainingError: `close` was called, also meanwhile.
        """
        grade = run_grader(self._grader, sample, item, self._python)
        if self._python.is_closed:
            raise TrainingError("The run was ended while its samples were graded.")
        for name in sorted(grade.errors - self._warned_of):
            details = [text for key, text in grade.details.items() if key.startswith(name)]
            what = f"{name}: {' '.join(details)}" if details else name
            self._warn(
                f"The grader had an error with a sample, whose reward is {grade.reward:g} "
                f"({what}). Further errors of this kind are not reported."
            )
        self._warned_of |= grade.errors
        return grade.reward

    def close(self) -> None:
        """End the call that is under way, and what runs python graders; it can be called again."""
        self._python.close()
