"""What lasts across runs, what ends with the server, and threads that share one."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client import Client
from finetune_client.errors import ConfigurationError
from finetune_client.local import LocalServer, running
from tests.support.local_api import BASE, LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOBS = "/fine_tuning/jobs"
LONG = {"n_epochs": 50, "batch_size": 1}


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("finetune-")]


def test_close__ends_training_and_removes_what_is_temporary(
    connect: Callable[[LocalServer], LocalApi],
) -> None:
    server = LocalServer(step_seconds=60)
    api = connect(server)
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))), hyperparameters=LONG)
    api.job(job["id"], until=("running",))
    directory = server._store.directory
    assert threads()
    assert directory.exists()
    start = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - start < 20
    assert threads() == []
    assert not directory.exists()
    with pytest.raises(ConfigurationError) as caught:
        api.session.get(f"{BASE}/models")
    assert str(caught.value) == "The embedded server has been closed."


def test_create__of_a_client_that_has_only_the_url_is_known_when_it_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text(jsonl(chat_lines(10)), encoding="utf-8")
    found = set()
    with LocalServer() as server, running(server) as base_url:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "local")
        for _ in range(2):
            with Client() as client:
                assert client.provider.name == "compatible"
                job = client.jobs.create(
                    model="tiny", training_file=train, idempotency_key="topics-1"
                )
                found.add(job.id)
                assert len(client.jobs.list().data) == 1
    assert len(found) == 1


def test_close__of_a_server_that_did_nothing() -> None:
    with LocalServer() as server:
        directory = server._store.directory
    assert not directory.exists()


def test_directory__keeps_everything(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path
) -> None:
    server = LocalServer(tmp_path)
    api = connect(server)
    train = api.upload(jsonl(chat_lines(10)))
    key = {"Idempotency-Key": "k"}
    settings = {"n_epochs": 2, "batch_size": 2, "learning_rate_multiplier": 4}
    body = {"model": "tiny", "training_file": train, "seed": 1, "hyperparameters": settings}
    job = api.ended(api.ok("POST", JOBS, json=body, headers=key)["id"])
    permissions = f"/fine_tuning/checkpoints/{job['fine_tuned_model']}/permissions"
    api.ok("POST", permissions, json={"project_ids": ["proj_a"]})
    upload = {"filename": "u", "purpose": "fine-tune", "mime_type": "x", "bytes": 3}
    made = api.ok("POST", "/uploads", json=upload)
    part = api.ok("POST", f"/uploads/{made['id']}/parts", files={"data": b"abc"})
    paths = ["/files", "/models", JOBS, f"{JOBS}/{job['id']}/checkpoints", permissions]
    before = [api.ok("GET", path)["data"] for path in paths]
    events = api.events(job["id"])
    server.close()

    again = connect(LocalServer(tmp_path))
    after = [again.ok("GET", path)["data"] for path in paths]
    assert [row["id"] for row in after[1][5:]] == [row["id"] for row in before[1][5:]]
    assert [*after[:1], *after[2:]] == [*before[:1], *before[2:]]
    assert again.events(job["id"]) == events
    assert again.ok("POST", JOBS, json=body, headers=key)["id"] == job["id"]
    path = f"/uploads/{made['id']}/complete"
    assert again.ok("POST", path, json={"part_ids": [part["id"]]})["file"]["bytes"] == 3
    further = again.trained(**{**body, "model": job["fine_tuned_model"]})
    assert again.metrics(further["id"])[0]["train_loss"] < 5


def test_directory__a_job_goes_on_where_the_server_was_closed(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path
) -> None:
    content = jsonl(chat_lines(10))
    settings = {"n_epochs": 10, "batch_size": 5}
    plain = connect(LocalServer())
    through = plain.trained(training_file=plain.upload(content), seed=1, hyperparameters=settings)
    server = LocalServer(tmp_path, step_seconds=60, workers=1)
    api = connect(server)
    train = api.upload(content)
    job = api.create(training_file=train, seed=1, hyperparameters=settings)
    other = api.create(training_file=train, seed=1, hyperparameters=settings)
    api.job(other["id"], until=("queued",))
    while not api.metrics(job["id"]):
        time.sleep(0.01)
    server.close()
    with closing(sqlite3.connect(tmp_path / "state.sqlite3")) as database:
        assert database.execute("SELECT status FROM jobs").fetchall() == [("queued",)] * 2

    again = connect(LocalServer(tmp_path))
    for one in (job, other):
        assert again.ended(one["id"])["status"] == "succeeded"
        assert again.metrics(one["id"]) == plain.metrics(through["id"])


def test_threads__use_one_server_at_once(api: LocalApi) -> None:
    content = jsonl(chat_lines(10))
    done: list[Any] = []

    def journey(number: int) -> None:
        with requests.Session() as session:
            session.mount(BASE, api.session.get_adapter(BASE))
            own = LocalApi(session)
            settings = {"n_epochs": 1, "batch_size": 5}
            body = {"seed": number, "hyperparameters": settings, "suffix": f"s{number}"}
            done.append(own.trained(training_file=own.upload(content), **body))

    workers = [threading.Thread(target=journey, args=(number,)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    names = {job["fine_tuned_model"] for job in done}
    assert len(names) == 6
    assert names < {row["id"] for row in api.ok("GET", "/models")["data"]}
    assert {job["user_provided_suffix"] for job in done} == {f"s{number}" for number in range(6)}
