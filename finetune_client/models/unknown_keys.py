"""Keys in a user's dicts that no field knows: most are misspelt, some are a provider's own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeAlias, cast, get_args

from finetune_client import models
from finetune_client.caller import warn_caller
from finetune_client.errors import UnknownFieldWarning
from finetune_client.models.codec import APIObject
from finetune_client.models.graders.base import BaseGrader
from finetune_client.models.hyperparameters import (
    DpoHyperparameters,
    Hyperparameters,
    ReinforcementHyperparameters,
)
from finetune_client.models.job_request import FineTuningJobRequest
from finetune_client.providers import Provider, find_provider

__all__ = ["unknown_fields", "warn_unknown_fields"]

_SIMILAR = 0.7
"""How similar a known name must be to be suggested."""
_VERY_SIMILAR = 0.8
"""How similar a key in an `extra` must be to be taken for a misspelling; other keys there are meant."""
_Keys: TypeAlias = "Mapping[type[APIObject], frozenset[str]]"
_CLASS_NAME = re.compile(r"\b[A-Z]\w+")


def unknown_fields(
    request: FineTuningJobRequest | Mapping[str, Any],
    what: type[APIObject] = FineTuningJobRequest,
    *,
    provider: str | Provider = "openai",
) -> list[str]:
    """Name the keys that no field knows, each with its path and the nearest known name.

    In a plain dict every such key is named. What stands in the `extra` of a model was put there
    on purpose, so it is named only if it looks misspelt.

    Args:
        request: The request, or its plain dict.
        what: What it is.
        provider: Whose keys are known beside the API's own: a provider, or its name.

    Raises:
        ConfigurationError: There is no provider of this name.
    """
    return list(_walk("", request, what, _keys_of(find_provider(provider))))


def warn_unknown_fields(
    request: FineTuningJobRequest | Mapping[str, Any], *, provider: str | Provider = "openai"
) -> None:
    """Warn of each unknown key, at the line outside this package that led here.

    Args:
        request: The request, or its plain dict.
        provider: See `unknown_fields`.

    Warns:
        UnknownFieldWarning: The key is sent all the same.
    """
    for text in unknown_fields(request, provider=provider):
        warn_caller(text, UnknownFieldWarning)


def _keys_of(provider: Provider) -> _Keys:
    """Return the keys that only this provider has, by the class of the object they stand in."""
    settings = (Hyperparameters, DpoHyperparameters, ReinforcementHyperparameters)
    return {
        FineTuningJobRequest: provider.own_fields,
        **dict.fromkeys(settings, provider.known_hyperparameters),
    }


def _walk(at: str, value: Any, what: type[APIObject], keys: _Keys) -> Iterator[str]:
    """Check what stands at a place, one object or an array of them."""
    if isinstance(value, (list, tuple)):
        for place, one in enumerate(value):
            yield from _walk(f"{at}[{place}]", one, what, keys)
    elif isinstance(value, (APIObject, Mapping)):
        kind = _kind_of_grader(value) if issubclass(what, BaseGrader) else what
        if kind:
            yield from _check_keys(at, value, kind, keys.get(kind, frozenset()))
            yield from _check_nested(at, value, kind, keys)


def _check_keys(
    at: str, value: APIObject | Mapping[str, Any], what: type[APIObject], others: frozenset[str]
) -> Iterator[str]:
    names, type_ = [*_names(what), *sorted(others)], _get(value, "type")
    keys, similar = (
        (_get(value, "extra"), _VERY_SIMILAR) if isinstance(value, APIObject) else (value, _SIMILAR)
    )
    for key in keys:
        if key in names or key == type_:
            continue
        place = _join(at, str(key))
        near = difflib.get_close_matches(str(key), names, 1, similar) or _below(key, what, type_)
        if near:
            yield f"{place}: did you mean {near[0]}? No field has this name here; it is sent as given."
        elif similar == _SIMILAR:
            yield f"{place}: no field has this name; it is sent as given."


def _check_nested(at: str, value: Any, what: type[APIObject], keys: _Keys) -> Iterator[str]:
    for key, kind in _nested(what).items():
        place, child = _join(at, key), _get(value, key)
        if issubclass(kind, BaseGrader) and issubclass(what, BaseGrader):
            yield from _check_children(place, child, keys)
        else:
            yield from _walk(place, child, kind, keys)


def _check_children(at: str, graders: Any, keys: _Keys) -> Iterator[str]:
    """Check the graders in a multi grader, which the API takes as a map only."""
    if isinstance(graders, Mapping) and not isinstance(graders.get("type"), str):
        for name, one in graders.items():
            kind = _kind_of_grader(one)
            if kind and kind.STANDS_IN_MULTI:
                yield from _walk(f"{at}.{name}", one, kind, keys)


def _below(key: Any, what: type[APIObject], type_: Any) -> list[str]:
    """Find a key where it belongs, one level down; under the key that `type` names, if it can."""
    homes = [
        name
        for name, kind in _nested(what).items()
        if not issubclass(kind, BaseGrader) and key in _names(kind)
    ]
    return [f"{type_ if type_ in homes else home}.{key}" for home in homes[:1]]


def _names(what: type[APIObject]) -> list[str]:
    own = [one.name for one in fields(cast(Any, what)) if one.name != "extra"]
    return [*own, *(what.OTHER_KEYS if issubclass(what, BaseGrader) else ())]


def _nested(what: type[APIObject]) -> dict[str, type[APIObject]]:
    """Return the fields that hold models, each with their class, as the annotations say.

    The first class of a union counts: the others are short forms of it, or graders of other kinds.
    """
    found: dict[str, type[APIObject]] = {}
    for one in fields(cast(Any, what)):
        for name in _CLASS_NAME.findall(str(one.type)):
            named = getattr(models, name, None)
            kind = next(iter(get_args(named)), named)
            if isinstance(kind, type) and issubclass(kind, APIObject):
                found.setdefault(one.name, kind)
    return found


def _kind_of_grader(value: Any) -> type[BaseGrader] | None:
    """Return the class that the `type` of a grader names, if it is known."""
    from finetune_client.models.graders.registry import GRADERS  # many modules, for few jobs

    kind = _get(value, "type")
    return GRADERS.get(kind) if isinstance(kind, str) else None


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
