from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from finetune_client.local.training.llm.trainer import LlmTrainer
from finetune_client.local.training.trainer import (
    GenerateRequest,
    GenerationError,
    Piece,
)
from tests.local.training.llm.conftest import chat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.local.training.llm.conftest import Outcome

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]

ASK = [{"role": "user", "content": "What is 3 squared?"}]


@pytest.fixture(scope="module")
def trainer(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlmTrainer]:
    """One for all tests: loading torch takes longer than all that they ask."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    cache = tmp_path_factory.mktemp("cache")
    trainer = LlmTrainer({"tiny-llama": tiny}, cache=cache, dtype="float32", threads=1)
    yield trainer
    trainer.close()


def text_of(pieces: Iterable[Piece], index: int = 0) -> str:
    return "".join(piece.text for piece in pieces if piece.index == index)


def greedy(model: Any, tokenizer: Any, count: int) -> str:
    text = tokenizer.apply_chat_template(ASK, tokenize=False, add_generation_prompt=True)
    given = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    made = model.generate(
        given, do_sample=False, max_new_tokens=count, eos_token_id=end, pad_token_id=pad
    )
    decoded: str = tokenizer.decode(made[0, given.shape[1] :], skip_special_tokens=True)
    return decoded


def test_generate__a_base_and_its_tuned_models_in_turn(
    trainer: LlmTrainer, train_here: Callable[..., Outcome], tiny: Path, tokenizer: Any
) -> None:
    lines = [chat(number) for number in range(10)]
    given = {"n_epochs": 12, "batch_size": 5}
    adapter = train_here(lines, **given).model
    other = train_here(lines, **given, seed=2, learning_rate_multiplier=3.0).model
    whole = train_here(lines, **given, options={"full": True}).model
    expected: dict[Path | None, str] = {None: greedy(_load(tiny), tokenizer, 12)}
    for one in (adapter, other):
        model = peft.PeftModel.from_pretrained(_load(tiny), str(one))
        expected[one] = greedy(model.eval(), tokenizer, 12)
    expected[whole] = greedy(_load(whole), tokenizer, 12)
    assert len(set(expected.values())) > 2
    for tuned in (None, adapter, None, other, adapter, whole, None):
        pieces = trainer.generate(
            "tiny-llama", tuned, GenerateRequest(messages=ASK, temperature=0, max_tokens=12)
        )
        assert text_of(pieces) == expected[tuned]


def _load(directory: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(directory).eval()


def test_generate__several_answers_by_a_seed(trainer: LlmTrainer, tokenizer: Any) -> None:
    given: dict[str, Any] = {"max_tokens": 8, "n": 2, "seed": 5, "temperature": 1.5}
    first = list(trainer.generate("tiny-llama", None, GenerateRequest(messages=ASK, **given)))
    assert (
        list(trainer.generate("tiny-llama", None, GenerateRequest(messages=ASK, **given))) == first
    )
    assert text_of(first, 0) != text_of(first, 1)
    ends = [piece for piece in first if piece.finish_reason is not None]
    assert [piece.index for piece in ends] == [0, 1]
    text = tokenizer.apply_chat_template(ASK, tokenize=False, add_generation_prompt=True)
    assert {piece.prompt_tokens for piece in ends} == {len(tokenizer(text)["input_ids"])}
    assert all(piece.finish_reason == "stop" or piece.completion_tokens == 8 for piece in ends)
    assert len(first) > 4  # token by token


def test_generate__ends_before_a_stop(trainer: LlmTrainer) -> None:
    given: dict[str, Any] = {"max_tokens": 40, "seed": 1}
    whole = text_of(trainer.generate("tiny-llama", None, GenerateRequest(messages=ASK, **given)))
    stop = whole[6:9]
    pieces = list(
        trainer.generate(
            "tiny-llama", None, GenerateRequest(messages=ASK, **given, stop=[stop, "never"])
        )
    )
    assert text_of(pieces) == whole[: whole.index(stop)]
    assert pieces[-1].finish_reason == "stop"
    assert pieces[-1].completion_tokens < 40


def test_generate__that_is_given_up_leaves_the_way_free(trainer: LlmTrainer) -> None:
    pieces = trainer.generate(
        "tiny-llama", None, GenerateRequest(messages=ASK, max_tokens=400, seed=3, n=50)
    )
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]  # a generator is
    assert (
        text_of(
            trainer.generate(
                "tiny-llama", None, GenerateRequest(messages=ASK, max_tokens=4, temperature=0)
            )
        )
        != ""
    )


def test_generate__of_what_cannot_be_answered(trainer: LlmTrainer, tmp_path: Path) -> None:
    long = [{"role": "user", "content": "x" * 600}]
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    cases: list[tuple[Any, Path | None, str, str]] = [
        (
            long,
            None,
            "context_length_exceeded",
            "The messages have 619 tokens, and the model takes 512 together with its answer.",
        ),
        (
            image,
            None,
            "invalid_value",
            (
                "Message 1 has a part of type 'image_url', but models are trained on text alone here. "
                "Remove the part, or describe it in words."
            ),
        ),
    ]
    for messages, tuned, code, expected in cases:
        with pytest.raises(GenerationError) as caught:
            list(trainer.generate("tiny-llama", tuned, GenerateRequest(messages=messages)))
        assert (caught.value.code, str(caught.value)) == (code, expected)
    with pytest.raises(GenerationError) as caught:
        list(trainer.generate("tiny-llama", tmp_path / "gone", GenerateRequest(messages=ASK)))
    assert caught.value.code == "model_not_found"
    assert str(caught.value) == "The directory of the model 'gone' is gone."


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_generate__after_its_process_has_died(trainer: LlmTrainer) -> None:
    pieces = trainer.generate(
        "tiny-llama", None, GenerateRequest(messages=ASK, max_tokens=400, n=50)
    )
    next(pieces)
    process = trainer._generator._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(GenerationError) as caught:
        list(pieces)
    assert caught.value.code == "server_error"
    assert str(caught.value).startswith("The process that answers has ended.")
    assert (
        text_of(
            trainer.generate(
                "tiny-llama", None, GenerateRequest(messages=ASK, max_tokens=4, temperature=0)
            )
        )
        != ""
    )
    trainer._generator.release()
    assert not Path(f"/proc/{process.pid}").exists()
    assert trainer._generator._process is None
