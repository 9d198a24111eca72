from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")

from finetune_client.local.training.llm import weights
from finetune_client.local.training.llm.sources import Source
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("default")


def write_header(directory: Path, shape: list[int]) -> None:
    """Write safetensors that claim to hold a tensor of a shape."""
    header = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    content = struct.pack("<Q", len(header)) + header
    (directory / "model.safetensors").write_bytes(content)


def test_load_model__that_cannot_fit_is_told_before_it_is_loaded(tmp_path: Path) -> None:
    directory = tmp_path / "huge"
    directory.mkdir()
    write_header(directory, [1_000_000, 1_000_000])
    with pytest.raises(TrainingError) as caught:
        weights.load_model(str(directory), torch.float32, trained=1.0)
    assert caught.value.code == "out_of_memory"
    told = str(caught.value)
    assert told.startswith(
        "The model 'huge' needs about 16000.0 GB for the weights, gradients and averages alone, and "
    )
    assert told.endswith(
        " GB are there. Train an adapter instead of all weights, choose a smaller model, or use a "
        "machine with more memory."
    )


@pytest.mark.parametrize("load", ["load_model", "load_tokenizer"])
def test_load__of_nothing(tmp_path: Path, load: str) -> None:
    directory = tmp_path / "empty"
    directory.mkdir()
    given: tuple[Any, ...] = (torch.float32,) if load == "load_model" else ()
    with pytest.raises(TrainingError) as caught:
        getattr(weights, load)(str(directory), *given)
    assert caught.value.code == "model_not_found"
    assert str(caught.value).startswith("The model 'empty' cannot be loaded: ")
    assert str(tmp_path) not in str(caught.value)


def test_load_model__never_opens_a_pickle(tiny: Path, tmp_path: Path) -> None:
    directory = tmp_path / "pickled"
    directory.mkdir()
    (directory / "config.json").write_bytes((tiny / "config.json").read_bytes())
    model = weights.load_model(str(tiny), torch.float32)
    torch.save(model.state_dict(), directory / "pytorch_model.bin")
    with pytest.raises(TrainingError) as caught:
        weights.load_model(str(directory), torch.float32)
    assert caught.value.code == "model_not_found"


def test_load_model__never_runs_code_of_a_model(tiny: Path, tmp_path: Path) -> None:
    directory = tmp_path / "clever"
    directory.mkdir()
    for path in tiny.iterdir():
        (directory / path.name).write_bytes(path.read_bytes())
    mark = tmp_path / "mark"
    (directory / "modeling.py").write_text(f"open({str(mark)!r}, 'w')\n")
    config = json.loads((directory / "config.json").read_text())
    config |= {"model_type": "clever", "auto_map": {"AutoModelForCausalLM": "modeling.Model"}}
    (directory / "config.json").write_text(json.dumps(config))
    with pytest.raises(TrainingError) as caught:
        weights.load_model(str(directory), torch.float32)
    assert caught.value.code == "model_not_found"
    assert not mark.exists()


def test_longest_input__is_what_the_model_states(tiny: Path) -> None:
    tokenizer = weights.load_tokenizer(str(tiny))
    assert weights.longest_input(tokenizer, str(tiny)) == 512
    tokenizer.model_max_length = 100
    assert weights.longest_input(tokenizer, str(tiny)) == 100


def test_localize__leaves_all_but_gguf_where_it_is(tiny: Path, tmp_path: Path) -> None:
    assert weights.localize(Source(str(tiny)), tmp_path) == str(tiny)
    repository = Source("HuggingFaceTB/SmolLM2-135M", is_local=False)
    assert weights.localize(repository, tmp_path) == "HuggingFaceTB/SmolLM2-135M"
    assert list(tmp_path.iterdir()) == []
