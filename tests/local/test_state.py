from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from finetune_client.local import LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.support.local_api import LocalApi

    Connect = Callable[[LocalServer], LocalApi]


def test_order__is_kept_where_the_clock_stands_still(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    server = LocalServer(tmp_path)
    api = connect(server)
    made = [api.upload(b"x\n") for _ in range(20)]
    server.close()
    again = connect(LocalServer(tmp_path))
    listed: Any = again.ok("GET", "/files?order=asc")["data"]
    assert [row["id"] for row in listed] == made
