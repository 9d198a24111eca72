"""A few jobs of what `tests.local.soak` makes more of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.local.soak import Soak

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(180)
@pytest.mark.skipif(sys.platform == "win32", reason="a killed process keeps its port for a while")
def test_clients__of_a_server_that_fails_and_is_killed_lose_nothing(tmp_path: Path) -> None:
    figures = Soak(tmp_path, clients=4, seed=1).run(jobs=40, kills=2)
    assert figures["kills"] == 2
    assert figures["answers"] > figures["jobs"]
