"""Where `jobs.metrics` takes the curves from, and where `jobs.wait` takes events up again."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import InternalServerError
from finetune_client.models import FineTuningJob

if TYPE_CHECKING:
    import responses


BASE = "https://api.openai.com/v1"
JOB = f"{BASE}/fine_tuning/jobs/ftjob-1"
CSV = b"step,train_loss\n1,0.5\n2,0.25\n"
EVENTS = {
    "object": "list",
    "data": [{"id": "e", "type": "metrics", "data": {"step": 1, "train_loss": 0.75}}],
    "has_more": False,
}


def _job(*files: str) -> dict[str, Any]:
    return {"id": "ftjob-1", "object": "fine_tuning.job", "result_files": [*files]}


def _stored(server: responses.RequestsMock, id: str, **answer: Any) -> None:
    server.get(f"{BASE}/files/{id}/content", **answer)
    if "body" in answer:
        stored = {"id": id, "object": "file", "bytes": len(answer["body"])}
        server.get(f"{BASE}/files/{id}", json=stored)


def test_metrics__reads_the_result_file(client: Client, server: responses.RequestsMock) -> None:
    server.get(JOB, json=_job("file-r"))
    _stored(server, "file-r", body=base64.b64encode(CSV))
    assert client.jobs.metrics("ftjob-1").series("train_loss") == [(1, 0.5), (2, 0.25)]


def test_metrics__reads_events_while_there_is_no_file(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOB, json={**_job(), "result_files": None})
    server.get(f"{JOB}/events", json=EVENTS)
    assert client.jobs.metrics("ftjob-1").series("train_loss") == [(1, 0.75)]


@pytest.mark.parametrize(
    "answer",
    [{"status": 404, "json": {}}, {"status": 403, "json": {}}, {"body": b"nothing of use"}],
    ids=["gone", "not mine", "no curves"],
)
def test_metrics__falls_back_to_events(
    answer: dict[str, Any], client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOB, json=_job("file-r"))
    _stored(server, "file-r", **answer)
    server.get(f"{JOB}/events", json=EVENTS)
    assert client.jobs.metrics("ftjob-1").series("train_loss") == [(1, 0.75)]


def test_metrics__reads_events_where_the_result_files_are_no_metrics(
    server: responses.RequestsMock,
) -> None:
    server.get(JOB, json=_job("file-weights"))
    server.get(f"{JOB}/events", json=EVENTS)
    with Client("k", base_url=BASE, provider="nebius") as nebius:
        assert nebius.jobs.metrics("ftjob-1").series("train_loss") == [(1, 0.75)]


def test_metrics__of_a_job_that_is_at_hand_does_not_ask_for_it(
    client: Client, server: responses.RequestsMock
) -> None:
    _stored(server, "file-r", body=base64.b64encode(CSV))
    job = FineTuningJob.from_dict(_job("file-r"))
    assert client.jobs.metrics(job).series("train_loss") == [(1, 0.5), (2, 0.25)]
    assert JOB not in [call.request.url for call in server.calls]


def test_wait__passes_only_the_events_after_the_known_one(
    client: Client, server: responses.RequestsMock
) -> None:
    rows = [{"id": f"ev-{number}", "created_at": number} for number in (3, 2, 1)]
    server.get(JOB, json={**_job(), "status": "succeeded"})
    server.get(f"{JOB}/events", json={"object": "list", "data": rows, "has_more": False})
    events: list[str | None] = []
    job = client.jobs.wait("ftjob-1", on_event=lambda event: events.append(event.id), after="ev-1")
    assert job.status == "succeeded"
    assert events == ["ev-2", "ev-3"]
    assert [call.request.url for call in server.calls].count(JOB) == 1


def test_metrics__does_not_hide_that_the_server_is_down(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOB, json=_job("file-r"))
    _stored(server, "file-r", status=500, json={})
    with pytest.raises(InternalServerError):
        client.jobs.metrics("ftjob-1")
