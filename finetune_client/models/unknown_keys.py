"""Keys in a user's dicts that no field knows: most are misspelt, some are a provider's own."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from finetune_client.errors import UnknownFieldWarning
from finetune_client.models.codec import APIObject
from finetune_client.models.graders.eval_items import EvalItem
from finetune_client.models.graders.model_based import (
    LabelModelGrader,
    SamplingParams,
    ScoreModelGrader,
)
from finetune_client.models.graders.registry import MultiGrader
from finetune_client.models.graders.simple import (
    PythonGrader,
    StringCheckGrader,
    TextSimilarityGrader,
)
from finetune_client.models.hyperparameters import (
    DpoHyperparameters,
    Hyperparameters,
    ReinforcementHyperparameters,
)
from finetune_client.models.integrations import Integration, WandbIntegration
from finetune_client.models.job_request import FineTuningJobRequest
from finetune_client.models.methods import (
    DpoMethod,
    FineTuningMethod,
    ReinforcementMethod,
    SupervisedMethod,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["unknown_fields", "warn_unknown_fields"]

ALIKE = 0.7
"""How alike a name must be to be named."""
VERY_ALIKE = 0.8
"""How alike a key in an `extra` must be to be taken for a slip; the rest is meant."""

GRADERS: dict[str, type[APIObject]] = {
    "string_check": StringCheckGrader,
    "text_similarity": TextSimilarityGrader,
    "python": PythonGrader,
    "score_model": ScoreModelGrader,
    "label_model": LabelModelGrader,
    "multi": MultiGrader,
}
IN_THE_GUIDE: dict[type[APIObject], list[str]] = {
    TextSimilarityGrader: ["pass_threshold"],
    ScoreModelGrader: ["pass_threshold"],
    MultiGrader: ["invalid_grade"],
}
"""Keys that the guides name and the schemas do not: https://platform.openai.com/docs/guides/graders"""
INSIDE: dict[type[APIObject], dict[str, type[APIObject] | None]] = {
    FineTuningJobRequest: {
        "method": FineTuningMethod,
        "hyperparameters": Hyperparameters,
        "integrations": Integration,
    },
    FineTuningMethod: {
        "supervised": SupervisedMethod,
        "dpo": DpoMethod,
        "reinforcement": ReinforcementMethod,
    },
    SupervisedMethod: {"hyperparameters": Hyperparameters},
    DpoMethod: {"hyperparameters": DpoHyperparameters},
    ReinforcementMethod: {"hyperparameters": ReinforcementHyperparameters, "grader": None},
    Integration: {"wandb": WandbIntegration},
    ScoreModelGrader: {"input": EvalItem, "sampling_params": SamplingParams},
    LabelModelGrader: {"input": EvalItem},
}
"""What stands under which key; `None` is a grader, whose own `type` tells."""


def unknown_fields(
    request: FineTuningJobRequest | Mapping[str, Any], what: type[APIObject] = FineTuningJobRequest
) -> list[str]:
    """Name the keys that no field knows, each with its path and the nearest known name.

    In a plain dict every such key is named. What stands in the `extra` of a model was put there
    on purpose, so it is named only if it looks like a slip of the pen.

    Args:
        request: The request, or its plain dict.
        what: What it is.
    """
    return list(_walk("", request, what))


def warn_unknown_fields(request: FineTuningJobRequest | Mapping[str, Any]) -> None:
    """Warn of each unknown key, at the line outside this package that led here.

    Warns:
        UnknownFieldWarning: The key is sent all the same.
    """
    for text in unknown_fields(request):
        warnings.warn(text, UnknownFieldWarning, stacklevel=_level())


def _level() -> int:
    """Count the frames from `warn_unknown_fields` up to the caller's own code."""
    package = __name__.partition(".")[0]
    frame = inspect.currentframe()
    frame, level = frame.f_back if frame else None, 1
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level


def _walk(at: str, value: Any, what: type[APIObject] | None) -> Iterator[str]:
    """Look at what stands at a place, one thing or an array of them."""
    if isinstance(value, (list, tuple)):
        for place, one in enumerate(value):
            yield from _walk(f"{at}[{place}]", one, what)
    elif isinstance(value, (APIObject, Mapping)):
        found = what or _grader(value)
        if found:
            yield from _look(at, value, found)


def _look(at: str, value: APIObject | Mapping[str, Any], what: type[APIObject]) -> Iterator[str]:
    names, kind = _names(what), _get(value, "type")
    keys, alike = (
        (_get(value, "extra"), VERY_ALIKE) if isinstance(value, APIObject) else (value, ALIKE)
    )
    for key in keys:
        if key not in names and key != kind:
            near = difflib.get_close_matches(str(key), names, 1, alike) or _below(key, what, kind)
            yield from _unknown(_join(at, str(key)), near, named=alike == ALIKE)
    if what is MultiGrader:
        yield from _children(_join(at, "graders"), _get(value, "graders"))
    for key, kind in INSIDE.get(what, {}).items():
        yield from _walk(_join(at, key), _get(value, key), kind)


def _unknown(at: str, near: list[str], *, named: bool) -> Iterator[str]:
    if near:
        yield f"{at}: did you mean {near[0]}? No field has this name here; it is sent as given."
    elif named:
        yield f"{at}: no field has this name; it is sent as given."


def _below(key: Any, what: type[APIObject], kind: Any) -> list[str]:
    """Find a key where it belongs, one level down; under the key that `type` names, if it can."""
    inside = INSIDE.get(what, {})
    homes = [name for name, one in inside.items() if one is not None and key in _names(one)]
    return [f"{kind if kind in homes else home}.{key}" for home in homes[:1]]


def _names(what: type[APIObject]) -> list[str]:
    own = [one.name for one in fields(cast(Any, what)) if one.name != "extra"]
    return [*own, *IN_THE_GUIDE.get(what, [])]


def _children(at: str, graders: Any) -> Iterator[str]:
    if isinstance(graders, Mapping) and not isinstance(graders.get("type"), str):
        for name, one in graders.items():
            if _grader(one) is not MultiGrader:
                yield from _walk(f"{at}.{name}", one, None)


def _grader(value: Any) -> type[APIObject] | None:
    kind = _get(value, "type")
    return GRADERS.get(kind) if isinstance(kind, str) else None


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
