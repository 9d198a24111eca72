from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.local import LocalServer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = "/fine_tuning/jobs"


def test_job__goes_from_file_to_model(api: LocalApi) -> None:
    train = api.upload(jsonl(chat_lines(40)))
    valid = api.upload(jsonl(chat_lines(12, first=100)))
    made = api.create(training_file=train, validation_file=valid, suffix="mine", seed=7)
    assert made["status"] == "validating_files"
    assert made["hyperparameters"] == {
        "n_epochs": "auto",
        "batch_size": "auto",
        "learning_rate_multiplier": "auto",
    }
    job = api.ended(made["id"])
    assert job["status"] == "succeeded"
    assert job["fine_tuned_model"] == f"ft:tiny:local:mine:{job['id'][-8:]}"
    assert job["hyperparameters"] == {
        "n_epochs": 3,
        "batch_size": 1,
        "learning_rate_multiplier": 1.0,
    }
    assert job["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": job["hyperparameters"]},
    }
    assert job["finished_at"] >= job["created_at"]
    texts = [line["messages"][1]["content"] for line in chat_lines(40)]
    assert job["trained_tokens"] == 3 * sum(len(text.encode()) + 1 for text in texts)


def test_job__tells_what_happens_in_events(api: LocalApi) -> None:
    train = api.upload(jsonl(chat_lines(10)))
    job = api.trained(training_file=train, hyperparameters={"n_epochs": 1, "batch_size": 10})
    events = api.events(job["id"])
    loss = events[4]["data"]["train_loss"]
    assert [event["message"] for event in events] == [
        f"Created fine-tuning job: {job['id']}",
        f"Validating training file: {train}",
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
        f"Step 1/1: training loss={loss:.2f}",
        "Checkpoint created at step 1",
        f"New fine-tuned model created: {job['fine_tuned_model']}",
        "The job has successfully completed",
    ]
    assert {event["level"] for event in events} == {"info"}


def test_job__result_file_holds_what_the_events_told(api: LocalApi) -> None:
    job = api.trained(
        training_file=api.upload(jsonl(chat_lines(20))),
        validation_file=api.upload(jsonl(chat_lines(10, first=50))),
    )
    (file_id,) = job["result_files"]
    stored = api.ok("GET", f"/files/{file_id}")
    text = api.session.get(f"{api.base}/files/{file_id}/content").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert stored["purpose"] == "fine-tune-results"
    assert stored["bytes"] == len(text.encode())
    assert list(rows[0]) == [
        "step",
        "train_loss",
        "train_accuracy",
        "valid_loss",
        "valid_mean_token_accuracy",
    ]
    assert [
        (int(row["step"]), float(row["train_loss"]), float(row["valid_loss"])) for row in rows
    ] == [(one["step"], one["train_loss"], one["valid_loss"]) for one in api.metrics(job["id"])]


def test_checkpoints__one_an_epoch_the_last_three_newest_first(api: LocalApi) -> None:
    train = api.upload(jsonl(chat_lines(10)))
    job = api.trained(training_file=train, hyperparameters={"n_epochs": 5, "batch_size": 5})
    listed = api.ok("GET", f"{JOBS}/{job['id']}/checkpoints")
    assert [row["step_number"] for row in listed["data"]] == [10, 8, 6]
    assert listed["first_id"] == listed["data"][0]["id"]
    names = [row["fine_tuned_model_checkpoint"] for row in listed["data"]]
    assert names == [f"{job['fine_tuned_model']}:ckpt-step-{step}" for step in (10, 8, 6)]
    told = {row["step"]: row for row in api.metrics(job["id"])}
    metrics = listed["data"][1]["metrics"]
    assert metrics["train_loss"] == told[8]["train_loss"]
    models = [row["id"] for row in api.ok("GET", "/models")["data"]]
    assert set(names) < set(models)
    assert f"{job['fine_tuned_model']}:ckpt-step-4" not in models


def test_tuned_model__can_be_tuned_further_and_deleted(api: LocalApi) -> None:
    train = api.upload(jsonl(chat_lines(20)))
    body = {"training_file": train, "seed": 1, "hyperparameters": {"batch_size": 5}}
    first = api.trained(**body)
    second = api.trained(**body, model=first["fine_tuned_model"])
    assert second["fine_tuned_model"] == f"ft:tiny:local::{second['id'][-8:]}"
    start, end = api.metrics(second["id"])[0], api.metrics(first["id"])[-1]
    assert start["train_loss"] < (end["train_loss"] + 5.5) / 2
    path = f"/models/{first['fine_tuned_model']}"
    assert api.ok("DELETE", path) == {
        "id": first["fine_tuned_model"],
        "object": "model",
        "deleted": True,
    }
    assert api.refused("GET", path)[0] == 404
    status, error = api.refused(
        "POST", JOBS, json={"model": first["fine_tuned_model"], "training_file": train}
    )
    assert (status, error["code"], error["param"]) == (400, "model_not_found", "model")


