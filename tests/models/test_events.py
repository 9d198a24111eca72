from __future__ import annotations

from datetime import datetime, timezone

import pytest

from finetune_client.models import (
    FineTuningJobEvent,
    FineTuningJobEventLevel,
    FineTuningJobEventType,
)

SENT = {
    "object": "fine_tuning.job.event",
    "id": "ftevent-1",
    "created_at": 1721764800,
    "level": "info",
    "message": "Step 3/10: training loss=1.25",
    "type": "metrics",
    "data": {"step": 3, "train_loss": 1.25, "by_layer": [0.5, None]},
}


def test_from_dict__reads_every_field() -> None:
    event = FineTuningJobEvent.from_dict(SENT)
    assert (event.id, event.level, event.type) == (
        "ftevent-1",
        FineTuningJobEventLevel.INFO,
        FineTuningJobEventType.METRICS,
    )
    assert event.data == SENT["data"]
    assert event.created == datetime(2024, 7, 23, 20, tzinfo=timezone.utc)
    assert event.extra == {}
    assert event.to_dict() == SENT


def test_from_dict__an_event_of_which_nothing_is_known() -> None:
    event = FineTuningJobEvent.from_dict({})
    assert (event.id, event.created, event.data, event.to_dict()) == (None, None, None, {})


@pytest.mark.parametrize(
    ("key", "value"),
    [("data", "loss=1"), ("level", 3), ("created_at", "yesterday"), ("type", ["metrics"])],
)
def test_from_dict__a_value_of_another_kind_is_kept(key: str, value: object) -> None:
    event = FineTuningJobEvent.from_dict({**SENT, key: value})
    assert getattr(event, key) is None
    assert event.extra == {key: value}
    assert event.to_dict() == {**SENT, key: value}


def test_from_dict__an_unknown_level_stays_as_sent() -> None:
    assert FineTuningJobEvent.from_dict({**SENT, "level": "debug"}).level == "debug"


def test_to_dict__gives_data_that_can_be_changed() -> None:
    event = FineTuningJobEvent.from_dict(SENT)
    event.to_dict()["data"]["step"] = 99
    assert event.data is not None
    assert event.data["step"] == 3


def test_repr__is_short() -> None:
    text = repr(FineTuningJobEvent.from_dict({**SENT, "message": "x" * 10_000}))
    assert text.startswith("FineTuningJobEvent(created_at=1721764800, level='info', message='x")
    assert len(text) < 300
