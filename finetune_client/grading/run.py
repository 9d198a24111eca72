"""Running the graders that need nothing but the texts: string checks, similarities, formulas."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.grading.check import GraderError, children
from finetune_client.grading.formulas import FormulaError, calculate
from finetune_client.grading.similarity import METRICS, similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Grade", "check_runnable", "grade"]

_TEMPLATE = re.compile(r"\{\{([^{}]*)\}\}")
_LONGEST = 10_000


@dataclass(slots=True)
class Grade:
    """What a grader gave: the reward, that of each child, and which errors there were."""

    reward: float
    children: dict[str, float] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)


class _UnknownVariableError(LookupError):
    pass


def check_runnable(grader: Mapping[str, Any], where: str = "grader") -> None:
    """Check that a valid grader can be run here.

    Raises:
        GraderError: It cannot: it would need a model, or would run a request's code.
    """
    reason = _unsupported(grader)
    if reason is not None:
        raise GraderError(reason, where, code="unsupported_grader")


def _unsupported(grader: Mapping[str, Any]) -> str | None:
    kind = grader["type"]
    if kind == "multi":
        reasons = (_unsupported(child) for child in children(grader).values())
        return next((reason for reason in reasons if reason is not None), None)
    if kind == "text_similarity" and grader["evaluation_metric"] not in METRICS:
        return f"The metric '{grader['evaluation_metric']}' is not available on the local server."
    if kind in {"string_check", "text_similarity"}:
        return None
    return (
        f"A grader of type '{kind}' is not run by the local server: it would need a model or "
        "would run a request's code. Use string_check, text_similarity or a multi grader of them."
    )


def grade(grader: Mapping[str, Any], sample: str, item: Mapping[str, Any]) -> Grade:
    """Run a grader that `check_runnable` accepts. What goes wrong gives 0."""
    if grader["type"] == "multi":
        return _multi(grader, sample, item)
    spaces = {"item": item, "sample": _Sample(sample)}
    try:
        said, reference = (_fill(grader[name], spaces) for name in ("input", "reference"))
    except _UnknownVariableError:
        return Grade(0.0, errors={"invalid_variable_error"})
    except (ValueError, RecursionError):
        return Grade(0.0, errors={"sample_parse_error"})
    if grader["type"] == "string_check":
        return Grade(float(_CHECKS[grader["operation"]](said, reference)))
    return _alike(grader["evaluation_metric"], said, reference)


def _alike(metric: str, said: str, reference: str) -> Grade:
    """Compare the beginnings of the texts: the time it takes grows with the square."""
    reward = similarity(metric, said[:_LONGEST], reference[:_LONGEST])
    cut = max(len(said), len(reference)) > _LONGEST
    return Grade(reward, errors={"truncated_observation_error"} if cut else set())


def _multi(grader: Mapping[str, Any], sample: str, item: Mapping[str, Any]) -> Grade:
    grades = {name: grade(child, sample, item) for name, child in children(grader).items()}
    rewards = {name: one.reward for name, one in grades.items()}
    errors = {error for one in grades.values() for error in one.errors}
    try:
        total = calculate(grader["calculate_output"], rewards)
    except FormulaError:
        return Grade(0.0, rewards, errors | {"formula_parse_error"})
    return Grade(total, rewards, errors)


class _Sample:
    """The namespace ``sample``; its JSON is read only when asked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get(self, name: str) -> Any:
        if name == "output_json":
            return json.loads(self._text)
        return {"output_text": self._text}.get(name)


def _fill(template: str, spaces: Mapping[str, Any]) -> str:
    return _TEMPLATE.sub(lambda found: _shown(_look_up(found[1].strip(), spaces)), template)


def _look_up(path: str, spaces: Mapping[str, Any]) -> Any:
    value: Any = spaces
    for name in path.split("."):
        if isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 9:
            value = dict(enumerate(value)).get(int(name))
        elif isinstance(value, dict | _Sample):
            value = value.get(name)
        else:
            value = None
        if value is None:
            raise _UnknownVariableError(path)
    return value


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_CHECKS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda said, reference: said == reference,
    "ne": lambda said, reference: said != reference,
    "like": lambda said, reference: reference in said,
    "ilike": lambda said, reference: reference.lower() in said.lower(),
}
