from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.models import (
    EvalItem,
    FineTuningJobRequest,
    InputText,
    LabelModelGrader,
    MultiGrader,
    PythonGrader,
    ReinforcementMethod,
    SamplingParams,
    ScoreModelGrader,
    StringCheckGrader,
    TextSimilarityGrader,
    grader_problems,
)
from tests.support.model_values import json_values

ITEMS = [EvalItem(role="user", content="How good is {{sample.output_text}}?")]


def string_check(**fields: Any) -> StringCheckGrader:
    given_ = {"name": "a", "input": "x", "reference": "", "operation": "eq", **fields}
    return StringCheckGrader(**given_)


def score_model(**fields: Any) -> ScoreModelGrader:
    return ScoreModelGrader(**{"name": "s", "model": "gpt-5-mini", "input": ITEMS, **fields})


def label_model(**fields: Any) -> LabelModelGrader:
    given_ = {
        "name": "l",
        "model": "gpt-5-mini",
        "input": ITEMS,
        "labels": ["good", "bad"],
        "passing_labels": ["good"],
        **fields,
    }
    return LabelModelGrader(**given_)


def multi(graders: Any, formula: Any = "a") -> MultiGrader:
    return MultiGrader(name="m", graders=graders, calculate_output=formula)


@pytest.mark.parametrize(
    "grader",
    [
        *(string_check(operation=one) for one in ("eq", "ne", "like", "ilike")),
        *(
            TextSimilarityGrader(name="t", input="", reference="", evaluation_metric=one)
            for one in ("cosine", "fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_l")
        ),
        PythonGrader(source="def grade(sample, item): return 1.0"),
        score_model(),
        score_model(range=[-1, 0.5], input=[EvalItem(role="system", content=[InputText()])]),
        score_model(sampling_params=SamplingParams(max_completions_tokens=1, top_p=0.5, seed=-1)),
        score_model(sampling_params={"reasoning_effort": "none", "temperature": None}),
        multi({"a": string_check()}),
        multi({"a": string_check(), "b": label_model()}, "0.5 * a + min(b, 1e-3) ^ 2 / sqrt(a)"),
        multi({"a": {**string_check().to_dict(), "name": None}}),
        multi({"two words": string_check()}, "two words * 2"),
        multi({"sim-1": string_check(), "sim-1-strict": string_check()}, "sim-1 * sim-1-strict"),
        multi({"1": string_check(), "sim1": string_check()}, "sim1 + 1"),
        {"type": "python", "source": "s", "name": None, "image_tag": None},
        score_model(input=[{"role": "user", "content": ["x", {"type": "tomorrow"}]}]),
        score_model(input=[{"role": "user", "content": {"type": "input_text"}}]),
        {"type": "tomorrow", "anything": 1},
    ],
)
def test_problems__none(grader: Any) -> None:
    assert grader_problems(grader) == []


NO_RANGES: list[Any] = [[1, 0], [0, 0], [0], [0, 1, 2], [0, True], [0, float("nan")], "01", {}]


