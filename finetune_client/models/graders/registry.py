"""The kinds of graders that are known, how any of them is read and checked, and `MultiGrader`.

The union `Grader` is the registry: a class that is added to it is read, checked and known by name
everywhere. `MultiGrader` stands here because it is made of graders of any kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar, Final, get_args

from finetune_client.backports import Self
from finetune_client.display import format_value
from finetune_client.errors import DecodeError
from finetune_client.models.checks import needed_object, needed_text, optional_text
from finetune_client.models.codec import (
    copy_fields,
    pop_model,
    pop_required,
    pop_text,
    to_plain,
    write_fields,
)
from finetune_client.models.graders.base import BaseGrader
from finetune_client.models.graders.model_based import LabelModelGrader, ScoreModelGrader
from finetune_client.models.graders.simple import (
    PythonGrader,
    StringCheckGrader,
    TextSimilarityGrader,
    UnknownGrader,
)

__all__ = ["Grader", "GraderType", "MultiGrader", "grader_problems", "read_grader"]

_MAX_DEPTH = 8
"""Multi graders inside one another that are read as such; the API itself allows none inside."""

_FUNCTIONS = frozenset({"min", "max", "abs", "floor", "ceil", "exp", "sqrt", "log"})
_NUMBER_OR_NAME = re.compile(r"[0-9.]+(?:[eE][-+]?[0-9]+)?|([^\W\d]\w*)")


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class MultiGrader(BaseGrader):
    """Computes one score from those of several graders.

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

    TYPE: ClassVar[str] = "multi"
    STANDS_IN_MULTI: ClassVar[bool] = False
    OTHER_KEYS: ClassVar[tuple[str, ...]] = ("invalid_grade",)
    type: str = TYPE
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
        return cls._read(data, _MAX_DEPTH)

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

    @staticmethod
    def problems(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
        """Find what makes the JSON form one that the API would not take."""
        graders: Any = grader.get("graders")
        formula = grader.get("calculate_output")
        yield from optional_text(f"{at}.name", grader.get("name"), empty=True)
        yield from needed_text(f"{at}.calculate_output", formula)
        problem = _map_problem(graders)
        if problem:
            yield f"{at}.graders: {problem}"
            return
        for name, one in graders.items():
            yield from _child_problems(f"{at}.graders.{name}", one)
        if isinstance(formula, str):
            for name in _unknown_names(formula, graders):
                yield f"{at}.calculate_output: uses {name}, which is not the name of a grader"


Grader = (
    StringCheckGrader
    | TextSimilarityGrader
    | PythonGrader
    | ScoreModelGrader
    | LabelModelGrader
    | MultiGrader
    | UnknownGrader
)

GRADERS: Final[dict[str, type[Grader]]] = {
    kind.TYPE: kind for kind in get_args(Grader) if kind is not UnknownGrader
}
"""By the `type` of their graders."""

GraderType = SimpleNamespace(**{name.upper(): name for name in GRADERS})
"""The known kinds of graders by name: ``grader.type == GraderType.MULTI``."""


def kind_of_grader(grader: Any) -> type[Grader]:
    """Return the class of a plain dict; `UnknownGrader` for what no class is known for."""
    kind = grader.get("type") if isinstance(grader, Mapping) else None
    return GRADERS.get(kind, UnknownGrader) if isinstance(kind, str) else UnknownGrader


def read_grader(data: Mapping[str, Any]) -> Grader:
    """Read the JSON form of a grader of any kind.

    Raises:
        DecodeError: It is not an object, or has no `type`.
    """
    return _read_one(data, _MAX_DEPTH)


def grader_problems(grader: Grader | Mapping[str, Any] | None, at: str = "grader") -> list[str]:
    """List all that is wrong with a grader, each with its path.

    A kind that is not known yet is taken as it is.

    Args:
        grader: The grader, or its plain dict.
        at: The path that it stands at.
    """
    return list(_problems(at, to_plain(grader)))


def _problems(at: str, grader: Any) -> Iterator[str]:
    if not isinstance(grader, Mapping):
        yield from needed_object(at, grader)
        return
    kind = kind_of_grader(grader)
    yield from needed_text(f"{at}.type", grader.get("type"))
    if not kind.STANDS_ALONE:
        yield f'{at}.type: must not be "{kind.TYPE}" here; it stands only inside a multi grader'
    yield from kind.problems(at, grader)


def _child_problems(at: str, grader: Any) -> Iterator[str]:
    if not isinstance(grader, Mapping):
        yield from needed_object(at, grader)
        return
    kind = kind_of_grader(grader)
    yield from needed_text(f"{at}.type", grader.get("type"))
    if kind.STANDS_IN_MULTI:
        missing_name = f"{at}.name: is missing"  # the map names it
        yield from (one for one in kind.problems(at, grader) if one != missing_name)
    else:
        place = "it cannot stand inside another multi grader"
        yield f'{at}.type: must not be "{kind.TYPE}" here; {place}'


def _map_problem(graders: Any) -> str | None:
    if graders is None:
        return "is missing"
    if isinstance(graders, Mapping) and not isinstance(graders.get("type"), str):
        unfit = [name for name in graders if not isinstance(name, str) or not name]
        if unfit:
            return f"each name must be text that is not empty, got {format_value(unfit[0])}"
        return None if graders else "must have at least one grader"
    got = "one grader" if isinstance(graders, Mapping) else format_value(graders)
    return f"must be a map from name to grader, got {got}"


def _unknown_names(formula: str, graders: Mapping[str, Any]) -> list[str]:
    """Return the names in a formula that are neither a grader's nor a function's, each once."""
    odd = sorted((name for name in graders if not name.isidentifier()), key=len, reverse=True)
    if odd:  # the longest first, since one may begin another
        names = "|".join(map(re.escape, odd))
        formula = re.sub(rf"(?<!\w)(?:{names})(?!\w)", " ", formula)
    used = dict.fromkeys(found[1] for found in _NUMBER_OR_NAME.finditer(formula) if found[1])
    return [name for name in used if name not in graders and name not in _FUNCTIONS]


def _read_one(data: Any, depth: int) -> Grader:
    kind = kind_of_grader(data)
    if kind is MultiGrader:
        if depth:
            return MultiGrader._read(data, depth)  # noqa: SLF001 - the same class, with the depth
        kind = UnknownGrader
    return kind.from_dict(data)


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
    names = [_own_name(one) for one in some]
    usable = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return dict(zip(names, some, strict=True)) if usable and some else graders


def _own_name(grader: Any) -> Any:
    """Return the name of one grader; a map of graders has none."""
    if isinstance(grader, Mapping):
        return grader.get("name") if isinstance(grader.get("type"), str) else None
    return getattr(grader, "name", None)
