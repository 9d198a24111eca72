"""What all kinds of graders have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from finetune_client.models.codec import APIObject

__all__ = ["BaseGrader"]


class BaseGrader(APIObject):
    """The base of all graders.

    A new kind is a class of its own with a `TYPE` and its `problems`, and its name in the union
    `Grader` in ``registry.py``.
    """

    __slots__ = ()

    TYPE: ClassVar[str]
    """The `type` of graders of this kind."""
    STANDS_ALONE: ClassVar[bool] = True
    """Whether the API takes it as the grader of a job."""
    STANDS_IN_MULTI: ClassVar[bool] = True
    """Whether the API takes it inside a multi grader."""
    OTHER_KEYS: ClassVar[tuple[str, ...]] = ()
    """Keys that the guides name and the schemas do not, so that no warning names them:
    https://developers.openai.com/api/docs"""

    @staticmethod
    def problems(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
        """Find what makes the JSON form of a grader one that the API would not take.

        Args:
            at: The path that the grader stands at, which each problem begins with.
            grader: The JSON form, which need not come from a model; its `type` is checked already.
        """
        del at, grader
        return iter(())
