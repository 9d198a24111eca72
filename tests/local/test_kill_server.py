"""A few kills of what `tests.local.kill_server` does for longer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.local.kill_server import Trial

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform == "win32", reason="a killed process keeps its port for a while")
def test_server__that_is_killed_under_load_keeps_what_it_answered(tmp_path: Path) -> None:
    answered = Trial(tmp_path, clients=4, seed=1).run(kills=3)
    assert min(answered["files"], answered["jobs"], answered["events"]) > 0
