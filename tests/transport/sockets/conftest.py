"""A server that fails as it is told, and certificates, which take a moment to make: once for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fault_server import FaultServer
from tests.support.faults.certificates import Certificates
from tests.support.faults.clients import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from finetune_client import Client


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    return Certificates.make(folder)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def client(server: FaultServer) -> Iterator[Client]:
    with connect(server, max_retries=0) as client:
        yield client
