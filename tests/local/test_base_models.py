from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from finetune_client import Client
from finetune_client.local import LocalServer
from finetune_client.local.base_models import known_base_models, name_of_base_model


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """What looks like a model; nothing opens it unless it is trained."""
    folder = tmp_path / "somewhere" / "Little-1B"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def models_of(server: LocalServer) -> list[str]:
    with Client.local(server=server) as client:
        return [model.id for model in client.models.list()]


def test_name_of_base_model__never_shows_a_path(base: Path) -> None:
    assert name_of_base_model(str(base)) == "Little-1B"
    assert name_of_base_model("HuggingFaceTB/SmolLM2-135M") == "HuggingFaceTB/SmolLM2-135M"
    with pytest.raises(ValueError, match=r"There is no model at '/no/such'\."):
        name_of_base_model("/no/such")


def test_local_server__lists_base_models_and_remembers_them(base: Path, tmp_path: Path) -> None:
    with LocalServer(tmp_path / "s", base_models={"little": base, "a/b": "a/b"}) as server:
        assert models_of(server) == ["tiny", "little", "a/b"]
        assert server.model_directory("ft:nothing") is None
    assert known_base_models(tmp_path / "s") == {"little": str(base), "a/b": "a/b"}
    with LocalServer(tmp_path / "s") as server:
        assert set(models_of(server)) == {"tiny", "little", "a/b"}


def test_local_server__without_a_directory_remembers_nothing(base: Path) -> None:
    with LocalServer(base_models={"little": base}) as server:
        directory = server._store.directory
        assert known_base_models(directory) == {}
    with LocalServer() as server:
        assert models_of(server) == ["tiny"]


def test_local_server__leaves_out_a_base_model_that_has_gone(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with LocalServer(tmp_path / "s", base_models={"little": base}):
        pass
    (base / "model.safetensors").unlink()
    with (
        caplog.at_level(logging.WARNING, "finetune_client.local"),
        LocalServer(tmp_path / "s") as server,
    ):
        assert models_of(server) == ["tiny"]
    assert "The base model 'little' is left out: The directory" in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {"base_models": {"x": "/no/such"}},
        {"base_models": {"tiny": "a/b"}},
        {"base_models": {"x": "a/b"}, "llm_options": {"gpus_per_job": 10_000}},
    ],
)
def test_local_server__refuses_what_cannot_be_trained(
    options: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"no model at|has a base model 'tiny' already|GPU"):
        LocalServer(tmp_path / "s", **options)  # type: ignore[arg-type]  # of several kinds
    with LocalServer(tmp_path / "s") as server:
        assert models_of(server) == ["tiny"]


def test_known_base_models__of_a_file_by_hand(tmp_path: Path) -> None:
    (tmp_path / "base_models.json").write_text(json.dumps({"a": "b/c"}))
    assert known_base_models(tmp_path) == {"a": "b/c"}
