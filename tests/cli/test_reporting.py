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


def test_event__of_many_steps_the_first_and_about_twenty_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = PlainLines()
    for step in range(1, 401):
        out.event(event(step, 400))
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 21
    assert shown[0] == "step 1/400 train_loss 1.0000"
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


def _curve(values: list[float]) -> Metrics:
    return Metrics(
        rows=[{"step": n, "train_loss": 1.0, "full_valid_loss": v} for n, v in enumerate(values, 1)]
    )


def test_curve__names_the_best_step(capsys: pytest.CaptureFixture[str]) -> None:
    PlainLines().curve(_curve([3.0, 2.0, 2.01]))
    assert capsys.readouterr().out.splitlines()[2:] == ["Best full_valid_loss: 2.0000 at step 2"]


def test_curve__warns_where_the_validation_loss_rises(capsys: pytest.CaptureFixture[str]) -> None:
    PlainLines().curve(_curve([3.0, 2.0, 2.5]))
    assert capsys.readouterr().out.splitlines()[3] == (
        "Warning: full_valid_loss has risen by 25% since then: the model has begun to learn its "
        "examples by heart. The checkpoint at or before step 2 may be the better model; fewer "
        "epochs may help."
    )


def test_curve__says_nothing_of_batches_which_differ(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"step": number, "valid_loss": loss} for number, loss in enumerate((3.0, 2.0, 2.5))]
    PlainLines().curve(Metrics(rows=rows))
    assert "Best" not in capsys.readouterr().out
    PlainLines().curve(Metrics(rows=[*rows, {"step": 4, "train_loss": 1.0}]))  # now and then
    assert "Best valid_loss: 2.0000 at step 1" in capsys.readouterr().out


def test_curve__says_nothing_of_one_value_or_none(capsys: pytest.CaptureFixture[str]) -> None:
    PlainLines().curve(_curve([3.0]))
    PlainLines().curve(_curve([math.nan, math.nan]))
    assert "Best" not in capsys.readouterr().out
