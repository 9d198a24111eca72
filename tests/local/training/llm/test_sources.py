from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from finetune_client.local.training.llm.sources import Source

if TYPE_CHECKING:
    from pathlib import Path


def test_find__a_directory_of_safetensors(tmp_path: Path) -> None:
    folder = tmp_path / "My Model"
    folder.mkdir()
    (folder / "model-00001-of-00002.safetensors").touch()
    (folder / "model.gguf").touch()
    source = Source.find(folder)
    assert source == Source(str(folder))
    assert source.name == "My Model"


def test_find__a_gguf_file_or_its_directory(tmp_path: Path) -> None:
    file = tmp_path / "SmolLM2.Q4_1.gguf"
    file.touch()
    assert Source.find(str(file)) == Source.find(tmp_path) == Source(str(tmp_path), file.name)
    assert Source.find(file).name == "SmolLM2.Q4_1"


@pytest.mark.parametrize("name", ["HuggingFaceTB/SmolLM2-135M-Instruct", "gpt2"])
def test_find__a_repository(name: str) -> None:
    assert Source.find(name) == Source(name, is_local=False)
    assert Source.find(name).name == name


def refusal(given: str | Path) -> str:
    with pytest.raises(ValueError, match=r"\.|$") as caught:
        Source.find(given)
    return str(caught.value)


@pytest.mark.parametrize("name", ["/nowhere/model", "../model", "a/b/c", "model.gguf", "a b"])
def test_find__nothing(name: str) -> None:
    assert refusal(name) == f"There is no model at {name!r}."


def test_find__a_directory_of_pickles(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").touch()
    assert refusal(tmp_path) == (
        f"The directory {str(tmp_path)!r} has no weights in safetensors or GGUF. Other formats are "
        "not read: a pickle can run any code when it is opened."
    )
    assert refusal(tmp_path / "pytorch_model.bin") == (
        f"The file {str(tmp_path / 'pytorch_model.bin')!r} is not a model: give a directory with "
        "safetensors, or a file that ends in .gguf."
    )


def test_find__a_directory_of_two_gguf_files(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    (tmp_path / "b.gguf").touch()
    assert refusal(tmp_path) == (
        f"The directory {str(tmp_path)!r} has 2 GGUF files; give the path of one."
    )


@pytest.mark.skipif(os.name != "posix", reason="rights of other users")
def test_find__a_directory_that_others_can_write(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").touch()
    folder.chmod(0o777)
    assert refusal(folder) == (
        f"Other users can write to {str(folder)!r}, and could change the model. Take the right "
        f"away with: chmod o-w {str(folder)!r}"
    )
