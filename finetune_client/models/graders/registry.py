"""A grader of any kind, and the one that is made of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.errors import DecodeError
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_model,
    pop_required,
    pop_text,
    to_plain,
    write_fields,
)
from finetune_client.models.graders.model_based import LabelModelGrader, ScoreModelGrader
from finetune_client.models.graders.simple import (
    PythonGrader,
    StringCheckGrader,
    TextSimilarityGrader,
    UnknownGrader,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

__all__ = ["Grader", "MultiGrader", "read_grader"]

DEEPEST = 8
"""Multi graders inside one another that are read as such; the API itself allows none inside."""


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class MultiGrader(APIObject):
    """Reckons one mark from those of several graders.

    Servers want `graders` as a map. A sequence of graders with names that is given here becomes
    one; what a server sent as an array or as one grader is kept, and given back, in that shape.

    Attributes:
        type: ``multi``.
        name: What it is called.
        graders: Name -> grader; the names are the variables of `calculate_output`.
        calculate_output: A formula such as ``0.5 * a + 0.5 * b``; it knows ``+ - * / ^``, ``min``,
            ``max``, ``abs``, ``floor``, ``ceil``, ``exp``, ``sqrt`` and ``log``.
        extra: Keys that no field has.
    """

    type: str = "multi"
    name: str | None = None
    graders: dict[str, Grader] | list[Grader] | Grader | None = None
    calculate_output: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graders = _as_map(self.graders)

    @property
    def named_graders(self) -> dict[str, Grader]:
        """Name -> grader, in whichever shape they came; those without a name are left out."""
        if isinstance(self.graders, dict):
            return self.graders
        some = self.graders if isinstance(self.graders, list) else [self.graders]
        return {one.name: one for one in some if one is not None and one.name is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form; raises `DecodeError` without a `type`."""
        return cls._read(data, DEEPEST)

    @classmethod
    def _read(cls, data: Mapping[str, Any], depth: int) -> Self:
        rest = copy_fields(cls, data)
        grader = cls(
            type=pop_required(cls, rest, "type"),
            name=pop_text(rest, "name"),
            calculate_output=pop_text(rest, "calculate_output"),
        )
        grader.graders = pop_model(rest, "graders", lambda sent: _read_all(sent, depth - 1))
        grader.extra = rest
        return grader

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "type": self.type,
                "name": self.name,
                "graders": to_plain(self.graders),
                "calculate_output": self.calculate_output,
            },
            self.extra,
        )


Grader = (
    StringCheckGrader
    | TextSimilarityGrader
    | PythonGrader
    | ScoreModelGrader
    | LabelModelGrader
    | MultiGrader
    | UnknownGrader
)

READERS: dict[str, Callable[[Mapping[str, Any]], Grader]] = {
    "string_check": StringCheckGrader.from_dict,
    "text_similarity": TextSimilarityGrader.from_dict,
    "python": PythonGrader.from_dict,
    "score_model": ScoreModelGrader.from_dict,
    "label_model": LabelModelGrader.from_dict,
}


def read_grader(data: Mapping[str, Any]) -> Grader:
    """Read the JSON form of a grader of any kind.

    Raises:
        DecodeError: It is no object, or has no `type`.
    """
    return _read_one(data, DEEPEST)


def _read_one(data: Any, depth: int) -> Grader:
    kind = data.get("type") if isinstance(data, Mapping) else None
    if kind == "multi" and depth:
        return MultiGrader._read(data, depth)  # noqa: SLF001 - the same thing, with the depth
    read = READERS.get(kind) if isinstance(kind, str) else None
    return (read or UnknownGrader.from_dict)(data)


def _read_all(sent: Any, depth: int) -> dict[str, Grader] | list[Grader] | Grader:
    if isinstance(sent, (list, tuple)):
        return [_read_one(one, depth) for one in sent]
    if not isinstance(sent, Mapping):
        raise DecodeError(f"Cannot read graders: got {type(sent).__name__}.")
    if isinstance(sent.get("type"), str):
        return _read_one(sent, depth)
    return {name: _read_one(one, depth) for name, one in sent.items()}


def _as_map(graders: Any) -> Any:
    """Name a sequence of graders, or a single one, by their names, if each has its own."""
    some = list(graders) if isinstance(graders, (list, tuple)) else [graders]
    names = [_name(one) for one in some]
    usable = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return dict(zip(names, some, strict=True)) if usable and some else graders


def _name(grader: Any) -> Any:
    """The name of one grader; a map of graders has none."""
    if isinstance(grader, Mapping):
        return grader.get("name") if isinstance(grader.get("type"), str) else None
    return getattr(grader, "name", None)
