from __future__ import annotations

from typing import Any

import pytest

from finetune_client.errors import RequestError
from finetune_client.models import job_list_query


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ({}, {}),
        ({"after": "ftjob-1", "limit": 5}, {"after": "ftjob-1", "limit": 5}),
        ({"limit": 0}, {"limit": 0}),
        ({"metadata": {"k": "v", "e": ""}}, {"metadata": {"k": "v", "e": ""}}),
        ({"metadata": {}}, {}),
        ({"metadata": None}, {}),
        ({"without_metadata": True}, {"metadata": "null"}),
        ({"metadata": {}, "without_metadata": True}, {"metadata": "null"}),
    ],
)
def test_job_list_query(given: dict[str, Any], query: dict[str, Any]) -> None:
    assert job_list_query(**given) == query


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"after": ""}, "after: must not be empty"),
        ({"after": 5}, "after: must be text, got 5"),
        ({"limit": True}, "limit: must be a whole number, got True"),
        ({"metadata": ["k"]}, "metadata: must be a dict of texts"),
        ({"metadata": {"k": 5}}, "metadata.k: must be text, got 5"),
        ({"metadata": {5: "v"}}, "metadata: each key: must be text, got 5"),
        (
            {"metadata": {"k": "v"}, "without_metadata": True},
            "metadata: cannot be given together with without_metadata",
        ),
    ],
)
def test_job_list_query__refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(RequestError) as caught:
        job_list_query(**given)
    assert str(caught.value) == f"Cannot list jobs: {problem}."
    assert caught.value.problems == [problem]
