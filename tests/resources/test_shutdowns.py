"""What ends soon is told: by a warning before a job is created, in the log where models are read."""

from __future__ import annotations

import warnings
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from finetune_client.errors import ShutdownWarning
from finetune_client.providers import COMPATIBLE, OPENAI, Provider
from finetune_client.resources.shutdowns import warn_of_shutdowns

if TYPE_CHECKING:
    import responses

    from finetune_client import Client
    from tests.support.fake_time import FakeTime

BASE = "https://api.openai.com/v1"
LAST = "The last day on which 'openai' creates fine-tuning jobs"


def _at(day: str) -> float:
    return datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=timezone.utc).timestamp()


def _warned(provider: Provider, model: object, day: str) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_shutdowns(provider, model, _at(day))
    assert {one.category for one in caught} <= {ShutdownWarning}
    return [str(one.message) for one in caught]


def _told(model: str, are: str, day: str) -> str:
    return f"The model {model!r} and all that is fine-tuned from it {are} shut down on {day}."


@pytest.mark.parametrize(
    ("model", "day", "told"),
    [
        ("gpt-4o-mini-2024-07-18", "2026-07-01", []),
        ("gpt-9", "2026-11-26", [f"{LAST} is 2027-01-06."]),
        ("gpt-9", "2027-01-06", [f"{LAST} is 2027-01-06."]),
        ("gpt-9", "2027-01-07", [f"{LAST} was 2027-01-06."]),
        (
            "gpt-4o-mini-2024-07-18",
            "2026-11-26",
            [f"{LAST} is 2027-01-06.", _told("gpt-4o-mini-2024-07-18", "are", "2027-01-14")],
        ),
        (
            "ft:gpt-4.1-2025-04-14:acme::abc",
            "2027-01-15",
            [
                f"{LAST} was 2027-01-06.",
                _told("ft:gpt-4.1-2025-04-14:acme::abc", "were", "2027-01-14"),
            ],
        ),
        (
            "gpt-4.1-nano-2025-04-14",
            "2026-09-01",
            [_told("gpt-4.1-nano-2025-04-14", "are", "2026-10-23")],
        ),
        ("o4-mini-2025-04-16", "2026-08-01", [_told("o4-mini-2025-04-16", "are", "2026-10-23")]),
        (None, "2026-08-01", []),
    ],
)
def test_warn__of_openais_dates(model: object, day: str, told: list[str]) -> None:
    assert _warned(OPENAI, model, day) == told


def test_warn__nothing_of_a_provider_without_dates() -> None:
    assert _warned(COMPATIBLE, "gpt-4o-mini", "2027-01-15") == []


def test_create__warns_at_the_callers_line_and_sends_the_job_alone(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    server.post(f"{BASE}/fine_tuning/jobs", json={"id": "ftjob-1"})
    time.wall = _at("2027-01-07")
    with pytest.warns(ShutdownWarning, match="creates fine-tuning jobs was") as caught:
        client.jobs.create(model="gpt-9", training_file="file-1")
    assert caught[0].filename == __file__
    assert len(server.calls) == 1


def test_models__that_are_shut_down_soon_are_logged(
    client: Client,
    server: responses.RequestsMock,
    time: FakeTime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [
        {"id": "a", "shutdown_date": "2027-01-14"},
        {"id": "b", "shutdown_date": "2027-09-01"},
        {"id": "c", "shutdown_date": None},
        {"id": "d", "shutdown_date": "soon"},
        {"id": "e", "shutdown_date": "2026-10-23"},
    ]
    server.get(f"{BASE}/models", json={"object": "list", "data": rows})
    server.get(f"{BASE}/models/a", json=rows[0])
    server.get(f"{BASE}/models/b", json=rows[1])
    time.wall = _at("2026-11-26")
    found = list(client.models.list())
    assert found[0].shuts_down == datetime(2027, 1, 14, tzinfo=timezone.utc)
    assert [model.shuts_down for model in found[2:4]] == [None, None]
    assert client.models.retrieve("a").shuts_down == found[0].shuts_down
    client.models.retrieve("b")
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "models that are shut down: a (2027-01-14), e (2026-10-23)",
        "models that are shut down: a (2027-01-14)",
    ]
