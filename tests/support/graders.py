"""Graders that the API would take, to be changed by tests."""

from __future__ import annotations

from typing import Any

from finetune_client.models import (
    EvalItem,
    LabelModelGrader,
    MultiGrader,
    ScoreModelGrader,
    StringCheckGrader,
)

__all__ = ["ITEMS", "label_model", "multi", "score_model", "string_check"]

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
