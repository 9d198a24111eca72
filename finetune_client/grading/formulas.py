"""``calculate_output`` of a multi grader: numbers, names, ``+ - * / ^`` and eight functions."""

from __future__ import annotations

import ast
import math
import operator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FormulaError", "calculate", "names_in"]

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
}
_LONGEST = 2000


class FormulaError(ValueError):
    """A formula that cannot be read or has no value."""


def calculate(formula: str, values: Mapping[str, float]) -> float:
    """Return the value of the formula.

    Raises:
        FormulaError: It cannot be read, or has no finite value.
    """
    try:
        result = float(_value(_parse(formula), values))
    except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
        raise FormulaError(f"The formula {formula!r} has no value: {error}.") from None
    if not math.isfinite(result):
        raise FormulaError(f"The formula {formula!r} has no finite value.")
    return result


def names_in(formula: str) -> set[str]:
    """Return the names of the formula's variables, and of functions that do not exist.

    Raises:
        FormulaError: It cannot be read.
    """
    names = {node.id for node in ast.walk(_parse(formula)) if isinstance(node, ast.Name)}
    return names - _FUNCTIONS.keys()


def _parse(formula: str) -> ast.expr:
    if len(formula) > _LONGEST:
        raise FormulaError(f"The formula is longer than {_LONGEST} characters.")
    try:
        return ast.parse(formula.strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError(f"The formula {formula!r} cannot be read.") from None


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in {int, float}:
        return float(node.value)  # type: ignore[arg-type]  # the line above has ruled out the rest
    if isinstance(node, ast.Name) and node.id in values:
        return values[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, values), _value(node.right, values)
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand, values)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node.func.id, [_value(one, values) for one in node.args])
    raise FormulaError(f"'{ast.unparse(node)}' is not allowed in a formula")


def _call(name: str, arguments: list[float]) -> float:
    if name not in _FUNCTIONS:
        raise FormulaError(f"there is no function '{name}'")
    return _FUNCTIONS[name](*arguments)
