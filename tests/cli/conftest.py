from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from finetune_client.cli.commands import cli
from finetune_client.local import LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Finetune = Callable[..., Result]


def example(number: int) -> dict[str, object]:
    return {
        "messages": [
            {"role": "user", "content": f"What is {number} times {number}?"},
            {"role": "assistant", "content": f"{number} times {number} is {number * number}."},
        ]
    }


@pytest.fixture(autouse=True)
def temporary_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where this process and its children put temporary files, such as a local job's metrics."""
    folder = tmp_path_factory.mktemp("temporary")
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("FINETUNE_DIRECTORY", str(folder / "local"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def train(tmp_path: Path) -> Path:
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(example(n)) + "\n" for n in range(12)), encoding="utf-8")
    return file


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    file = tmp_path / "valid.jsonl"
    file.write_text("".join(json.dumps(example(n)) + "\n" for n in range(20, 30)), encoding="utf-8")
    return file


@pytest.fixture
def finetune(monkeypatch: pytest.MonkeyPatch) -> Finetune:
    """Run the command as a newcomer would: with nothing in the environment."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)

    def run(*args: object, **env: str) -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args], env=env)

    return run


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


@pytest.fixture
def remote(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on a port, which the environment names."""
    with running(server) as base_url:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
        yield base_url