def test_list__newest_first_in_pages(slow_api: LocalApi) -> None:
    train = slow_api.upload(jsonl(chat_lines(10)))
    ids = [slow_api.create(training_file=train)["id"] for _ in range(5)]
    first = slow_api.ok("GET", JOBS, params={"limit": 2})
    assert [row["id"] for row in first["data"]] == [ids[4], ids[3]]
    assert first["has_more"] is True
    rest = slow_api.ok("GET", JOBS, params={"after": ids[3], "limit": 3})
    assert [row["id"] for row in rest["data"]] == [ids[2], ids[1], ids[0]]
    assert rest["has_more"] is False


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"after": "ftjob-unknown"}, "after"),
        ({"limit": "0"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"metadata": "null", "metadata[a]": "b"}, "metadata"),
        ({"metadata": "a"}, "metadata"),
    ],
)
def test_list__refuses_a_query_that_makes_no_sense(
    api: LocalApi, query: dict[str, str], param: str
) -> None:
    status, error = api.refused("GET", JOBS, params=query)
    assert (status, error["param"]) == (400, param)


def test_list__by_metadata(slow_api: LocalApi) -> None:
    train = slow_api.upload(jsonl(chat_lines(10)))
    plain = slow_api.create(training_file=train)["id"]
    red = slow_api.create(training_file=train, metadata={"color": "red", "size": ""})["id"]
    blue = slow_api.create(training_file=train, metadata={"color": "blue"})["id"]

    def ids(query: str) -> list[str]:
        return [row["id"] for row in slow_api.ok("GET", f"{JOBS}?{query}")["data"]]

    assert ids("metadata%5Bcolor%5D=red") == [red]
    assert ids("metadata[color]=red&metadata[size]=") == [red]
    assert ids("metadata[size]=") == [red]
    assert ids("metadata[color]=green") == []
    assert ids("metadata=null") == [plain]
    assert ids("metadata[color]=blue") == [blue]
    assert ids("") == [blue, red, plain]


def test_events__in_pages(api: LocalApi) -> None:
    job = api.trained(training_file=api.upload(jsonl(chat_lines(10))))
    path = f"{JOBS}/{job['id']}/events"
    page = api.ok("GET", path)
    assert len(page["data"]) == 20
    seen = page["data"]
    while page["has_more"]:
        page = api.ok("GET", path, params={"after": seen[-1]["id"], "limit": 7})
        seen += page["data"]
    assert seen[::-1] == api.events(job["id"])
    assert api.refused("GET", path, params={"after": "ftevent-no"})[0] == 400


def test_cancel__ends_the_job_at_once(slow_api: LocalApi) -> None:
    train = slow_api.upload(jsonl(chat_lines(10)))
    job = slow_api.create(training_file=train, hyperparameters={"n_epochs": 50})
    queued = slow_api.create(training_file=train)
    slow_api.job(job["id"], until=("running",))
    for one in (job, queued):
        cancelled = slow_api.ok("POST", f"{JOBS}/{one['id']}/cancel")
        assert cancelled["status"] == "cancelled"
        assert cancelled["finished_at"] is not None
        assert cancelled["fine_tuned_model"] is None
    told = slow_api.events(job["id"])
    status, error = slow_api.refused("POST", f"{JOBS}/{job['id']}/cancel")
    assert status == 400
    assert error == {
        "message": f"The job {job['id']} cannot be cancelled: its status is cancelled, and it has "
        "already ended.",
        "type": "invalid_request_error",
        "param": "fine_tuning_job_id",
        "code": "invalid_job_status",
    }
    last = slow_api.trained(training_file=train, hyperparameters={"n_epochs": 1})
    assert last["status"] == "succeeded"
    assert slow_api.events(job["id"]) == told


def test_pause__and_resume_give_the_numbers_of_a_job_never_paused(
    connect: Callable[[LocalServer], LocalApi], api: LocalApi
) -> None:
    server = LocalServer(step_seconds=60, workers=1)
    slow_api = connect(server)
    body: dict[str, Any] = {
        "seed": 5,
        "hyperparameters": {"n_epochs": 3, "batch_size": 2},
    }
    through = api.trained(training_file=api.upload(jsonl(chat_lines(20))), **body)
    job = slow_api.create(training_file=slow_api.upload(jsonl(chat_lines(20))), **body)
    path = f"{JOBS}/{job['id']}"
    while not slow_api.metrics(job["id"]):
        time.sleep(0.01)
    assert slow_api.ok("POST", f"{path}/pause")["status"] == "paused"
    assert len(slow_api.metrics(job["id"])) == 1
    assert slow_api.refused("POST", f"{path}/pause")[0] == 400
    assert len(slow_api.metrics(job["id"])) == 1
    server._runner._step_seconds = 0
    assert slow_api.ok("POST", f"{path}/resume")["status"] == "queued"
    assert slow_api.refused("POST", f"{path}/resume")[0] == 400
    resumed = slow_api.ended(job["id"])
    assert resumed["status"] == "succeeded"
    assert slow_api.metrics(job["id"]) == api.metrics(through["id"])
    assert resumed["trained_tokens"] == through["trained_tokens"]


