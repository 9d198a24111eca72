from __future__ import annotations

from typing import Any

import pytest

from finetune_client.display import counted, format_value, short_repr


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (0.00001, "0.00001"),
        (1e-12, "1e-12"),
        (1e30, "1e+30"),
        (True, "True"),
        ("x", "'x'"),
        pytest.param(10**5000, "a number of thousands of digits", id="long"),
    ],
)
def test_format_value(value: Any, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 jobs"), (1, "1 job"), (2, "2 jobs"), (12345, "12,345 jobs")],
)
def test_counted(number: int, text: str) -> None:
    assert counted(number, "job") == text


def test_short_repr__cuts_what_is_long_or_deep() -> None:
    deep: Any = "innermost"
    for _ in range(100):
        deep = [deep]
    assert len(short_repr("x" * 1000)) == 80
    assert len(short_repr(list(range(1000)))) < 240
    assert "innermost" not in short_repr(deep)
