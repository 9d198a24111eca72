from __future__ import annotations

import json
from typing import Any

import pytest

from finetune_client.models import (
    EvalItem,
    InputText,
    SamplingParams,
    ScoreModelGrader,
    grader_problems,
    read_grader,
)
from tests.support.graders import ITEMS, score_model


def test_score_model__that_was_built_goes_out_whole() -> None:
    grader = ScoreModelGrader(
        name="s",
        model="gpt-5-mini",
        input=[EvalItem(role="user", content=[InputText(text="{{sample.output_text}}")])],
        range=[0, 10],
        sampling_params=SamplingParams(max_completions_tokens=100, temperature=0.5),
    )
    assert grader.to_dict() == {
        "type": "score_model",
        "name": "s",
        "model": "gpt-5-mini",
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "{{sample.output_text}}"}],
            }
        ],
        "range": [0, 10],
        "sampling_params": {"max_completions_tokens": 100, "temperature": 0.5},
    }
    assert read_grader(json.loads(json.dumps(grader.to_dict()))) == grader


@pytest.mark.parametrize("ends", [[0, True], [0, "1"], "01", [None, 1]])
def test_score_model__range_of_another_kind_stays(ends: Any) -> None:
    found = read_grader({"type": "score_model", "range": ends})
    assert found.extra == {"range": ends}


@pytest.mark.parametrize(
    "grader",
    [
        score_model(),
        score_model(range=[-1, 0.5], input=[EvalItem(role="system", content=[InputText()])]),
        score_model(sampling_params=SamplingParams(max_completions_tokens=1, top_p=0.5, seed=-1)),
        score_model(sampling_params={"reasoning_effort": "none", "temperature": None}),
        score_model(input=[{"role": "user", "content": ["x", {"type": "tomorrow"}]}]),
        score_model(input=[{"role": "user", "content": {"type": "input_text"}}]),
    ],
)
def test_problems__none(grader: Any) -> None:
    assert grader_problems(grader) == []


NO_RANGES: list[Any] = [[1, 0], [0, 0], [0], [0, 1, 2], [0, True], [0, float("nan")], "01", {}]


@pytest.mark.parametrize(
    ("grader", "problem"),
    [
        (score_model(model=None), "grader.model: is missing"),
        (score_model(input=None), "grader.input: is missing"),
        (
            score_model(input=[]),
            "grader.input: must be an array of messages, at least one, got []",
        ),
        (score_model(input=["x"]), "grader.input[0]: must be an object, got 'x'"),
        (
            score_model(input=[*ITEMS, EvalItem(role="tool", content="x")]),
            "grader.input[1].role: must be one of user, assistant, system, developer, got 'tool'",
        ),
        (score_model(input=[EvalItem(role="user")]), "grader.input[0].content: is missing"),
        (
            score_model(input=[{"role": "user", "content": 5}]),
            "grader.input[0].content: must be text, an object or an array, got 5",
        ),
        (
            score_model(input=[{"role": "user", "content": ["x", 5]}]),
            "grader.input[0].content[1]: must be text or an object, got 5",
        ),
        (
            score_model(input=[{"role": "user", "content": [{"text": "x"}]}]),
            "grader.input[0].content[0].type: is missing",
        ),
        (
            score_model(input=[{"role": "user", "content": {"type": 5}}]),
            "grader.input[0].content.type: must be text, got 5",
        ),
        *(
            (
                score_model(range=ends),
                f"grader.range: must be two numbers, the lower first, got {ends!r}",
            )
            for ends in NO_RANGES
        ),
        (
            score_model(sampling_params=5),
            "grader.sampling_params: must be an object, got 5",
        ),
        (
            score_model(sampling_params=SamplingParams(max_completions_tokens=0)),
            "grader.sampling_params.max_completions_tokens: must be >= 1, got 0",
        ),
        (
            score_model(sampling_params={"temperature": "auto"}),
            "grader.sampling_params.temperature: must be a number, got 'auto'",
        ),
        (
            score_model(sampling_params={"reasoning_effort": "huge"}),
            (
                "grader.sampling_params.reasoning_effort: must be one of none, minimal, low, medium, "
                "high, xhigh, max, got 'huge'"
            ),
        ),
    ],
)
def test_problems__one_each(grader: Any, problem: str) -> None:
    assert grader_problems(grader) == [problem]
