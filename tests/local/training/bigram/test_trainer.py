"""The numbers of a job are those of the model: worked out again here, letter by letter."""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from finetune_client.local import Step, TrainingError, TrainingTask
from finetune_client.local.training.bigram.model import (
    EDGE,
    SYMBOLS,
    load,
)
from finetune_client.local.training.bigram.trainer import BigramTrainer
from tests.support.training_steps import steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from finetune_client.local import Training

    Line = dict[str, Any]
    MakeTask = Callable[..., TrainingTask]

TEXTS = [f"the answer to {number} is {number * number}" for number in range(24)]
EXAMPLES = tuple({"prompt": "", "completion": text} for text in TEXTS)


@pytest.fixture
def task(tmp_path: Path) -> MakeTask:
    """Make a task; ``examples`` and ``validation`` are the lines of its files."""

    def made(
        examples: Sequence[Line] = EXAMPLES, validation: Sequence[Line] = (), **changes: Any
    ) -> TrainingTask:
        settings = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 1.0}
        settings |= changes.pop("hyperparameters", {})
        given: dict[str, Any] = {
            "method": "supervised",
            "model": "tiny",
            "base": "tiny",
            "training_file": written(examples),
            "validation_file": written(validation) if validation else None,
            "seed": 1,
            "hyperparameters": settings,
            "grader": None,
            "parent": None,
            "directory": tmp_path,
            **changes,
        }
        return TrainingTask(**given)

    def written(lines: Sequence[Line]) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    return made


@pytest.fixture
def weights(tmp_path: Path) -> Callable[[Training], npt.NDArray[np.float64]]:
    """Return the weights of the model that a run saves."""
    return lambda training: load(saved(training, tmp_path) / "model.npz")["weights"]


def saved(training: Training, below: Path) -> Path:
    directory = Path(tempfile.mkdtemp(dir=below))
    training.save_model(directory)
    return directory


def losses(changed: TrainingTask) -> list[float]:
    return [step.metrics["train_loss"] for step in steps_of(BigramTrainer().start(changed))]


def symbols(text: str) -> list[tuple[int, int]]:
    edged = [EDGE, *text.encode(), EDGE]
    return list(itertools.pairwise(edged))


def by_hand(weights: npt.NDArray[np.float64], texts: list[str]) -> tuple[float, float]:
    """Mean loss and accuracy, without any of the code under test."""
    loss, right, total = 0.0, 0, 0
    for text in texts:
        for before, after in symbols(text):
            row = [float(weight) for weight in weights[before]]
            loss += math.log(math.fsum(math.exp(weight) for weight in row)) - row[after]
            right += row.index(max(row)) == after
            total += 1
    return loss / total, right / total


def test_metrics__are_those_of_the_model(
    task: MakeTask, weights: Callable[[Training], npt.NDArray[np.float64]]
) -> None:
    whole = task(validation=EXAMPLES[:5], hyperparameters={"batch_size": 24, "n_epochs": 3})
    training = BigramTrainer().start(whole)
    steps = steps_of(training)
    before = weights(training)
    step = next(steps)
    after = weights(training)
    assert by_hand(before, TEXTS) == pytest.approx(
        (step.metrics["train_loss"], step.metrics["train_mean_token_accuracy"]), rel=1e-12
    )
    assert by_hand(before, TEXTS[:5]) == pytest.approx(
        (step.metrics["valid_loss"], step.metrics["valid_mean_token_accuracy"]), rel=1e-12
    )
    assert by_hand(after, TEXTS[:5]) == pytest.approx(
        (step.metrics["full_valid_loss"], step.metrics["full_valid_mean_token_accuracy"]),
        rel=1e-12,
    )
    assert step.tokens == sum(len(text.encode()) + 1 for text in TEXTS)
    assert (step.number, step.checkpoint, training.total_steps) == (1, True, 3)


def test_training__approaches_what_a_bigram_can_reach(task: MakeTask) -> None:
    settings = {"n_epochs": 50, "batch_size": 24, "learning_rate_multiplier": 4.0}
    told = losses(task(hyperparameters=settings))
    pairs_seen = Counter(pair for text in TEXTS for pair in symbols(text))
    firsts = Counter(before for pair in pairs_seen.elements() for before in pair[:1])
    best = -sum(
        count * math.log(count / firsts[before]) for (before, _), count in pairs_seen.items()
    ) / sum(pairs_seen.values())
    assert told[0] == pytest.approx(math.log(SYMBOLS), abs=0.02)
    assert best < told[-1] < best + 0.1


def test_training__is_the_same_for_the_same_task(task: MakeTask) -> None:
    assert losses(task()) == losses(task())


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"hyperparameters": {"batch_size": 5}},
        {"hyperparameters": {"learning_rate_multiplier": 0.5}},
        {"examples": EXAMPLES[1:]},
    ],
)
def test_training__changes_with_each_thing_it_depends_on(
    changes: dict[str, Any], task: MakeTask
) -> None:
    assert losses(task(**changes))[1:6] != losses(task())[1:6]


def test_training__takes_as_many_epochs_as_asked(task: MakeTask) -> None:
    assert [len(losses(task(hyperparameters={"n_epochs": n}))) for n in (1, 2, 5)] == [6, 12, 30]


def test_seed__matters_even_where_a_batch_is_the_whole_file(task: MakeTask) -> None:
    whole = {"batch_size": 24}
    assert losses(task(hyperparameters=whole)) != losses(task(hyperparameters=whole, seed=2))


