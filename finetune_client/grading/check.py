"""Checking a grader: its type, and the fields that the type needs.

https://platform.openai.com/docs/api-reference/graders
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from finetune_client.grading.formulas import FormulaError, names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["GRADER_TYPES", "GraderError", "check_grader", "children"]

GRADER_TYPES = ("string_check", "text_similarity", "python", "score_model", "multi")
_SIMILARITIES = (
    *("cosine", "fuzzy_match", "bleu", "gleu", "meteor", "rouge_l"),
    *(f"rouge_{size}" for size in range(1, 6)),
)
_LARGEST_SOURCE = 256_000


class GraderError(ValueError):
    """A grader that is not valid, or that cannot be run.

    Attributes:
        message: What is wrong, in a sentence.
        param: The path of the grader, or of the field of it that is wrong.
        code: ``missing_required_parameter``, ``invalid_value``, ``invalid_grader`` or
            ``unsupported_grader``.
    """

    def __init__(self, message: str, param: str, *, code: str = "invalid_grader") -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


def check_grader(grader: object, where: str = "grader", *, inside: bool = False) -> dict[str, Any]:
    """Check that a value is a grader, and return it.

    Args:
        grader: Any JSON value.
        where: Its path, for the message.
        inside: It is a child of a multi grader: ``label_model`` is allowed, ``multi`` is not.

    Raises:
        GraderError: It is not a valid grader.
    """
    if not isinstance(grader, dict):
        got = "nothing" if grader is None else f"a {_KINDS.get(type(grader), 'number')}"
        raise GraderError(
            f"Invalid type for '{where}': expected an object, but got {got} instead.", where
        )
    types = (*GRADER_TYPES[:-1], "label_model") if inside else GRADER_TYPES
    _choice(grader, where, "type", types)
    if grader.get("name") is not None:
        _texts(grader, where, "name")
    _CHECKS[grader["type"]](grader, where)
    return grader


_KINDS: dict[type, str] = {str: "string", list: "list", bool: "boolean"}


def _string_check(grader: Mapping[str, Any], where: str) -> None:
    _texts(grader, where, "name")
    _templates(grader, where, "input", "reference")
    _choice(grader, where, "operation", ("eq", "ne", "like", "ilike"))


def _text_similarity(grader: Mapping[str, Any], where: str) -> None:
    _texts(grader, where, "name")
    _templates(grader, where, "input", "reference")
    _choice(grader, where, "evaluation_metric", _SIMILARITIES)


def _python(grader: Mapping[str, Any], where: str) -> None:
    _texts(grader, where, "source")
    if len(grader["source"].encode("utf-8", "surrogatepass")) > _LARGEST_SOURCE:
        raise GraderError(
            f"'{where}.source' is larger than {_LARGEST_SOURCE} bytes.", f"{where}.source"
        )


def _model(grader: Mapping[str, Any], where: str) -> None:
    _texts(grader, where, "name", "model")
    messages = grader.get("input")
    if not isinstance(messages, list) or not all(_is_message(one) for one in messages):
        raise GraderError(
            f"'{where}.input' must be a list of messages, each with a role and a content.",
            f"{where}.input",
        )


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and "content" in value


def _label_model(grader: Mapping[str, Any], where: str) -> None:
    _model(grader, where)
    labels, passing = grader.get("labels"), grader.get("passing_labels")
    if not isinstance(labels, list) or not isinstance(passing, list):
        raise GraderError(f"'{where}' needs the lists 'labels' and 'passing_labels'.", where)
    if not all(label in labels for label in passing):
        raise GraderError(
            f"'{where}.passing_labels' must be among 'labels'.", f"{where}.passing_labels"
        )


def children(grader: Mapping[str, Any], where: str = "grader") -> dict[str, Any]:
    """Give a multi grader's children by name; a list and a single grader are taken too."""
    given = grader.get("graders")
    if isinstance(given, dict) and isinstance(given.get("type"), str):
        given = [given]
    if isinstance(given, list):
        given = {str(_named(one, place)): one for place, one in enumerate(given)}
    if not isinstance(given, dict) or not given:
        message = f"Invalid type for '{where}.graders': expected an object of named graders."
        raise GraderError(message, f"{where}.graders")
    return given


def _named(child: object, place: int) -> str:
    name = child.get("name") if isinstance(child, dict) else None
    return name if isinstance(name, str) else f"grader_{place}"


def _multi(grader: Mapping[str, Any], where: str) -> None:
    named = children(grader, where)
    for name, child in named.items():
        check_grader(child, f"{where}.graders.{name}", inside=True)
    _texts(grader, where, "calculate_output")
    try:
        unknown = names_in(grader["calculate_output"]) - set(named)
    except FormulaError as error:
        raise GraderError(str(error), f"{where}.calculate_output") from None
    if unknown:
        raise GraderError(
            f"'{where}.calculate_output' names {', '.join(sorted(unknown))}, "
            "which is none of its graders and no function.",
            f"{where}.calculate_output",
        )


def _texts(grader: Mapping[str, Any], where: str, *names: str) -> None:
    for name in names:
        value = _required(grader, where, name)
        if not isinstance(value, str) or not value:
            raise _invalid(f"{where}.{name}", "a string that is not empty", value)


def _choice(grader: Mapping[str, Any], where: str, name: str, options: Sequence[str]) -> None:
    value = _required(grader, where, name)
    if value not in options:
        raise _invalid(f"{where}.{name}", f"one of {', '.join(options)}", value)


def _required(grader: Mapping[str, Any], where: str, name: str) -> Any:
    if grader.get(name) is None:
        path = f"{where}.{name}"
        message = f"Missing required parameter: '{path}'."
        raise GraderError(message, path, code="missing_required_parameter")
    return grader[name]


def _invalid(path: str, expected: str, value: object) -> GraderError:
    message = f"Invalid value for '{path}': expected {expected}, but got {json.dumps(value)[:80]}."
    return GraderError(message, path, code="invalid_value")


def _templates(grader: Mapping[str, Any], where: str, *names: str) -> None:
    for name in names:
        if not isinstance(grader.get(name), str):
            raise GraderError(f"'{where}.{name}' must be a string.", f"{where}.{name}")


_CHECKS: dict[str, Callable[[Mapping[str, Any], str], None]] = {
    "string_check": _string_check,
    "text_similarity": _text_similarity,
    "python": _python,
    "score_model": _model,
    "label_model": _label_model,
    "multi": _multi,
}
