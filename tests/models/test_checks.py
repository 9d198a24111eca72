from __future__ import annotations

import math
from typing import Any

import pytest

from finetune_client.models.checks import (
    choice,
    needed_object,
    needed_text,
    needed_texts,
    number,
    object_at,
    optional_text,
    unsendable,
)
from finetune_client.providers.request_limits import Bounds

LIMIT = Bounds(least=1, whole=True, auto=False)


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        (needed_text("a", None), ["a: is missing"]),
        (needed_text("a", 5), ["a: must be text, got 5"]),
        (needed_text("a", " "), ["a: must not be empty"]),
        (needed_text("a", "", empty=True), []),
        (needed_text("a", "x"), []),
        (optional_text("a", None), []),
        (optional_text("a", ""), ["a: must not be empty"]),
        (optional_text("a", "", empty=True), []),
        (choice("a", None, ("x", "y")), ["a: is missing"]),
        (choice("a", "z", ("x", "y")), ["a: must be one of x, y, got 'z'"]),
        (choice("a", ["x"], ("x", "y")), ["a: must be one of x, y, got ['x']"]),
        (choice("a", "y", ("x", "y")), []),
        (number("a", None, LIMIT), []),
        (number("a", 0, LIMIT), ["a: must be >= 1, got 0"]),
        (number("a", True, LIMIT), ["a: must be a whole number, got True"]),
        (object_at("a", None), []),
        (object_at("a", [1]), ["a: must be an object, got [1]"]),
        (needed_object("a", None), ["a: is missing"]),
        (needed_object("a", {}), []),
        (needed_texts("a", None), ["a: is missing"]),
        (needed_texts("a", []), ["a: must be an array of texts, at least one, got []"]),
        (needed_texts("a", "x"), ["a: must be an array of texts, at least one, got 'x'"]),
        (needed_texts("a", ["x", 5, ""]), ["a[1]: must be text, got 5", "a[2]: must not be empty"]),
        (unsendable("a", {"b": [math.inf]}), ["a.b[0]: must be a finite number, got inf"]),
        (
            unsendable("", {"b": "\udcc3"}),
            ["b: must be valid Unicode, got '\\udcc3'; was it read in another encoding?"],
        ),
        (unsendable("a", {"\udcc3": 1}), ["a: each key must be valid Unicode, got '\\udcc3'"]),
        (unsendable("a", {1: {2}}), ["a.1: cannot be written as JSON, got {2}"]),
    ],
)
def test_check(problems: Any, expected: list[str]) -> None:
    assert list(problems) == expected
