"""Small changes of a module's source, each of which a test ought to notice.

A change is a piece of text in place of another, so that all else, the numbers of the lines too,
stays as it is. Left alone are annotations, docstrings, decorators, what is for type checkers alone,
and the insides of f-strings, whose places Python tells rightly from 3.12 on only.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Mutant", "find_mutants", "sample"]

_COMPARISONS = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_OPERATORS = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
_OF_TYPES = {"Callable", "Literal", "cast"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One change of a source.

    Attributes:
        start: Where the text that is replaced begins, in bytes of the source.
        end: Where it ends.
        text: What stands there instead.
        line: The number of the line.
        where: The functions and classes around it, such as ``Pager.pages``; empty outside of them.
        code: The line, without the space around it.
        change: The change, for people.
    """

    start: int
    end: int
    text: str
    line: int
    where: str
    code: str
    change: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """What is the same when the lines above change."""
        return self.where, self.code, self.change

    def apply(self, source: bytes) -> bytes:
        """Return the changed source."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def sample(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """Return so many, by the order of the source.

    They depend on the seed and on what each one is, so that a change of the source leaves nearly
    all of a sample as it was.
    """

    def place(mutant: Mutant) -> bytes:
        return hashlib.sha256(repr((seed, mutant.identity)).encode()).digest()

    return sorted(sorted(mutants, key=place)[:count], key=lambda one: (one.start, one.text))


def find_mutants(source: bytes) -> list[Mutant]:
    """Return all changes of a source, in its order."""
    return sorted(_Finder(source).mutants(), key=lambda one: (one.start, one.end, one.text))


class _Finder:
    """Walks a source; `_scope` is where it is."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        lines = source.splitlines(keepends=True)
        self._lines = lines
        self._starts = [0]
        for line in lines:
            self._starts.append(self._starts[-1] + len(line))
        self._scope: list[str] = []

    def mutants(self) -> Iterator[Mutant]:
        for node in ast.parse(self._source).body:
            yield from self._walk(node)

    def _walk(self, node: ast.AST) -> Iterator[Mutant]:
        if _is_left_alone(node):
            return
        yield from self._changes(node)
        is_scope = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._scope.append(node.name)
        if not isinstance(node, ast.JoinedStr):
            for child in _children(node):
                yield from self._walk(child)
        if is_scope:
            self._scope.pop()

    def _changes(self, node: ast.AST) -> Iterator[Mutant]:
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for number, operator in enumerate(node.ops):
                old, new = _COMPARISONS[type(operator)]
                yield self._between(operands[number], operands[number + 1], old, new)
        elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            yield self._between(node.left, node.right, *_OPERATORS[type(node.op)])
        elif isinstance(node, ast.AugAssign) and type(node.op) in _OPERATORS:
            old, new = _OPERATORS[type(node.op)]
            yield self._between(node.target, node.value, f"{old}=", f"{new}=")
            yield self._instead(node, "pass", "removed")
        elif isinstance(node, ast.BoolOp):
            words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield self._between(left, right, *words)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield self._instead(node, f"({self._text(node.operand)})")
        elif isinstance(node, (ast.If, ast.IfExp)):
            yield from self._negated(node.test)
        elif isinstance(node, ast.comprehension):
            for condition in node.ifs:
                yield from self._negated(condition)
        elif isinstance(node, ast.Constant):
            if (other := _other_constant(node.value)) is not None:
                yield self._instead(node, other)
        elif isinstance(node, ast.JoinedStr):
            yield self._instead(node, '"~"')
        elif isinstance(node, ast.Return):
            if node.value is not None and not isinstance(node.value, ast.Constant):
                yield self._instead(node.value, "None")
        elif isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
            names = [self._text(one) for one in node.type.elts]
            for number, name in enumerate(names):
                kept = ", ".join([*names[:number], *names[number + 1 :]])
                yield self._instead(node.type, f"({kept},)", f"without {name}")
        elif _is_removable(node):
            yield self._instead(node, "pass", "removed")

    def _negated(self, condition: ast.expr) -> Iterator[Mutant]:
        """Negate a condition which no other change turns round already."""
        is_turned = isinstance(condition, (ast.Compare, ast.Constant)) or (
            isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not)
        )
        if not is_turned:
            yield self._instead(condition, f"(not ({self._text(condition)}))")

    def _between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Mutant:
        """Replace the operator that stands between two operands."""
        begin = self._end(left)
        pattern = re.escape(old).replace(r"\ ", r"\s+").encode()
        if old.isidentifier() or " " in old:
            pattern = rb"\b%s\b" % pattern
        found = re.search(pattern, self._source[begin : self._start(right)])
        assert found is not None, f"no {old} after {self._text(left)}"
        start, end = begin + found.start(), begin + found.end()
        whole = f"{self._text(left)} {old} {self._text(right)}"
        return self._mutant(start, end, new, f"{_short(whole)}: {old} -> {new}")

    def _instead(self, node: ast.AST, text: str, said: str | None = None) -> Mutant:
        old = _short(self._text(node))
        change = f"{old} -> {_short(text)}" if said is None else f"{old}: {said}"
        return self._mutant(self._start(node), self._end(node), text, change)

    def _mutant(self, start: int, end: int, text: str, change: str) -> Mutant:
        line = self._source.count(b"\n", 0, start) + 1
        return Mutant(
            start=start,
            end=end,
            text=text,
            line=line,
            where=".".join(self._scope),
            code=self._lines[line - 1].decode().strip(),
            change=change,
        )

    def _start(self, node: ast.AST) -> int:
        line, column = node.lineno, node.col_offset  # type: ignore[attr-defined]
        return self._starts[int(line) - 1] + int(column)

    def _end(self, node: ast.AST) -> int:
        line, column = node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
        return self._starts[int(line) - 1] + int(column)

    def _text(self, node: ast.AST) -> str:
        return self._source[self._start(node) : self._end(node)].decode()


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring, also of an attribute, or an ellipsis
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.AnnAssign):
        return "TypeAlias" in ast.unparse(node.annotation)
    if isinstance(node, ast.Assign):
        names = {one.id for one in node.targets if isinstance(one, ast.Name)}
        return bool(names & {"__all__", "__slots__"})
    if isinstance(node, ast.keyword):
        return node.arg == "strict"  # of zip: it states what is so
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id in _OF_TYPES
    return isinstance(node, (ast.Import, ast.ImportFrom))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "bases", "keywords"} and not (
            isinstance(node, ast.Call)
        ):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.AST):
                yield one


def _other_constant(value: object) -> str | None:
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, (int, float)):
        return str(value + 1)
    if isinstance(value, str):
        return repr(f"{value}~")
    if isinstance(value, bytes):
        return repr(value + b"~")
    return None


def _is_removable(node: ast.AST) -> bool:
    if isinstance(node, (ast.Raise, ast.Break, ast.Continue, ast.Delete, ast.Expr)):
        return True
    if isinstance(node, ast.Assign):  # of a name, its use would fail: that says nothing
        return all(isinstance(one, (ast.Attribute, ast.Subscript)) for one in node.targets)
    return False


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:50]} ... {line[-25:]}"
