from __future__ import annotations

from typing import Any

import pytest

from finetune_client.models import (
    PythonGrader,
    TextSimilarityGrader,
    grader_problems,
)
from tests.support.graders import string_check


@pytest.mark.parametrize(
    "grader",
    [
        *(string_check(operation=one) for one in ("eq", "ne", "like", "ilike")),
        *(
            TextSimilarityGrader(name="t", input="", reference="", evaluation_metric=one)
            for one in ("cosine", "fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_l")
        ),
        PythonGrader(source="def grade(sample, item): return 1.0"),
        {"type": "python", "source": "s", "name": None, "image_tag": None},
    ],
)
def test_problems__none(grader: Any) -> None:
    assert grader_problems(grader) == []


@pytest.mark.parametrize(
    ("grader", "problem"),
    [
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
    ],
)
def test_problems__one_each(grader: Any, problem: str) -> None:
    assert grader_problems(grader) == [problem]
