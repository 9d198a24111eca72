from __future__ import annotations

from typing import Any

import pytest

from finetune_client.models import (
    GraderRun,
)


@pytest.mark.parametrize("usage", [324, {"total_tokens": 324}, [1], "many"])
def test_run__token_usage_may_be_anything(usage: Any) -> None:
    sent = {"reward": 1, "metadata": {"token_usage": usage, "errors": {"other_error": True}}}
    run = GraderRun.from_dict(sent)
    assert run.metadata is not None
    assert run.metadata.token_usage == usage
    assert run.to_dict() == sent
    assert repr(run) == "GraderRun(reward=1)"
