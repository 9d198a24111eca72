from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from finetune_client.grading import PythonGraders, PythonLimits, run_grader
from finetune_client.local.training import sample_grader
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.local.training.llm.conftest import Outcome

    Train = Callable[..., Outcome]

pytestmark = pytest.mark.filterwarnings("default")

GRADER = {
    "type": "text_similarity",
    "name": "near",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "evaluation_metric": "fuzzy_match",
}
LINES = [
    {"messages": [{"role": "user", "content": f"{number}?"}], "answer": "aeiou" * 3}
    for number in range(4)
]
GIVEN: dict[str, Any] = {
    "method": "reinforcement",
    "grader": GRADER,
    "batch_size": 2,
    "n_epochs": 2,
    "compute_multiplier": 0.5,
    "options": {"answer_tokens": 8},
}


def test_reinforcement__rewards_are_those_of_the_grader(
    train_here: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, float]] = []

    def spy(grader: Any, text: str, line: Any, python: Any) -> Any:
        grade = run_grader(grader, text, line, python)
        seen.append((text, grade.reward))
        return grade

    monkeypatch.setattr(sample_grader, "run_grader", spy)
    done = train_here(LINES, validation=LINES[:2], **GIVEN, eval_samples=3)
    [started] = done.of("started")
    assert started["total_steps"] == 4
    [told] = [notice for notice in done.of("notice") if "sampled and graded" in notice["message"]]
    assert (told["level"], told["message"]) == (
        "info",
        "Before each step 8 answers of at most 8 tokens are sampled and graded: 4 to each of 2 prompts.",
    )
    assert told["data"] == {"prompts": 2, "samples": 4, "answer_tokens": 8}
    assert len(done.steps) == 4
    measured = seen.copy()
    for step in done.steps:
        mine, measured = measured[:8], measured[8:]
        assert step["metrics"]["train_mean_reward"] == pytest.approx(
            sum(reward for _, reward in mine) / 8, abs=1e-6
        )
        assert 8 <= step["tokens"] <= 64
        if "full_valid_mean_reward" in step["metrics"]:
            mine, measured = measured[:6], measured[6:]
            assert step["metrics"]["full_valid_mean_reward"] == pytest.approx(
                sum(reward for _, reward in mine) / 6, abs=1e-6
            )
    assert not measured
    assert len({reward for _, reward in seen}) > 1
    assert len(done.metrics("full_valid_mean_reward")) == 2


CODE = {
    "type": "python",
    "name": "vowels",
    "source": (
        "def grade(sample, item):\n"
        "    text = sample['output_text']\n"
        "    return sum(text.count(vowel) for vowel in 'aeiou') / item['whole']"
    ),
}


def test_reinforcement__rewards_of_a_python_grader(
    train_here: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of its code, in a multi grader too; its errors count as 0 and are told once."""
    seen: list[tuple[str, Any, float]] = []

    def spy(grader: Any, text: str, line: Any, python: Any) -> Any:
        grade = run_grader(grader, text, line, python)
        if grader is multi:
            seen.append((text, line, grade.reward))
        return grade

    monkeypatch.setattr(sample_grader, "run_grader", spy)
    graders = {"vowels": CODE, "near": GRADER}
    multi = {"type": "multi", "graders": graders, "calculate_output": "vowels + 0.25 * near"}
    lines = [{**line, "whole": number} for number, line in enumerate(LINES)]
    done = train_here(lines, validation=lines[1:3], **{**GIVEN, "grader": multi}, eval_samples=2)
    assert len(done.steps) == 4
    first = [reward for _, _, reward in seen[:8]]
    assert done.steps[0]["metrics"]["train_mean_reward"] == pytest.approx(sum(first) / 8, abs=1e-6)
    assert len({reward for _, _, reward in seen}) > 2
    with PythonGraders(PythonLimits()) as python:
        for text, line, reward in seen:
            assert run_grader(multi, text, line, python).reward == reward
            if line["whole"] == 0:
                assert reward == 0.25 * run_grader(GRADER, text, line).reward
    [told] = done.warnings
    assert told.endswith(
        "(python_grader_runtime_error: vowels: ZeroDivisionError: division by zero (line 3 of the "
        "source)). Further errors of this kind are not reported."
    )


def test_reinforcement__measuring_changes_nothing_in_training(train_here: Train) -> None:
    with_file = train_here(LINES, validation=LINES, **GIVEN)
    without = train_here(LINES, **GIVEN)
    assert without.metrics("train_mean_reward") == with_file.metrics("train_mean_reward")


def test_reinforcement__without_a_grader(train_here: Train) -> None:
    with pytest.raises(TrainingError) as caught:
        train_here(LINES, **{**GIVEN, "grader": None})
    assert str(caught.value) == "A reinforcement job needs a grader."


def test_reinforcement__of_a_prompt_that_leaves_no_room(train_here: Train) -> None:
    with pytest.raises(TrainingError) as caught:
        train_here(LINES, **{**GIVEN, "options": {"answer_tokens": 8, "max_length": 28}})
    assert caught.value.code == "invalid_training_file"
    assert str(caught.value) == (
        "There is no room for an answer of 8 tokens after the prompt in 4 lines (1, 2, 3, 4) of the "
        "training_file: prompt and answer may have 28 tokens. Shorten the prompts, or allow longer "
        "sequences."
    )
