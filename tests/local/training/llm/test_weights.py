from __future__ import annotations

import json
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


def test_load_model__that_cannot_fit_is_told_before_it_is_loaded(tmp_path: Path) -> None:
    directory = tmp_path / "huge"
    transformers.LlamaConfig(
        vocab_size=100,
        hidden_size=100_000,
        intermediate_size=1_000_000,
        num_hidden_layers=1,
        num_attention_heads=1,
    ).save_pretrained(directory)
    with pytest.raises(TrainingError) as caught:
        weights.load_model(str(directory), torch.float32, trained=1.0)
    assert caught.value.code == "out_of_memory"
    told = str(caught.value)
    assert told.startswith(
        "The model 'huge' needs about 5440.3 GB for the weights, gradients and averages alone, and "
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


def test_localize__leaves_a_directory_of_safetensors_where_it_is(
    tiny: Path, tmp_path: Path
) -> None:
    assert weights.localize(Source(str(tiny)), tmp_path) == str(tiny)
    assert list(tmp_path.iterdir()) == []


def test_shape__is_that_of_the_model_that_is_loaded(tiny: Path) -> None:
    peft = pytest.importorskip("peft")
    shape = weights.shape(str(tiny))
    model = weights.load_model(str(tiny), torch.float32)
    assert shape.weights == sum(one.numel() for one in model.parameters())
    assert (shape.layers, shape.hidden_size, shape.vocabulary) == (2, 64, 259)
    config = peft.LoraConfig(r=3, target_modules="all-linear", task_type="CAUSAL_LM")
    adapter = peft.get_peft_model(model, config)
    trained = sum(one.numel() for one in adapter.parameters() if one.requires_grad)
    assert shape.features * 3 == trained
    assert shape.cache == 2 * 2 * (2 * 16)  # keys and values, of two layers and two heads


def test_shape__of_other_families(tmp_path: Path) -> None:
    old = transformers.GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=100, n_positions=50)
    old.save_pretrained(tmp_path / "gpt2")
    shape = weights.shape(str(tmp_path / "gpt2"))
    assert shape.features == 2 * (4 * 64 + 2 * 64 + 5 * 64 + 5 * 64)
    assert shape.cache == 2 * 2 * 64
    transformers.MambaConfig(hidden_size=64, num_hidden_layers=2, vocab_size=100).save_pretrained(
        tmp_path / "mamba"
    )
    shape = weights.shape(str(tmp_path / "mamba"))
    assert (shape.cache, shape.layers) == (0, 2)
    assert shape.weights > 0


def test_shape__of_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        weights.shape(str(tmp_path))
    assert caught.value.code == "model_not_found"
