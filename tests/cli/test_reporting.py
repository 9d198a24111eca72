from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from finetune_client.cli.reporting import PlainLines, json_line, losses, metrics_line
from finetune_client.metrics import Metrics
from finetune_client.models import FineTuningJobEvent

if TYPE_CHECKING:
    import pytest


def event(step: int, total: int | None = None, loss: float = 1.0) -> FineTuningJobEvent:
    data = {"step": step, "train_loss": loss} | ({"total_steps": total} if total else {})
    return FineTuningJobEvent(id=f"e-{step}", message="m", type="metrics", data=data)


def test_json_line__what_json_does_not_have_becomes_null() -> None:
    line = json_line({"kind": "metrics", "series": {"loss": [(1, math.nan), (2, -math.inf)]}})
    assert json.loads(line)["series"] == {"loss": [[1, None], [2, None]]}


def test_losses__leaves_out_what_is_no_number() -> None:
    metrics = Metrics.from_events([event(1), event(2, loss=math.nan), event(3)])
    assert losses(metrics) == {"train_loss": [(1, 1.0), (3, 1.0)]}


def test_event__of_many_steps_about_twenty_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    out = PlainLines()
    for step in range(1, 401):
        out.event(event(step, 400))
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 20
    assert shown[-1] == "step 400/400 train_loss 1.0000"


def test_event__without_a_total_each_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    out = PlainLines()
    out.event(event(1))
    out.event(event(2))
    assert capsys.readouterr().out == "step 1 train_loss 1.0000\nstep 2 train_loss 1.0000\n"


def test_metrics_line__leaves_out_what_was_not_measured() -> None:
    data = {"step": 2, "total_steps": 3, "train_loss": 0.5, "valid_loss": -1, "mean_reward": -1}
    told = metrics_line(FineTuningJobEvent(id="e-2", message="m", type="metrics", data=data))
    assert told == "step 2/3 train_loss 0.5000 mean_reward -1.0000"