@pytest.mark.parametrize("stop", [1, 5, 11, 12])
def test_resume__goes_on_as_if_never_paused(stop: int, task: MakeTask, tmp_path: Path) -> None:
    trainer, all_of_it = BigramTrainer(), task(validation=EXAMPLES[:3])
    through = list(steps_of(trainer.start(all_of_it)))
    first = trainer.start(all_of_it)
    steps = steps_of(first)
    told: list[Step] = [next(steps) for _ in range(stop)]
    first.save_snapshot(tmp_path)
    second = trainer.resume(all_of_it, tmp_path)
    told += list(steps_of(second))
    assert told == through
    assert second.total_steps == 12


def test_start__from_a_tuned_model(task: MakeTask, tmp_path: Path) -> None:
    trainer = BigramTrainer()
    first = trainer.start(task())
    told = list(steps_of(first))
    second = next(steps_of(trainer.start(task(parent=saved(first, tmp_path)))))
    assert second.metrics["train_loss"] < told[-1].metrics["train_loss"] + 0.1


def preferences() -> list[Line]:
    return [
        {
            "preferred_output": [{"role": "assistant", "content": f"yes, {number}"}],
            "non_preferred_output": [{"role": "assistant", "content": f"no way {number}!"}],
        }
        for number in range(12)
    ]


def pair(line: Line) -> tuple[str, str]:
    """The preferred and the other text of a line."""
    preferred, other = line["preferred_output"], line["non_preferred_output"]
    return preferred[0]["content"], other[0]["content"]


def test_dpo__learns_to_prefer(
    task: MakeTask, weights: Callable[[Training], npt.NDArray[np.float64]]
) -> None:
    settings = {"beta": 0.5, "n_epochs": 10}
    given = task(method="dpo", examples=preferences(), hyperparameters=settings)
    training = BigramTrainer().start(given)
    told = list(steps_of(training))
    assert told[0].metrics["train_loss"] == pytest.approx(math.log(2))
    assert told[-1].metrics["train_loss"] < 0.2
    learned = weights(training)
    yes, _ = by_hand(learned, [pair(one)[0] for one in preferences()])
    no, _ = by_hand(learned, [pair(one)[1] for one in preferences()])
    assert yes < no
    assert told[0].tokens == sum(len("yes, 1") + len("no way 1!") + 2 for _ in range(4)) + extra(
        given, 4
    )


def extra(given: TrainingTask, count: int) -> int:
    """Two more tokens for each example of the first batch whose number has two digits."""
    order = np.random.default_rng([given.seed, 0, 0]).permutation(12)[:count]
    return 2 * sum(int(index) > 9 for index in order)


def test_dpo__loss_is_that_of_the_paper(
    task: MakeTask, weights: Callable[[Training], npt.NDArray[np.float64]]
) -> None:
    beta, examples = 0.3, preferences()
    given = task(method="dpo", examples=examples, hyperparameters={"beta": beta, "batch_size": 12})
    training = BigramTrainer().start(given)
    start = weights(training)
    steps = steps_of(training)
    next(steps)
    now = weights(training)
    second = next(steps)

    def gain(text: str) -> float:
        size = len(symbols(text))
        return size * (by_hand(start, [text])[0] - by_hand(now, [text])[0])

    leads = [beta * (gain(pair(one)[0]) - gain(pair(one)[1])) for one in examples]
    loss = sum(math.log1p(math.exp(-lead)) for lead in leads) / len(leads)
    assert second.metrics["train_loss"] == pytest.approx(loss, rel=1e-9)


STARTS_LIKE: dict[str, Any] = {
    "type": "string_check",
    "name": "starts like",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.start }}",
    "operation": "like",
}


def test_reinforcement__earns_more_in_the_end(task: MakeTask, tmp_path: Path) -> None:
    """One of three words that a model has learned to say is rewarded."""
    words = [{"prompt": "", "completion": text} for text in ("yes", "no", "maybe")]
    able = {"n_epochs": 50, "batch_size": 3, "learning_rate_multiplier": 2.0}
    speaker = BigramTrainer().start(task(words, hyperparameters=able))
    list(steps_of(speaker))
    lines = [{"start": "maybe"}] * 8
    settings = {"compute_multiplier": 2.0, "eval_interval": 3, "eval_samples": 2, "n_epochs": 25}
    rewarded = task(
        lines,
        lines[:4],
        method="reinforcement",
        grader=STARTS_LIKE,
        parent=saved(speaker, tmp_path),
        hyperparameters=settings,
    )
    told = [step.metrics for step in steps_of(BigramTrainer().start(rewarded))]
    rewards = [metrics["train_mean_reward"] for metrics in told]
    assert sum(rewards[:5]) < 2.5
    assert sum(rewards[-5:]) > 4
    assert all(0 <= reward <= 1 for reward in rewards)
    measured = [place + 1 for place, one in enumerate(told) if "full_valid_mean_reward" in one]
    assert measured == [step for step in range(1, 51) if step % 3 == 0 or step % 2 == 0]


def test_reinforcement__needs_a_grader(task: MakeTask) -> None:
    bare = task(method="reinforcement", hyperparameters={"eval_samples": 1})
    with pytest.raises(TrainingError) as caught:
        BigramTrainer().start(bare)
    assert str(caught.value) == "A reinforcement job needs a grader."
