from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from finetune_client.local.training.llm.rendering import Renderer
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local.training.llm.conftest import Outcome

    Train = Callable[..., Outcome]

pytestmark = pytest.mark.filterwarnings("default")


def line(number: int) -> dict[str, Any]:
    return {
        "input": {"messages": [{"role": "user", "content": f"Is {number} even?"}]},
        "preferred_output": [{"role": "assistant", "content": f"yes, {number}"}],
        "non_preferred_output": [{"role": "assistant", "content": f"no way {number}"}],
    }


LINES = [line(number) for number in range(8)]
VALID = [line(number) for number in range(20, 23)]
GIVEN: dict[str, Any] = {
    "method": "dpo",
    "validation": VALID,
    "n_epochs": 3,
    "batch_size": 4,
    "learning_rate_multiplier": 500.0,
}


def log_ratio(model: Any, tokens: list[int], prompt: int) -> float:
    with torch.no_grad():
        logs = model(torch.tensor([tokens])).logits[0, prompt - 1 : -1].log_softmax(-1)
    return float(sum(logs[place, token] for place, token in enumerate(tokens[prompt:])))


def test_dpo__begins_at_ln_2_and_margins_rise(
    train_here: Train, tiny: Path, tokenizer: Any
) -> None:
    done = train_here(LINES, **GIVEN)
    assert done.metrics("train_loss")[0] == pytest.approx(math.log(2), abs=1e-6)
    assert done.metrics("valid_loss")[0] == pytest.approx(math.log(2), abs=1e-6)
    assert done.metrics("train_reward_margin")[0] == pytest.approx(0, abs=1e-6)
    assert done.metrics("train_reward_margin")[-1] > 0.05
    assert done.metrics("train_loss")[-1] < math.log(2)
    tokens = sum(len(f"yes, {n}") + len(f"no way {n}") + 2 for n in range(8))
    assert sum(step["tokens"] for step in done.steps) == 3 * tokens
    assert [step["checkpoint"] for step in done.steps] == [False, True] * 3

    base = transformers.AutoModelForCausalLM.from_pretrained(tiny).eval()
    losses = []
    references = []
    pairs = [Renderer(tokenizer).pair(one) for one in VALID]
    for pair in pairs:
        sides = (pair.chosen, pair.rejected)
        references.append([log_ratio(base, pair.prompt + side, len(pair.prompt)) for side in sides])
    tuned = peft.PeftModel.from_pretrained(base, str(done.model)).eval()
    for pair, reference in zip(pairs, references, strict=True):
        sides = (pair.chosen, pair.rejected)
        own = [log_ratio(tuned, pair.prompt + side, len(pair.prompt)) for side in sides]
        margin = 0.1 * (own[0] - reference[0] - own[1] + reference[1])
        losses.append(math.log1p(math.exp(-margin)))
    assert done.metrics("full_valid_loss")[-1] == pytest.approx(sum(losses) / 3, abs=1e-5)


def test_dpo__continues_from_a_tuned_model_as_its_reference(train_here: Train) -> None:
    parent = train_here(LINES, **{**GIVEN, "n_epochs": 1})
    child = train_here(LINES, **{**GIVEN, "n_epochs": 1}, parent=parent.model)
    assert child.metrics("train_loss")[0] == pytest.approx(math.log(2), abs=1e-6)
    assert child.metrics("valid_mean_token_accuracy")[0] == pytest.approx(
        parent.metrics("full_valid_mean_token_accuracy")[-1], abs=0.2
    )
    config = json.loads((child.model / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-llama"
    assert not (child.model / "ref").exists()


def test_dpo__of_all_weights_has_a_reference_of_its_own(train_here: Train) -> None:
    done = train_here(LINES, **{**GIVEN, "n_epochs": 1}, options={"full": True})
    assert done.metrics("train_loss")[0] == pytest.approx(math.log(2), abs=1e-6)
    assert done.metrics("full_valid_loss")[-1] < math.log(2)
    assert (done.model / "model.safetensors").exists()


def test_dpo__resumes_and_passes_change_nothing(
    train_here: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finetune_client.local.training.llm.run_directory import RunDirectory

    whole = train_here(LINES, **GIVEN)
    parts = train_here(LINES, **GIVEN, options={"tokens_per_pass": 1})
    for name in ("train_loss", "full_valid_loss", "full_valid_mean_token_accuracy"):
        assert parts.metrics(name) == pytest.approx(whole.metrics(name), abs=1e-6)
    with monkeypatch.context() as patch:
        patch.setattr(
            RunDirectory, "is_pause_requested", lambda run: len(list(run.events().read())) > 3
        )
        first = train_here(LINES, **GIVEN)
    assert first.steps[-1]["number"] == 3
    rest = train_here(LINES, **GIVEN, resume_from=first.run.checkpoint(3))
    assert first.steps + rest.steps == whole.steps


def test_dpo__of_a_batch_that_processes_cannot_share(
    train_here: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(TrainingError) as caught:
        train_here(LINES, **GIVEN)
    assert caught.value.code == "invalid_value"
    assert str(caught.value) == (
        "3 processes cannot share batch_size (4) equally; create the job again with a multiple of 3."
    )
