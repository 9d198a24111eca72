"""The core used on Linux that is made to look like Windows and macOS: see `tests.support.pretended`."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.pretended import SYSTEMS
from tests.support.pretended_use import USES

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to pretend"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Use the core on a system, once, and return what was printed."""

    @cache
    def run(system: str) -> str:
        module = ["-m", "tests.support.pretended", system, "-m", "tests.support.pretended_use"]
        done = subprocess.run(
            [sys.executable, *module, str(tmp_path_factory.mktemp(system))],
            cwd=ROOT,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
        )
        return done.stdout

    return run


@pytest.mark.parametrize("use", [use.__name__ for use in USES])
@pytest.mark.parametrize("system", SYSTEMS)
def test_system__has_what_this_needs(system: str, use: str, output: Callable[[str], str]) -> None:
    said = output(system)
    assert f"good: {use}\n" in said, said
