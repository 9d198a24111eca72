from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from finetune_client import Client
from finetune_client.local import LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., subprocess.CompletedProcess[str]]

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder into which a user has copied the examples."""
    return shutil.copytree(EXAMPLES, tmp_path / "examples")


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(step_seconds=0.002) as server:
        yield server


@pytest.fixture
def url(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The server's port, which the environment names."""
    with running(server) as base_url:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
        yield base_url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client("sk-made-up", base_url=url, provider="local") as client:
        yield client


@pytest.fixture
def run(folder: Path) -> Run:
    """Run a script of the folder, in the folder."""

    def run_script(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "PYTHONWARNINGS": "error"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run_script
