"""How jobs and files are polled: as often as the provider says, and no longer than asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import WaitTimeoutError
from finetune_client.providers import OPENAI
from tests.support.fake_time import FakeTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    import responses

BASE = "https://api.example/v1"
JOB = f"{BASE}/fine_tuning/jobs/ftjob-1"


def _job(status: str) -> dict[str, Any]:
    return {"id": "ftjob-1", "object": "fine_tuning.job", "status": status}


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def client(time: FakeTime) -> Iterator[Client]:
    slow = replace(OPENAI, first_poll=4.0, longest_poll=6.0)
    with Client("sk-test", base_url=BASE, provider=slow, max_retries=0) as client:
        client._session.clock = time.clock
        yield client


def test_wait__polls_as_often_as_the_provider_says(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    for status in ("queued", "running", "running", "succeeded"):
        server.get(JOB, json=_job(status))
    assert client.jobs.wait("ftjob-1").status == "succeeded"
    assert time.sleeps == [4, 6, 6]


def test_follow__polls_as_often_as_the_provider_says(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    server.get(JOB, json=_job("running"))
    server.get(JOB, json=_job("succeeded"))
    server.get(f"{JOB}/events", json={"object": "list", "data": [], "has_more": False})
    assert list(client.jobs.follow("ftjob-1")) == []
    assert time.sleeps == [4]


def test_watching__a_provider_without_events_ends_with_the_job(
    server: responses.RequestsMock, time: FakeTime
) -> None:
    for status in ("running", "succeeded", "running", "succeeded"):
        server.get(JOB, json=_job(status))
    with Client("sk-test", base_url=BASE, provider="litellm", max_retries=0) as client:
        client._session.clock = time.clock
        assert list(client.jobs.follow("ftjob-1")) == []
        assert client.jobs.wait("ftjob-1", on_event=print).status == "succeeded"


def test_wait_for_processing__polls_as_often_as_the_provider_says(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    for status in ("pending", "running", "processed"):
        server.get(f"{BASE}/files/file-1", json={"id": "file-1", "status": status})
    assert client.files.wait_for_processing("file-1").status == "processed"
    assert time.sleeps == [4, 6]


@pytest.mark.parametrize(
    ("total_timeout", "limits"), [(None, [10, 2, 1]), (5, [5, 2, 1])], ids=["none", "of the client"]
)
def test_wait__lets_no_call_last_longer_than_the_time_that_remains(
    client: Client,
    server: responses.RequestsMock,
    time: FakeTime,
    monkeypatch: pytest.MonkeyPatch,
    total_timeout: float | None,
    limits: list[float],
) -> None:
    seen: list[float | None] = []
    sharing = client._session.sharing

    def remember(config: Any, **options: Any) -> Any:
        seen.append(config.total_timeout)
        return sharing(config, **options)

    server.get(JOB, json=_job("running"))
    client._session.config = replace(client._session.config, total_timeout=total_timeout)
    monkeypatch.setattr(client._session, "sharing", remember)
    with pytest.raises(WaitTimeoutError):
        client.jobs.wait("ftjob-1", timeout=10, poll_interval=8)
    assert seen == limits
