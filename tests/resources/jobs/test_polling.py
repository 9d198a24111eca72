"""How jobs and files are polled: as often as the provider says, and no longer than asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import JobStalledError, RequestError, WaitTimeoutError
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


def _list(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": [*rows], "has_more": False}


@pytest.mark.parametrize("call", ["wait", "follow", "wait_all"])
def test_stalled_after__looks_at_events_too(
    client: Client, server: responses.RequestsMock, time: FakeTime, call: str
) -> None:
    server.get(JOB, json=_job("running"))
    events = [{"id": f"ev-{number}", "created_at": number} for number in (3, 2, 1)]
    for count in (1, 2, 3):
        server.get(f"{JOB}/events", json=_list(*events[-count:]))
    ways: dict[str, Any] = {
        "wait": lambda **o: client.jobs.wait("ftjob-1", **o),
        "follow": lambda **o: list(client.jobs.follow("ftjob-1", **o)),
        "wait_all": lambda **o: client.jobs.wait_all(["ftjob-1"], **o),
    }
    with pytest.raises(JobStalledError) as caught:
        ways[call](stalled_after=10, poll_interval=5)
    assert caught.value.job.id == "ftjob-1"
    assert time.at == 5 + 5 + 10


def test_stalled_after__without_events_looks_at_the_status_alone(
    server: responses.RequestsMock, time: FakeTime
) -> None:
    client = Client("sk-1", base_url=BASE, provider="litellm")
    client._session.clock = time.clock
    server.get(JOB, json=_job("running"))
    with client, pytest.raises(JobStalledError):
        client.jobs.wait("ftjob-1", stalled_after=10, poll_interval=5)
    assert time.at == 10


def test_on_stalled__may_cancel_the_job(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    server.get(JOB, json=_job("running"))
    server.get(JOB, json=_job("running"))
    server.get(JOB, json=_job("cancelled"))
    server.get(f"{JOB}/events", json=_list())
    server.post(f"{JOB}/cancel", json=_job("cancelled"))
    job = client.jobs.wait(
        "ftjob-1",
        stalled_after=5,
        poll_interval=5,
        on_stalled=lambda job: client.jobs.cancel(job.id),
        raise_on_failure=False,
    )
    assert job.status == "cancelled"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stalled_after": -1}, "stalled_after must be a number of seconds from 0 on, got -1."),
        ({"stalled_after": "1"}, "stalled_after must be a number of seconds, got '1'."),
        (
            {"on_stalled": print},
            "on_stalled is never called without stalled_after; give both.",
        ),
        ({"stalled_after": 1, "on_stalled": 3}, "on_stalled must be a function, not int."),
    ],
)
def test_stalled_after__must_make_sense(client: Client, options: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        client.jobs.wait("ftjob-1", **options)
    assert str(caught.value) == said
