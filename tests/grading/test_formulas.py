from __future__ import annotations

import pytest

from finetune_client.grading.formulas import FormulaError, calculate, names_in


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("a + b * 2", 7.0),
        ("2 ^ b", 8.0),
        ("-a / 4", -0.25),
        ("min(a, b) + max(a, b, 9)", 10.0),
        ("floor(2.5) + ceil(2.5) + abs(-1) + sqrt(4) + exp(0) + log(1)", 9.0),
    ],
)
def test_formula(formula: str, value: float) -> None:
    assert calculate(formula, {"a": 1.0, "b": 3.0}) == value


@pytest.mark.parametrize(
    "formula",
    [
        "a.b",
        "a[0]",
        "__import__('os')",
        "lambda: 1",
        "'x' * 9",
        "c",
        "9 ^ 9 ^ 9 ^ 9",
        "1 / 0",
        "log(-1)",
        "True",
        "a if a else b",
        "(" * 500,
        "a + " * 600 + "a",
        "a+" * 999 + "a",
        "min()",
        "",
    ],
)
def test_formula__without_a_value(formula: str) -> None:
    with pytest.raises(FormulaError):
        calculate(formula, {"a": 1.0, "b": 3.0})


def test_formula__names() -> None:
    assert names_in("max(a, min(b, 2)) + a") == {"a", "b"}
    many = {f"{letter}{number}" for number in range(50) for letter in "ab"}
    formula = " + ".join(f"max(a{number}, b{number})" for number in range(50))
    for _ in range(20):
        assert names_in(formula) == many


def test_formula__has_a_finite_value() -> None:
    with pytest.raises(FormulaError, match="has no finite value"):
        calculate("a * 10", {"a": 1e308})
