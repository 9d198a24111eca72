from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from finetune_client.local import LocalServer, ServerLimits, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The base URL of a server on a port."""
    limits = ServerLimits(file_bytes=1_000_000, part_bytes=1_000_000)
    with LocalServer(limits=limits) as server, running(server) as url:
        yield url
