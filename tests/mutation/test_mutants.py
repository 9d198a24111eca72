from __future__ import annotations

import ast

import pytest

from tests.mutation.mutants import find_mutants, sample
from tests.mutation.run import PACKAGE, ROOT, equivalents
from tests.mutation.targets import TARGETS


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("x = a == b", ["x = a != b"]),
        ("x = a <= b < c", ["x = a < b < c", "x = a <= b <= c"]),
        ("x = a not in b", ["x = a in b"]),
        ("x = a  is  not b", ["x = a  is b"]),
        ("x = (a) in (b)", ["x = (a) not in (b)"]),
        ("x = a + b * c", ["x = a - b * c", "x = a + b / c"]),
        ("x = a and b and c", ["x = a or b and c", "x = a and b or c"]),
        ("x = not a", ["x = (a)"]),
        ("x = b if a else c", ["x = b if (not (a)) else c"]),
        ("x = [a for a in b if a]", ["x = [a for a in b if (not (a))]"]),
        ("x = 1, True, 'é', b'', None", ["2", "False", "'é~'", "b'~'"]),
        ('x = f"{a == 1}"', ['x = "~"']),
        ("x += 1", ["pass", "x -= 1", "x += 2"]),
        ("def f():\n    return a", ["def f():\n    return None"]),
        ("def f():\n    return None", []),
        ("def f():\n    raise A", ["def f():\n    pass"]),
        ("a(b, 1)", ["pass", "2"]),
        ("zip(a, b, strict=True)", ["pass"]),
        ("a.b = c", ["pass"]),
        ("a = c", []),
        ("try:\n    a = b\nexcept (B, C):\n    a = c", ["(B,)", "(C,)"]),
        ('"""A docstring."""\n...', []),
        ("if TYPE_CHECKING:\n    x = 1", []),
        ("__all__ = ['x']\nimport a", []),
        ("T: TypeAlias = 'A | B'\nK = Literal['a']", []),
        ("@a(1)\ndef f(b: 'c | d' = 2) -> 'e': ...", ["3"]),
    ],
)
def test_find_mutants__changes_one_thing_each(source: str, changed: list[str]) -> None:
    found = [one.apply(source.encode()).decode() for one in find_mutants(source.encode())]
    assert len(found) == len(changed)
    for one, expected in zip(found, changed, strict=True):
        assert expected in one
        ast.parse(one)


def test_find_mutants__says_what_and_where() -> None:
    source = b"class A:\n    def f(self):\n        # \xc3\xa9\n        return self.x  +  2\n"
    assert [(one.where, one.line, one.change) for one in find_mutants(source)] == [
        ("A.f", 4, "self.x + 2 -> None"),
        ("A.f", 4, "self.x + 2: + -> -"),
        ("A.f", 4, "2 -> 3"),
    ]
    assert {one.code for one in find_mutants(source)} == {"return self.x  +  2"}


def test_sample__depends_on_what_a_change_is_and_not_on_its_line() -> None:
    source = b"".join(b"x%d = a + %d\n" % (number, number) for number in range(50))
    first = [one.identity for one in sample(find_mutants(source), 10, seed=1)]
    assert len(first) == 10
    assert [one.identity for one in sample(find_mutants(b"\n" + source), 10, seed=1)] == first
    assert [one.identity for one in sample(find_mutants(source), 10, seed=2)] != first


@pytest.mark.parametrize("module", TARGETS)
def test_targets__can_be_changed_and_their_tests_are_there(module: str) -> None:
    source = (ROOT / PACKAGE / module).read_bytes()
    mutants = find_mutants(source)
    for one in sample(mutants, 10, seed=1):
        ast.parse(one.apply(source))
    for path in TARGETS[module]:
        assert (ROOT / path.rpartition("=")[2].partition("::")[0]).exists()
    known = equivalents(module)
    assert all(known.values())
    assert {*known} <= {one.identity for one in mutants}
