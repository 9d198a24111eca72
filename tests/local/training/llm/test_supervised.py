from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from finetune_client.local.training.llm.rendering import Renderer
from finetune_client.local.training.trainer import TrainingError
from tests.local.training.llm.conftest import answer_tokens, chat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local.training.llm.conftest import Outcome

    Train = Callable[..., Outcome]

pytestmark = pytest.mark.filterwarnings("default")  # the engines warn of their own futures

LINES = [chat(number) for number in range(10)]
VALID = [chat(number) for number in range(10, 15)]


def score(model: Any, tokenizer: Any, lines: list[dict[str, Any]]) -> tuple[float, float]:
    """Loss and accuracy over all trained tokens, one sequence at a time."""
    loss, right, count = 0.0, 0, 0
    for line in lines:
        for row in Renderer(tokenizer).rows(line):
            with torch.no_grad():
                logits = model(torch.tensor([row.tokens])).logits[0, :-1]
            labels = torch.tensor(row.labels[1:])
            kept = labels != -100
            loss += torch.nn.functional.cross_entropy(
                logits[kept], labels[kept], reduction="sum"
            ).item()
            right += int((logits[kept].argmax(-1) == labels[kept]).sum())
            count += int(kept.sum())
    return loss / count, right / count


def test_supervised__counts_tokens_and_learns(train_here: Train) -> None:
    done = train_here(LINES, n_epochs=3, batch_size=4)
    notice, started, *_ = done.events
    assert (notice["event"], notice["level"]) == ("notice", "info")  # of memory
    assert (started["event"], started["total_steps"]) == ("started", 9)
    assert done.events[-1] == {"event": "finished"}
    assert [step["number"] for step in done.steps] == list(range(1, 10))
    assert [step["number"] for step in done.steps if step["checkpoint"]] == [3, 6, 9]
    tokens = 3 * sum(answer_tokens(number) for number in range(10))
    assert sum(step["tokens"] for step in done.steps) == tokens
    losses = done.metrics("train_loss")
    assert losses[0] == pytest.approx(math.log(259), abs=0.2)
    assert losses[-1] < losses[0] - 0.5
    assert "valid_loss" not in done.steps[0]["metrics"]


@pytest.mark.parametrize("full", [False, True])
def test_supervised__validation_is_that_of_the_saved_model(
    train_here: Train, tiny: Path, tokenizer: Any, full: bool
) -> None:
    done = train_here(LINES, validation=VALID, n_epochs=1, batch_size=4, options={"full": full})
    if full:
        model = transformers.AutoModelForCausalLM.from_pretrained(done.model)
    else:
        base = transformers.AutoModelForCausalLM.from_pretrained(tiny)
        model = peft.PeftModel.from_pretrained(base, str(done.model))
    loss, accuracy = score(model.eval(), tokenizer, VALID)
    assert done.metrics("full_valid_loss") == [pytest.approx(loss, abs=1e-6)]
    assert done.metrics("full_valid_mean_token_accuracy") == [pytest.approx(accuracy, abs=1e-9)]
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny).eval()
    first, _ = score(base, tokenizer, VALID[:4])
    second_part = done.metrics("valid_loss")[1]
    assert done.metrics("valid_loss")[0] == pytest.approx(first, abs=1e-6)
    assert second_part != pytest.approx(first, abs=1e-3)


def test_supervised__passes_of_any_size_give_the_same_numbers(train_here: Train) -> None:
    given: dict[str, Any] = {"validation": VALID, "n_epochs": 2, "batch_size": 4}
    whole = train_here(LINES, **given)
    parts = train_here(LINES, **given, options={"tokens_per_pass": 150})
    assert [step["tokens"] for step in whole.steps] == [step["tokens"] for step in parts.steps]
    for name in ("train_loss", "valid_loss", "full_valid_loss"):
        assert parts.metrics(name) == pytest.approx(whole.metrics(name), abs=1e-6)


def test_supervised__the_seed_decides(train_here: Train) -> None:
    first, same, other = (
        train_here(LINES, validation=VALID, n_epochs=1, seed=seed) for seed in (1, 1, 2)
    )
    assert same.steps == first.steps
    assert other.metrics("train_loss") != first.metrics("train_loss")


