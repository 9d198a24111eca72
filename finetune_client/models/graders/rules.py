"""What makes a grader one that the API would not take.

https://platform.openai.com/docs/api-reference/graders
https://platform.openai.com/docs/guides/graders
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from finetune_client.display import format_value
from finetune_client.models.checks import (
    choice,
    needed_object,
    needed_text,
    needed_texts,
    number,
    object_at,
    optional_text,
)
from finetune_client.models.codec import to_plain
from finetune_client.providers.limits import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client.models.graders.registry import Grader

__all__ = ["grader_problems"]

OPERATIONS = ("eq", "ne", "like", "ilike")
METRICS = (
    *("cosine", "fuzzy_match", "bleu", "gleu", "meteor"),
    *("rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"),
)
ROLES = ("user", "assistant", "system", "developer")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FUNCTIONS = frozenset({"min", "max", "abs", "floor", "ceil", "exp", "sqrt", "log"})
SAMPLING = {
    "max_completions_tokens": Bounds(least=1, whole=True, auto=False),
    "seed": Bounds(whole=True, auto=False),
    "temperature": Bounds(auto=False),
    "top_p": Bounds(auto=False),
}
LARGEST_SOURCE = 256 * 1000
"""Bytes of a python grader's source."""

NUMBER_OR_NAME = re.compile(r"[0-9.]+(?:[eE][-+]?[0-9]+)?|([^\W\d]\w*)")


def grader_problems(grader: Grader | Mapping[str, Any] | None, at: str = "grader") -> list[str]:
    """List all that is wrong with a grader, each with its path.

    A kind that is not known yet is taken as it is.

    Args:
        grader: The grader, or its plain dict.
        at: The path that it stands at.
    """
    return list(_any(at, to_plain(grader)))


def _any(at: str, grader: Any) -> Iterator[str]:
    if not isinstance(grader, Mapping):
        yield from needed_object(at, grader)
        return
    kind = grader.get("type")
    yield from needed_text(f"{at}.type", kind)
    if kind == "label_model":
        yield f'{at}.type: must not be "label_model" here; it stands only inside a multi grader'
    yield from _inside(at, grader, kind)


def _inside(at: str, grader: Mapping[str, Any], kind: Any) -> Iterator[str]:
    check = CHECKS.get(kind) if isinstance(kind, str) else None
    if check:
        yield from check(at, grader)


