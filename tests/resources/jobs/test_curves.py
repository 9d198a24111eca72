"""Where `jobs.metrics` takes the curves from."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import InternalServerError, NotFoundError
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


def test_metrics__reads_the_result_file(client: Client, server: responses.RequestsMock) -> None:
    server.get(JOB, json=_job("file-r"))
    _stored(server, "file-r", body=base64.b64encode(CSV))
    assert client.jobs.metrics("ftjob-1").series("train_loss") == [(1, 0.5), (2, 0.25)]


def test_metrics__of_the_whole_validation_file_are_those_of_the_checkpoints(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOB, json={**_job("file-r"), "validation_file": "file-v"})
    _stored(server, "file-r", body=b"step,train_loss,valid_loss\n1,0.5,0.6\n2,0.25,0.7\n")
    rows = [_checkpoint(2, step=2, valid_loss=9.0, full_valid_loss=0.5), _checkpoint(1, step=1)]
    server.get(f"{JOB}/checkpoints", json=_list(*rows))
    metrics = client.jobs.metrics("ftjob-1")
    assert metrics.series("valid_loss") == [(1, 0.6), (2, 0.7)]
    assert metrics.series("full_valid_loss") == [(2, 0.5)]


@pytest.mark.parametrize(
    ("csv", "answer"),
    [
        (b"step,valid_loss\n1,0.5\n", {"status": 404, "json": {}}),
        (b"step,full_valid_loss\n1,0.5\n", None),
    ],
    ids=["no checkpoints", "all is there"],
)
def test_metrics__of_the_whole_validation_file_need_no_checkpoints(
    csv: bytes, answer: dict[str, Any] | None, client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOB, json={**_job("file-r"), "validation_file": "file-v"})
    _stored(server, "file-r", body=csv)
    if answer is not None:
        server.get(f"{JOB}/checkpoints", **answer)
    assert len(client.jobs.metrics("ftjob-1").names) == 1


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


def test_metrics__a_result_file_that_cannot_be_asked_for_is_passed_over(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOB, json=_job("\0"))
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


def test_metrics__does_not_hide_that_the_server_is_down(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOB, json=_job("file-r"))
    _stored(server, "file-r", status=500, json={})
    with pytest.raises(InternalServerError):
        client.jobs.metrics("ftjob-1")


def _checkpoint(number: int, **metrics: Any) -> dict[str, Any]:
    return {"id": f"ftckpt-{number}", "step_number": number, "metrics": metrics}


def _list(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": [*rows], "has_more": False}


@pytest.mark.parametrize(
    "events",
    [
        {"json": _list({"id": "ev-1", "message": "Job started"})},
        {"status": 404, "json": {}},
        {"status": 501, "json": {}},
    ],
    ids=["events without numbers", "no events", "events not implemented"],
)
def test_metrics__reads_checkpoints_where_nothing_else_has_numbers(
    client: Client, server: responses.RequestsMock, events: dict[str, Any]
) -> None:
    server.get(JOB, json={**_job(), "result_files": []})
    server.get(f"{JOB}/events", **events)
    rows = [
        _checkpoint(20, train_loss=0.25, valid_loss=0.5, step=20),
        _checkpoint(10, train_loss=0.5, valid_loss=-1),
        {"id": "ftckpt-0"},
    ]
    server.get(f"{JOB}/checkpoints", json=_list(*rows))
    metrics = client.jobs.metrics("ftjob-1")
    assert metrics.series("train_loss") == [(10, 0.5), (20, 0.25)]
    assert metrics.series("valid_loss") == [(20, 0.5)]


def test_metrics__reads_events_that_count_their_epochs_and_gradients(
    client: Client, server: responses.RequestsMock
) -> None:
    data = {"total_steps": 2, "learning_rate": 2e-4, "grad_norm": 1.5, "epoch": 0.5}
    rows = [
        {"id": "ev-2", "data": {"step": 2, "train_loss": 0.25, "valid_loss": 0.5, **data}},
        {"id": "ev-1", "data": {"step": 1, "train_loss": 0.5, "valid_loss": None, **data}},
    ]
    server.get(JOB, json={**_job(), "result_files": []})
    server.get(f"{JOB}/events", json=_list(*rows))
    metrics = client.jobs.metrics("ftjob-1")
    assert metrics.series("train_loss") == [(1, 0.5), (2, 0.25)]
    assert metrics.series("valid_loss") == [(2, 0.5)]
    assert metrics.names == ["train_loss", "learning_rate", "grad_norm", "epoch", "valid_loss"]


def test_metrics__where_there_are_neither_events_nor_checkpoints_says_so(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOB, json={**_job(), "result_files": []})
    server.get(f"{JOB}/events", status=404, json={})
    server.get(f"{JOB}/checkpoints", status=405, json={})
    with pytest.raises(NotFoundError, match="/events"):
        client.jobs.metrics("ftjob-1")


def test_metrics__of_a_job_without_numbers_is_empty(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOB, json={**_job(), "result_files": []})
    server.get(f"{JOB}/events", json=_list())
    server.get(f"{JOB}/checkpoints", status=404, json={})
    assert not client.jobs.metrics("ftjob-1")