def test_supervised__resumes_in_the_middle_of_an_epoch_with_the_same_numbers(
    train_here: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finetune_client.local.training.llm.run_directory import RunDirectory

    given: dict[str, Any] = {"validation": VALID, "n_epochs": 2, "batch_size": 4}
    whole = train_here(LINES, **given)
    with monkeypatch.context() as patch:
        patch.setattr(
            RunDirectory, "is_pause_requested", lambda run: len(list(run.events().read())) > 5
        )
        first = train_here(LINES, **given)
    told = [event["event"] for event in first.events]
    assert told == ["notice", "started", *["step"] * 5, "paused"]
    assert not first.steps[-1]["checkpoint"]
    rest = train_here(LINES, **given, resume_from=first.run.checkpoint(5))
    assert rest.events[0]["event"] == "started"  # what memory it takes was told
    assert first.steps + rest.steps == whole.steps


def test_supervised__continues_from_a_tuned_model(train_here: Train) -> None:
    parent = train_here(LINES, validation=VALID, n_epochs=2, options={"lora_rank": 4})
    child = train_here(LINES, validation=VALID, n_epochs=1, batch_size=5, parent=parent.model)
    assert child.metrics("valid_loss")[0] == pytest.approx(
        parent.metrics("full_valid_loss")[-1], abs=1e-6
    )
    config = json.loads((child.model / "adapter_config.json").read_text())
    assert config["r"] == 4  # the parent's, not the option's
    whole = train_here(
        LINES, validation=VALID, batch_size=5, parent=parent.model, options={"full": True}
    )
    assert whole.metrics("valid_loss")[0] == pytest.approx(
        parent.metrics("full_valid_loss")[-1], abs=1e-5
    )
    assert (whole.model / "model.safetensors").exists()
    grandchild = train_here(LINES, validation=VALID, batch_size=5, parent=whole.model)
    assert grandchild.metrics("valid_loss")[0] == pytest.approx(
        whole.metrics("full_valid_loss")[-1], abs=1e-5
    )
    assert (grandchild.model / "model.safetensors").exists()


@pytest.mark.parametrize("full", [False, True])
def test_supervised__saves_no_path_of_this_machine(
    train_here: Train, tiny: Path, tmp_path: Path, full: bool
) -> None:
    done = train_here(LINES, n_epochs=1, options={"full": full})
    names = {path.name for path in done.model.iterdir()}
    assert "README.md" not in names
    assert "training_args.bin" not in names
    weights = "model.safetensors" if full else "adapter_model.safetensors"
    assert weights in names
    for path in done.model.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert str(tiny) not in text
        assert str(tmp_path) not in text
    if not full:
        config = json.loads((done.model / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == "tiny-llama"
    else:
        assert {"tokenizer.json", "chat_template.jinja"} <= names


def test_supervised__tells_what_is_cut(train_here: Train) -> None:
    long = chat(3)
    long["messages"][1]["content"] = "x" * 100
    longer = chat(4)
    longer["messages"].insert(0, {"role": "system", "content": "y" * 300})
    done = train_here(
        [*LINES, long, longer], validation=[long], n_epochs=1, options={"max_length": 100}
    )
    assert done.warnings == [
        (
            "Longer than 100 tokens: 2 lines (11, 12) of the training_file, at most 358 tokens. "
            "Cut off at the ends: 297 tokens. Nothing is left to train on in 1 line (12)."
        ),
        (
            "Longer than 100 tokens: 1 line (1) of the validation_file, at most 139 tokens. "
            "Cut off at the ends: 39 tokens."
        ),
    ]
    assert all(math.isfinite(loss) for loss in done.metrics("train_loss"))


def test_supervised__of_nothing_but_lines_that_are_too_long(train_here: Train) -> None:
    with pytest.raises(TrainingError) as caught:
        train_here(LINES, options={"max_length": 20})
    assert caught.value.code == "invalid_training_file"
    assert str(caught.value).startswith(
        "There is nothing to train on in the training_file. Longer than 20 tokens: 10 lines (1, 2,"
    )


def test_supervised__of_a_line_that_cannot_be_rendered(train_here: Train) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    bad = {"messages": [{"role": "user", "content": [image]}, *LINES[0]["messages"][1:]]}
    with pytest.raises(TrainingError) as caught:
        train_here([*LINES, bad])
    assert caught.value.code == "invalid_training_file"
    assert str(caught.value) == (
        "Line 11 of the training_file cannot be used. Message 1 has a part of type 'image_url', but "
        "models are trained on text alone here. Remove the part, or describe it in words."
    )


def test_supervised__that_diverges(train_here: Train) -> None:
    with pytest.raises(TrainingError) as caught:
        train_here(LINES, n_epochs=2, learning_rate_multiplier=1e30)
    assert caught.value.code == "training_diverged"
    assert "smaller learning_rate_multiplier" in str(caught.value)
