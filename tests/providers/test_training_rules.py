from __future__ import annotations

import pytest

from finetune_client.providers import TrainingRules
from finetune_client.providers.training_rules import of_family

FAMILIES = {"small": 1, "small-2": 2}


@pytest.mark.parametrize(
    ("model", "value"),
    [
        ("small", 1),
        ("small-2024-07-18", 1),
        ("smaller", None),
        ("ft:small-2024-07-18:acme::abc123", 1),
        ("ft:other:acme::abc123", None),
        ("", None),
    ],
)
def test_of_family__is_by_the_beginning_of_the_name(model: str, value: int | None) -> None:
    assert of_family(model, FAMILIES) == value


def test_context_length__is_that_of_the_models_family() -> None:
    rules = TrainingRules(context_lengths={"small": 128})
    assert rules.context_length("small-2024") == 128
    assert rules.context_length("ft:small-2024:acme::1") == 128
    assert rules.context_length("large") is None
    assert rules.context_length(None) is None


def test_context_length__of_published_models() -> None:
    assert TrainingRules().context_length("gpt-4o-mini-2024-07-18") == 65_536