def _string_check(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
    yield from needed_text(f"{at}.name", grader.get("name"))
    yield from needed_text(f"{at}.input", grader.get("input"), empty=True)
    yield from needed_text(f"{at}.reference", grader.get("reference"), empty=True)
    yield from choice(f"{at}.operation", grader.get("operation"), OPERATIONS)


def _text_similarity(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
    yield from needed_text(f"{at}.name", grader.get("name"))
    yield from needed_text(f"{at}.input", grader.get("input"), empty=True)
    yield from needed_text(f"{at}.reference", grader.get("reference"), empty=True)
    yield from choice(f"{at}.evaluation_metric", grader.get("evaluation_metric"), METRICS)


def _python(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
    source = grader.get("source")
    yield from optional_text(f"{at}.name", grader.get("name"), empty=True)
    yield from optional_text(f"{at}.image_tag", grader.get("image_tag"), empty=True)
    yield from needed_text(f"{at}.source", source)
    size = len(source.encode(errors="replace")) if isinstance(source, str) else 0
    if size >= LARGEST_SOURCE:
        yield f"{at}.source: must have less than {LARGEST_SOURCE} bytes, got {size}"


def _score_model(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
    yield from needed_text(f"{at}.name", grader.get("name"))
    yield from needed_text(f"{at}.model", grader.get("model"))
    yield from _items(f"{at}.input", grader.get("input"))
    yield from _range(f"{at}.range", grader.get("range"))
    yield from _sampling(f"{at}.sampling_params", grader.get("sampling_params"))


def _label_model(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
    yield from needed_text(f"{at}.name", grader.get("name"))
    yield from needed_text(f"{at}.model", grader.get("model"))
    yield from _items(f"{at}.input", grader.get("input"))
    labels, passing = grader.get("labels"), grader.get("passing_labels")
    wrong = [
        *needed_texts(f"{at}.labels", labels),
        *needed_texts(f"{at}.passing_labels", passing),
    ]
    yield from wrong
    if not wrong and (strange := [one for one in passing or () if one not in (labels or ())]):
        named = ", ".join(format_value(one) for one in strange)
        yield f"{at}.passing_labels: must be some of labels, which lacks {named}"


def _multi(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
    graders: Any = grader.get("graders")
    formula = grader.get("calculate_output")
    yield from optional_text(f"{at}.name", grader.get("name"), empty=True)
    yield from needed_text(f"{at}.calculate_output", formula)
    problem = _no_map(graders)
    if problem:
        yield f"{at}.graders: {problem}"
        return
    for name, one in graders.items():
        yield from _child(f"{at}.graders.{name}", one)
    if isinstance(formula, str):
        for name in _strangers(formula, graders):
            yield f"{at}.calculate_output: uses {name}, which is no grader's name"


def _no_map(graders: Any) -> str | None:
    if graders is None:
        return "is missing"
    if isinstance(graders, Mapping) and not isinstance(graders.get("type"), str):
        unfit = [name for name in graders if not isinstance(name, str) or not name]
        if unfit:
            return f"each name must be text that is not empty, got {format_value(unfit[0])}"
        return None if graders else "must have at least one grader"
    got = "one grader" if isinstance(graders, Mapping) else format_value(graders)
    return f"must be a map from name to grader, got {got}"


def _child(at: str, grader: Any) -> Iterator[str]:
    if not isinstance(grader, Mapping):
        yield from needed_object(at, grader)
        return
    kind = grader.get("type")
    yield from needed_text(f"{at}.type", kind)
    if kind == "multi":
        yield f'{at}.type: must not be "multi" here; it cannot stand inside another multi grader'
    else:
        yield from (one for one in _inside(at, grader, kind) if one != f"{at}.name: is missing")


def _strangers(formula: str, graders: Mapping[str, Any]) -> list[str]:
    """Name what a formula uses that is neither a grader nor a function, each once."""
    odd = sorted((name for name in graders if not name.isidentifier()), key=len, reverse=True)
    if odd:  # the longest first, since one may begin another
        names = "|".join(map(re.escape, odd))
        formula = re.sub(rf"(?<!\w)(?:{names})(?!\w)", " ", formula)
    used = dict.fromkeys(found[1] for found in NUMBER_OR_NAME.finditer(formula) if found[1])
    return [name for name in used if name not in graders and name not in FUNCTIONS]


def _items(at: str, items: Any) -> Iterator[str]:
    if items is None:
        yield f"{at}: is missing"
    elif not isinstance(items, (list, tuple)) or not items:
        yield f"{at}: must be an array of messages, at least one, got {format_value(items)}"
    else:
        for place, one in enumerate(items):
            yield from _item(f"{at}[{place}]", one)


def _item(at: str, item: Any) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield from needed_object(at, item)
        return
    yield from choice(f"{at}.role", item.get("role"), ROLES)
    content = item.get("content")
    if content is None:
        yield f"{at}.content: is missing"
    elif isinstance(content, (list, tuple)):
        for place, one in enumerate(content):
            yield from _piece(f"{at}.content[{place}]", one, "text or an object")
    else:
        yield from _piece(f"{at}.content", content, "text, an object or an array")


def _piece(at: str, piece: Any, kinds: str) -> Iterator[str]:
    if isinstance(piece, Mapping):
        yield from needed_text(f"{at}.type", piece.get("type"))
    elif not isinstance(piece, str):
        yield f"{at}: must be {kinds}, got {format_value(piece)}"


def _range(at: str, ends: Any) -> Iterator[str]:
    if ends is None:
        return
    plain_number = Bounds(auto=False)
    pair = isinstance(ends, (list, tuple)) and len(ends) == 2
    if not pair or any(plain_number.problem(end) for end in ends) or ends[0] >= ends[1]:
        yield f"{at}: must be two numbers, the lower first, got {format_value(ends)}"


def _sampling(at: str, params: Any) -> Iterator[str]:
    yield from object_at(at, params)
    if isinstance(params, Mapping):
        for name, bounds in SAMPLING.items():
            yield from number(f"{at}.{name}", params.get(name), bounds)
        if params.get("reasoning_effort") is not None:
            yield from choice(f"{at}.reasoning_effort", params["reasoning_effort"], EFFORTS)


CHECKS: dict[str, Callable[[str, Mapping[str, Any]], Iterator[str]]] = {
    "string_check": _string_check,
    "text_similarity": _text_similarity,
    "python": _python,
    "score_model": _score_model,
    "label_model": _label_model,
    "multi": _multi,
}
