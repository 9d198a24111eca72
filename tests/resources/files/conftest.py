"""A service with files on loopback, and a client whose time-outs only a server that hangs meets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fault_server import FaultServer
from tests.support.faults.clients import connect, sleepless
from tests.support.file_service import DATA, FileService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from finetune_client import Client


@pytest.fixture
def data() -> bytes:
    """What is sent or had; a module with other data gives its own."""
    return DATA


@pytest.fixture
def service(data: bytes) -> FileService:
    return FileService(data)


@pytest.fixture
def server(service: FileService) -> Iterator[FaultServer]:
    with FaultServer(api=service) as server:
        yield server


@pytest.fixture
def client(server: FaultServer) -> Iterator[Client]:
    with connect(server, timeout=(10, 30)) as client:
        sleepless(client)
        yield client


@pytest.fixture
def path(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_bytes(data)
    return path