def test_pause__of_a_queued_job(slow_api: LocalApi) -> None:
    train = slow_api.upload(jsonl(chat_lines(10)))
    first = slow_api.create(training_file=train, hyperparameters={"n_epochs": 50})
    slow_api.job(first["id"], until=("running",))
    second = slow_api.create(training_file=train, hyperparameters={"n_epochs": 1})["id"]
    slow_api.job(second, until=("queued",))
    assert slow_api.ok("POST", f"{JOBS}/{second}/pause")["status"] == "paused"
    slow_api.ok("POST", f"{JOBS}/{first['id']}/cancel")
    assert slow_api.job(second)["status"] == "paused"
    slow_api.ok("POST", f"{JOBS}/{second}/resume")
    assert slow_api.ended(second)["status"] == "succeeded"


def test_cancel__of_a_paused_job(slow_api: LocalApi) -> None:
    train = slow_api.upload(jsonl(chat_lines(10)))
    job = slow_api.create(training_file=train, hyperparameters={"n_epochs": 50})
    slow_api.job(job["id"], until=("running",))
    slow_api.ok("POST", f"{JOBS}/{job['id']}/pause")
    assert slow_api.ok("POST", f"{JOBS}/{job['id']}/cancel")["status"] == "cancelled"
    assert slow_api.refused("POST", f"{JOBS}/{job['id']}/resume")[0] == 400


def test_unknown_job__is_a_404_with_the_api_s_words(api: LocalApi) -> None:
    for method, path in [
        ("GET", f"{JOBS}/ftjob-x"),
        ("GET", f"{JOBS}/ftjob-x/events"),
        ("GET", f"{JOBS}/ftjob-x/checkpoints"),
        ("POST", f"{JOBS}/ftjob-x/cancel"),
        ("POST", f"{JOBS}/ftjob-x/pause"),
        ("POST", f"{JOBS}/ftjob-x/resume"),
    ]:
        status, error = api.refused(method, path)
        assert status == 404
        assert error == {
            "message": "Could not find fine tune: ftjob-x",
            "type": "invalid_request_error",
            "param": "fine_tune_id",
            "code": "fine_tune_not_found",
        }


def test_idempotency_key__gives_the_same_job_again(slow_api: LocalApi) -> None:
    body = {"model": "tiny", "training_file": slow_api.upload(jsonl(chat_lines(10)))}
    key = {"Idempotency-Key": "k-1"}
    first = slow_api.ok("POST", JOBS, json=body, headers=key)
    assert slow_api.ok("POST", JOBS, json=body, headers=key)["id"] == first["id"]
    assert (
        slow_api.ok("POST", JOBS, json=body, headers={"Idempotency-Key": "k-2"})["id"]
        != first["id"]
    )
    assert slow_api.ok("POST", JOBS, json=body)["id"] != first["id"]
    status, error = slow_api.refused("POST", JOBS, json={**body, "seed": 3}, headers=key)
    assert (status, error["code"], error["type"]) == (
        400,
        "idempotency_key_reused",
        "idempotency_error",
    )
    assert len(slow_api.ok("GET", JOBS)["data"]) == 3


def test_idempotency_key__knows_the_files_by_what_is_in_them(slow_api: LocalApi) -> None:
    content = jsonl(chat_lines(10))
    key = {"Idempotency-Key": "k-1"}
    first_file = slow_api.upload(content)
    body = {"model": "tiny", "training_file": first_file, "validation_file": first_file}
    first = slow_api.ok("POST", JOBS, json=body, headers=key)["id"]
    again = {**body, "training_file": slow_api.upload(content)}
    assert again["training_file"] != first_file
    assert slow_api.ok("POST", JOBS, json=again, headers=key)["id"] == first
    with_pair = {**again, "metadata": {"idempotency_key": "k-1"}}
    assert slow_api.ok("POST", JOBS, json=with_pair, headers=key)["id"] == first
    for other in (
        {**again, "training_file": slow_api.upload(jsonl(chat_lines(11)))},
        {**again, "metadata": {"idempotency_key": "k-2"}},
        {**again, "metadata": {"team": "a"}},
        {**again, "training_file": "file-none"},
        {**again, "training_file": 7},
    ):
        _, error = slow_api.refused("POST", JOBS, json=other, headers=key)
        assert error["code"] == "idempotency_key_reused"
    slow_api.ok("DELETE", f"/files/{first_file}")
    assert slow_api.ok("POST", JOBS, json=body, headers=key)["id"] == first
    both = slow_api.upload(content)
    later = {**body, "training_file": both, "validation_file": both}
    assert slow_api.ok("POST", JOBS, json=later, headers=key)["id"] == first
    assert len(slow_api.ok("GET", JOBS)["data"]) == 1
