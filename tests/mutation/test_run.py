"""What is done with changes, shown on a package of one function."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.mutation.mutants import Mutant, find_mutants

if sys.platform == "win32":
    pytest.skip("changes are tried in forks", allow_module_level=True)

from tests.mutation.run import try_mutants

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)

SOURCE = b"def least(a, b):\n    while a > b:\n        a = a - 1\n    return a\n"
TESTS = """
import subprocess, sys
from toy.module import least

def test_least():
    assert least(5, 3) == 3

def test_least__in_another_process():
    command = [sys.executable, "-c", "from toy.module import least; print(least(2, 0))"]
    assert subprocess.run(command, capture_output=True, check=True).stdout.strip() == b"0"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "module.py").write_bytes(SOURCE)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_module.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = ["--import-mode=importlib"]\npythonpath = ["."]\n'
    )
    return tmp_path


def _changed(change: str) -> list[Mutant]:
    return [one for one in find_mutants(SOURCE) if one.change == change]


def _fail(mutant: Mutant) -> None:
    pytest.fail(f"nobody noticed {mutant.change}")


def test_try_mutants__tells_what_no_test_notices(tree: Path) -> None:
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    mutants = [*_changed("1 -> 2"), *_changed("a -> None")]
    tests = ("tests/test_module.py::test_least__in_another_process",)
    told: list[Mutant] = []
    outcome = try_mutants(tree, "toy/module.py", tests, mutants, told.append)
    assert outcome.problem == ""
    assert (outcome.killed, outcome.by_time) == (1, 0)
    assert [one.change for one in outcome.survived] == ["1 -> 2"]  # 2 - 2 is 0, too
    assert told == outcome.survived
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_try_mutants__ends_what_never_ends(tree: Path) -> None:
    tests = ("tests/test_module.py::test_least",)
    outcome = try_mutants(tree, "toy/module.py", tests, _changed("a - 1: - -> +"), _fail)
    assert (outcome.killed, outcome.by_time, outcome.survived) == (1, 1, [])


@pytest.mark.parametrize(
    ("tests", "problem"),
    [
        ("def test_it():\n    assert False\n", "toy/module.py: the tests do not pass:\n"),
        ("def test_it():\n    pass\n", "The tests did not import "),
        (
            "import pytest, toy.module\n@pytest.mark.skip\ndef test_it():\n    pass\n",
            "toy/module.py: no test ran",
        ),
    ],
)
def test_try_mutants__refuses_tests_that_say_nothing(tree: Path, tests: str, problem: str) -> None:
    (tree / "tests" / "test_module.py").write_text(tests)
    changed = _changed("1 -> 2")
    outcome = try_mutants(tree, "toy/module.py", ("tests/test_module.py",), changed, _fail)
    assert problem in outcome.problem
    assert (outcome.killed, outcome.survived) == (0, [])