@pytest.mark.parametrize(
    ("grader", "problem"),
    [
        (None, "grader: is missing"),
        ("python", "grader: must be an object, got 'python'"),
        ({}, "grader.type: is missing"),
        ({"type": 5}, "grader.type: must be text, got 5"),
        (string_check(name=None), "grader.name: is missing"),
        (string_check(name=""), "grader.name: must not be empty"),
        (string_check(input=None), "grader.input: is missing"),
        (string_check(reference=5), "grader.reference: must be text, got 5"),
        (string_check(operation=None), "grader.operation: is missing"),
        (
            string_check(operation="neq"),
            "grader.operation: must be one of eq, ne, like, ilike, got 'neq'",
        ),
        (
            TextSimilarityGrader(name="t", input="", reference="", evaluation_metric="rouge1"),
            (
                "grader.evaluation_metric: must be one of cosine, fuzzy_match, bleu, gleu, meteor, "
                "rouge_1, rouge_2, rouge_3, rouge_4, rouge_5, rouge_l, got 'rouge1'"
            ),
        ),
        (PythonGrader(name="p"), "grader.source: is missing"),
        (PythonGrader(source="\n"), "grader.source: must not be empty"),
        (
            PythonGrader(source="é" * 128_000),
            "grader.source: must have less than 256000 bytes, got 256000",
        ),
        (PythonGrader(source="s", name=5), "grader.name: must be text, got 5"),  # type: ignore[arg-type]  # it is what is tested
        (
            {"type": "python", "source": "s", "image_tag": 20250508},
            "grader.image_tag: must be text, got 20250508",
        ),
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
        (
            label_model(),
            'grader.type: must not be "label_model" here; it stands only inside a multi grader',
        ),
        (
            multi({"b": label_model(labels=None)}, "b"),
            "grader.graders.b.labels: is missing",
        ),
        (
            multi({"b": label_model(passing_labels=[])}, "b"),
            "grader.graders.b.passing_labels: must be an array of texts, at least one, got []",
        ),
        (
            multi({"b": label_model(passing_labels=["good", "fair", "odd"])}, "b"),
            "grader.graders.b.passing_labels: must be some of labels, which lacks 'fair', 'odd'",
        ),
        (multi(None), "grader.graders: is missing"),
        (multi({}), "grader.graders: must have at least one grader"),
        (multi(5), "grader.graders: must be a map from name to grader, got 5"),
        (
            {"type": "multi", "graders": {"type": "python"}, "calculate_output": "a"},
            "grader.graders: must be a map from name to grader, got one grader",
        ),
        (
            {"type": "multi", "graders": [{"type": "python"}], "calculate_output": "a"},
            "grader.graders: must be a map from name to grader, got [{'type': 'python'}]",
        ),
        (multi({"a": 5}), "grader.graders.a: must be an object, got 5"),
        (multi({"a": {}}), "grader.graders.a.type: is missing"),
        (
            multi({"a": string_check(operation="x")}),
            "grader.graders.a.operation: must be one of eq, ne, like, ilike, got 'x'",
        ),
        (
            multi({"a": multi({"b": 5})}),
            (
                'grader.graders.a.type: must not be "multi" here; '
                "it cannot stand inside another multi grader"
            ),
        ),
        (
            multi({"a": string_check(), 5: string_check()}),
            "grader.graders: each name must be text that is not empty, got 5",
        ),
        (
            multi({"a": string_check(), "": string_check()}),
            "grader.graders: each name must be text that is not empty, got ''",
        ),
        (
            {"type": "multi", "name": 5, "graders": {"a": string_check()}, "calculate_output": "a"},
            "grader.name: must be text, got 5",
        ),
        (multi({"a": string_check()}, None), "grader.calculate_output: is missing"),
        (multi({"a": string_check()}, 5), "grader.calculate_output: must be text, got 5"),
        (
            multi({"a": string_check()}, "a + round(a)"),
            "grader.calculate_output: uses round, which is not the name of a grader",
        ),
        (
            multi({"a": string_check()}, "a + other * other"),
            "grader.calculate_output: uses other, which is not the name of a grader",
        ),
    ],
)
def test_problems__one_each(grader: Any, problem: str) -> None:
    assert grader_problems(grader) == [problem]


def test_problems__in_a_request_have_the_whole_path() -> None:
    request = FineTuningJobRequest(
        model="o4-mini",
        training_file="file-1",
        method=ReinforcementMethod(grader=multi({"a": string_check(operation="x")}, "a + b")),
    )
    assert request.problems() == [
        (
            "method.reinforcement.grader.graders.a.operation: "
            "must be one of eq, ne, like, ilike, got 'x'"
        ),
        "method.reinforcement.grader.calculate_output: uses b, which is not the name of a grader",
    ]


def test_problems__of_graders_inside_one_another_without_end() -> None:
    grader: Any = {"type": "python", "source": "s"}
    for _ in range(100_000):
        grader = {"type": "multi", "graders": {"a": grader}, "calculate_output": "a"}
    assert grader_problems(grader) == [
        (
            'grader.graders.a.type: must not be "multi" here; '
            "it cannot stand inside another multi grader"
        )
    ]


KEYS = ["name", "input", "operation", "source", "model", "range", "sampling_params", "labels"]
MORE = ["passing_labels", "graders", "calculate_output", "reference", "evaluation_metric"]
TYPES = ["string_check", "text_similarity", "python", "score_model", "label_model", "multi"]


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES)}, optional=dict.fromkeys(KEYS + MORE, json_values)
    )
)
def test_problems__never_raises(grader: dict[str, Any]) -> None:
    assert all(one.startswith("grader") for one in grader_problems(grader))
