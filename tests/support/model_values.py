"""Values of every model, made from the models' own fields, so that no field can be forgotten."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from finetune_client import models
from finetune_client.errors import DecodeError
from finetune_client.models.codec import NOT_A_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MODELS",
    "corrupted",
    "given",
    "json_values",
    "leaves",
    "required_keys",
    "values",
    "wire_fields",
]

MODELS: list[Any] = [
    found
    for name in dir(models)
    if is_dataclass(found := getattr(models, name)) and hasattr(found, "from_dict")
]
"""Every class of `models` that can be read and written, each once; see `Page` apart."""
MODELS = [one for one in dict.fromkeys(MODELS) if one is not models.Page]

NAMES = {name: getattr(models, name) for name in dir(models)} | {
    "Mapping": Mapping,
    "Sequence": Sequence,
    "ClassVar": ClassVar,
}

atoms = st.one_of(
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.just("auto"),
)
keys = st.sampled_from(["type", "id", "name", "", "x y"]) | st.text(max_size=4)
flat = st.none() | atoms
json_values: st.SearchStrategy[Any] = st.one_of(
    flat,
    st.lists(flat, max_size=2),
    st.dictionaries(keys, flat, max_size=2),
    st.lists(st.dictionaries(keys, flat, max_size=2), max_size=2),
    st.dictionaries(keys, st.lists(flat, max_size=2) | st.dictionaries(keys, flat, max_size=1)),
)
objects = st.dictionaries(st.text(max_size=6), json_values, max_size=2)
foreign = st.dictionaries(st.sampled_from(["x_one", "x_two"]), json_values, max_size=2)


@cache
def wire_fields(what: type) -> list[str]:
    """Name the fields that stand on the wire."""
    own = (one for one in fields(what) if one.init and one.metadata != NOT_A_KEY)
    return [one.name for one in own if one.name != "extra"]


@cache
def required_keys(what: Any) -> frozenset[str]:
    """Name the keys that cannot be missing."""
    return _needed(what, frozenset())


def _needed(what: Any, found: frozenset[str]) -> frozenset[str]:
    try:
        what.from_dict(dict.fromkeys(found, "x"))
    except DecodeError as error:
        return _needed(what, found | {error.path})
    return found


@cache
def given(what: Any, depth: int = 3) -> st.SearchStrategy[Any]:
    """Make a value that has every field."""
    hints = get_type_hints(what, localns=NAMES)
    parts = {name: _of(hints[name], depth) for name in wire_fields(what)} | {"extra": foreign}
    if what.__dataclass_fields__.get("type") and isinstance(_default(what, "type"), str):
        parts["type"] = st.just(_default(what, "type"))
    return st.builds(what, **parts)


@cache
def values(what: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Make the JSON form of a value that has every field."""
    return given(what).map(lambda value: typing.cast(dict[str, Any], value.to_dict()))


def _default(what: Any, name: str) -> Any:
    return what.__dataclass_fields__[name].default


def _of(hint: Any, depth: int) -> st.SearchStrategy[Any]:
    """Make a value of a type, but never `None`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return _one_of(arguments, depth)
    if origin in {list, Sequence}:
        return st.lists(_of(arguments[0], depth - 1), max_size=2)
    if origin in {dict, Mapping}:
        return st.dictionaries(st.text(max_size=6), _of(arguments[1], depth - 1), max_size=2)
    if is_dataclass(hint):
        what: Any = hint
        return st.deferred(lambda: given(what, depth - 1))
    return PLAIN[hint]


def _one_of(options: tuple[Any, ...], depth: int) -> st.SearchStrategy[Any]:
    """Choose among types; a plain mapping only where there is no type for it."""
    some = [one for one in options if one is not type(None)]
    if any(is_dataclass(one) for one in some):
        some = [one for one in some if get_origin(one) is not Mapping]
    if depth <= 0:
        some = [one for one in some if one is not models.MultiGrader]
    return st.one_of([_of(one, depth) for one in some])


PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(-(10**20), 10**20),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20),
    bool: st.booleans(),
    models.Auto: st.just(models.AUTO),
    Any: atoms | objects,
}


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give each value that is not null, with its place and its kind; whole numbers are one kind."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*at, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from leaves(one, (*at, place))
    elif value is not None:
        yield (*at, isinstance(value, bool), value)


@cache
def corrupted(what: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Make the JSON form of a value in which anything stands at some places."""
    return _corrupted(what)


@st.composite
def _corrupted(draw: st.DrawFn, what: Any) -> dict[str, Any]:
    data = draw(values(what))
    for _ in range(draw(st.integers(1, 3))):
        _corrupt(draw, data, required_keys(what))
    return data


def _corrupt(draw: st.DrawFn, data: dict[str, Any], keep: frozenset[str]) -> None:
    holder: Any = data
    key: Any = draw(st.sampled_from(sorted(set(data) - keep)) if set(data) - keep else st.none())
    while key is not None and isinstance(holder[key], (dict, list)) and holder[key]:
        if draw(st.booleans()):
            break
        holder = holder[key]
        keys = sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = draw(st.sampled_from(keys))
    if key is not None:
        holder[key] = draw(json_values)
