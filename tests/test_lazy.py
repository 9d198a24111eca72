from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from finetune_client.lazy import part


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a package whose names are loaded on first use."""
    home = tmp_path / "made_up"
    home.mkdir()
    (home / "__init__.py").write_text(
        "from finetune_client.lazy import attach\n"
        "names = {'.one': ['b', 'a'], '.two': ['two']}\n"
        "__getattr__, __dir__, __all__ = attach(__name__, names)\n",
        encoding="utf-8",
    )
    (home / "one.py").write_text("a, b = 1, 2\nprint('one is loaded')\n", encoding="utf-8")
    (home / "two.py").touch()
    return tmp_path


def printed(package: Path, code: str) -> list[str]:
    paths = [str(package), str(Path(__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}; import made_up\n{code}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


def test_attach__loads_a_module_when_a_name_of_it_is_used(package: Path) -> None:
    code = "print('before'); print(made_up.a, made_up.b); print('a' in vars(made_up))"
    assert printed(package, code) == ["before", "one is loaded", "1 2", "True"]


def test_attach__gives_a_submodule_under_its_own_name(package: Path) -> None:
    assert printed(package, "print(made_up.two.__name__)") == ["made_up.two"]


def test_attach__lists_the_names_alone(package: Path) -> None:
    assert printed(package, "print(dir(made_up) == made_up.__all__ == ['a', 'b', 'two'])") == [
        "True"
    ]


def test_attach__refuses_other_names(package: Path) -> None:
    code = "try: made_up.c\nexcept AttributeError as error: print(error)"
    assert printed(package, code) == ["module 'made_up' has no attribute 'c'"]


class Owner:
    made = 0

    @part
    def parts(self) -> list[int]:
        """Parts."""
        self.made += 1
        return [1]


def test_part__is_made_once_and_can_be_replaced() -> None:
    owner = Owner()
    assert owner.parts is owner.parts
    assert owner.made == 1
    owner.parts = [2]
    assert owner.parts == [2]
    del owner.parts
    assert owner.parts == [1]


def test_part__is_the_class_of_its_value_on_the_class() -> None:
    found: Any = Owner.parts
    assert found == list[int]
