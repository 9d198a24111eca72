from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import pytest

from finetune_client.plain_json import find_unwritable, is_unicode

HALF = "\ud800"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": [1, math.nan]}, ("a[1]", "finite")),
        (-math.inf, ("", "finite")),
        ({"a": HALF}, ("a", "unicode")),
        ({"a": ({"b": 10**5000},)}, ("a[0].b", "long")),
        ({"a": b"x"}, ("a", "type")),
        ({"a": MappingProxyType({})}, ("a", "type")),
        ({"a": {None: 1}}, ("a", "key")),
        ({HALF: 1}, ("", "unicode_key")),
    ],
)
def test_find__one_each(value: Any, found: tuple[str, str]) -> None:
    assert [(path, reason) for path, reason, _ in find_unwritable(value)] == [found]


def test_find__names_every_place_and_what_stands_there() -> None:
    value = {"a": [HALF, {1: math.inf}], "b": {2}}
    assert [tuple(one) for one in find_unwritable(value, "x")] == [
        ("x.a[0]", "unicode", HALF),
        ("x.a[1]", "key", 1),
        ("x.a[1].1", "finite", math.inf),
        ("x.b", "type", {2}),
    ]


@pytest.mark.parametrize("value", [None, True, 0, 10**300, 1.5, "é", [], {"a": [{"b": "x"}]}])
def test_find__nothing(value: Any) -> None:
    assert list(find_unwritable(value)) == []


def test_find__to_a_depth() -> None:
    value = [[math.nan], math.nan]
    assert [one.path for one in find_unwritable(value, depth=1)] == ["[1]"]
    endless: list[Any] = []
    endless.append(endless)
    assert list(find_unwritable(endless, depth=64)) == []
    with pytest.raises(RecursionError):
        list(find_unwritable(endless))


@pytest.mark.parametrize(("text", "expected"), [("", True), ("é😀", True), (f"a{HALF}", False)])
def test_is_unicode(text: str, expected: bool) -> None:
    assert is_unicode(text) is expected
