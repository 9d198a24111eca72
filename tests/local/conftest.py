from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from finetune_client.local import LocalServer
from tests.support.local_api import BASE, LocalApi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def connect() -> Iterator[Callable[[LocalServer], LocalApi]]:
    """Make what calls a server in process; servers and sessions are closed at the end."""
    opened: list[LocalServer | requests.Session] = []

    def connected(server: LocalServer) -> LocalApi:
        session = requests.Session()
        session.mount(BASE.removesuffix("/v1"), server.adapter())
        opened.extend((session, server))
        return LocalApi(session)

    yield connected
    for one in opened:
        one.close()


@pytest.fixture
def api(connect: Callable[[LocalServer], LocalApi]) -> LocalApi:
    return connect(LocalServer())


@pytest.fixture
def slow_api(connect: Callable[[LocalServer], LocalApi]) -> LocalApi:
    """A server with time to act between the steps."""
    return connect(LocalServer(step_seconds=0.02, workers=1))


@pytest.fixture
def local_server() -> LocalServer:
    """A server that whoever connects to it closes."""
    return LocalServer()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close servers quickly even where a trainer is in the middle of a step for ever."""
    monkeypatch.setattr("finetune_client.local.training.runner._CLOSE_SECONDS", 0.2)
