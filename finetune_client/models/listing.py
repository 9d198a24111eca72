"""What the list of jobs can be asked for.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune_client.errors import RequestError
from finetune_client.models.checks import needed_text, number
from finetune_client.providers.request_limits import Bounds

__all__ = ["job_list_query"]

LIMIT = Bounds(whole=True, auto=False)
"""How many rows a page may have is for the server to say."""


def job_list_query(
    *,
    after: str | None = None,
    limit: int | None = None,
    metadata: Mapping[str, str] | None = None,
    without_metadata: bool = False,
) -> dict[str, Any]:
    """Return the query of a list of jobs; a nested dict stands for ``metadata[key]=value``.

    Args:
        after: The id of the last job of the page before.
        limit: Jobs in a page; the server takes 20.
        metadata: Only jobs with all these pairs; an empty dict filters nothing.
        without_metadata: Only jobs that have none: sends the literal ``metadata=null``.

    Raises:
        RequestError: Something is of the wrong kind, or both filters are given.
    """
    problems = [
        *([] if after is None else needed_text("after", after)),
        *number("limit", limit, LIMIT),
        *_metadata_problems(metadata),
    ]
    if metadata and without_metadata:
        problems.append("metadata: cannot be given together with without_metadata")
    if problems:
        raise RequestError(f"Cannot list jobs: {'; '.join(problems)}.", problems=problems)
    query = {"after": after, "limit": limit, "metadata": dict(metadata) if metadata else None}
    if without_metadata:
        query["metadata"] = "null"
    return {key: value for key, value in query.items() if value is not None}


def _metadata_problems(metadata: Any) -> list[str]:
    if metadata is None:
        return []
    if not isinstance(metadata, Mapping):
        return ["metadata: must be a dict of texts"]
    return [
        problem
        for key, value in metadata.items()
        for problem in (
            *needed_text("metadata: each key", key),
            *needed_text(f"metadata.{key}", value, empty=True),
        )
    ]
