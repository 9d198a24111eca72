"""Whether a grader is one: its type, and the fields that the type needs.

https://platform.openai.com/docs/api-reference/graders
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.local.grading.formulas import FormulaError, names_in
from finetune_client.local.http.errors import WireError
from finetune_client.local.http.request_fields import choice, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["GRADER_TYPES", "check_grader", "children"]

GRADER_TYPES = ("string_check", "text_similarity", "python", "score_model", "multi")
_SIMILARITIES = (
    *("cosine", "fuzzy_match", "bleu", "gleu", "meteor", "rouge_l"),
    *(f"rouge_{size}" for size in range(1, 6)),
)
_LARGEST_SOURCE = 256_000


def check_grader(grader: object, where: str = "grader", *, inside: bool = False) -> dict[str, Any]:
    """Refuse what is no grader with a 400 that names the place; give it back otherwise.

    Args:
        grader: What the request holds.
        where: Its path, for the message.
        inside: It is a child of a multi grader: ``label_model`` is allowed, ``multi`` is not.
    """
    if not isinstance(grader, dict):
        got = "nothing" if grader is None else f"a {_KINDS.get(type(grader), 'number')}"
        raise _bad(f"Invalid type for '{where}': expected an object, but got {got} instead.", where)
    types = (*GRADER_TYPES[:-1], "label_model") if inside else GRADER_TYPES
    kind = choice(grader, "type", types, where=f"{where}.", required=True)
    text(grader, "name", where=f"{where}.")
    _CHECKS[kind](grader, where)
    return grader


_KINDS: dict[type, str] = {str: "string", list: "list", bool: "boolean"}


def _bad(message: str, where: str) -> WireError:
    return WireError(400, message, code="invalid_grader", param=where)


def _string_check(grader: Mapping[str, Any], where: str) -> None:
    _texts(grader, where, "name")
    _templates(grader, where, "input", "reference")
    choice(grader, "operation", ("eq", "ne", "like", "ilike"), where=f"{where}.", required=True)


def _text_similarity(grader: Mapping[str, Any], where: str) -> None:
    _texts(grader, where, "name")
    _templates(grader, where, "input", "reference")
    choice(grader, "evaluation_metric", _SIMILARITIES, where=f"{where}.", required=True)


def _python(grader: Mapping[str, Any], where: str) -> None:
    _texts(grader, where, "source")
    if len(grader["source"].encode("utf-8", "surrogatepass")) > _LARGEST_SOURCE:
        raise _bad(f"'{where}.source' is larger than {_LARGEST_SOURCE} bytes.", f"{where}.source")


def _model(grader: Mapping[str, Any], where: str) -> None:
    _texts(grader, where, "name", "model")
    messages = grader.get("input")
    if not isinstance(messages, list) or not all(_is_message(one) for one in messages):
        raise _bad(
            f"'{where}.input' must be a list of messages, each with a role and a content.",
            f"{where}.input",
        )


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and "content" in value


def _label_model(grader: Mapping[str, Any], where: str) -> None:
    _model(grader, where)
    labels, passing = grader.get("labels"), grader.get("passing_labels")
    if not isinstance(labels, list) or not isinstance(passing, list):
        raise _bad(f"'{where}' needs the lists 'labels' and 'passing_labels'.", where)
    if not all(label in labels for label in passing):
        raise _bad(f"'{where}.passing_labels' must be among 'labels'.", f"{where}.passing_labels")


def children(grader: Mapping[str, Any], where: str = "grader") -> dict[str, Any]:
    """Give a multi grader's children by name; a list and a single grader are taken too."""
    given = grader.get("graders")
    if isinstance(given, dict) and isinstance(given.get("type"), str):
        given = [given]
    if isinstance(given, list):
        given = {str(_named(one, place)): one for place, one in enumerate(given)}
    if not isinstance(given, dict) or not given:
        message = f"Invalid type for '{where}.graders': expected an object of named graders."
        raise _bad(message, f"{where}.graders")
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
        raise _bad(str(error), f"{where}.calculate_output") from None
    if unknown:
        raise _bad(
            f"'{where}.calculate_output' names {', '.join(sorted(unknown))}, "
            "which is none of its graders and no function.",
            f"{where}.calculate_output",
        )


def _texts(grader: Mapping[str, Any], where: str, *names: str) -> None:
    for name in names:
        text(grader, name, where=f"{where}.", required=True)


def _templates(grader: Mapping[str, Any], where: str, *names: str) -> None:
    for name in names:
        if not isinstance(grader.get(name), str):
            raise _bad(f"'{where}.{name}' must be a string.", f"{where}.{name}")


_CHECKS: dict[str, Callable[[Mapping[str, Any], str], None]] = {
    "string_check": _string_check,
    "text_similarity": _text_similarity,
    "python": _python,
    "score_model": _model,
    "label_model": _label_model,
    "multi": _multi,
}
