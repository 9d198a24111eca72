from __future__ import annotations

from pathlib import Path
from typing import get_args

from finetune_client.providers import Feature
from tests.support.provider_table import OPERATIONS, provider_table

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def test_table__stands_in_the_docs_as_the_values_say() -> None:
    assert provider_table() in PAGE.read_text(encoding="utf-8")


def test_table__has_a_row_for_every_feature() -> None:
    assert set(OPERATIONS) == set(get_args(Feature))
