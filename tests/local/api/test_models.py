from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from finetune_client.local import LocalServer
from finetune_client.local.training.bigram.trainer import BigramTrainer
from tests.support.gated_trainer import GatedTrainer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Connect = Callable[[LocalServer], LocalApi]

pytestmark = pytest.mark.usefixtures("impatient")
JOBS = "/fine_tuning/jobs"
TRAIN = jsonl(chat_lines(10))


def ids(api: LocalApi) -> list[str]:
    return [row["id"] for row in api.ok("GET", "/models")["data"]]


def test_models__base_models_stay(api: LocalApi) -> None:
    assert ids(api) == ["tiny"]
    assert api.ok("GET", "/models/tiny")["owned_by"] == "system"
    assert api.refused("DELETE", "/models/tiny")[0] == 403
    assert api.refused("GET", "/models/meta/llama")[1]["message"] == (
        "The model 'meta/llama' does not exist"
    )


def test_models__one_that_is_unknown_is_refused_with_those_that_there_are(
    connect: Connect,
) -> None:
    api = connect(LocalServer(trainers=[GatedTrainer(1, "llama", "smol")]))
    assert ids(api) == ["tiny", "llama", "smol"]
    body = {"model": "gpt-4o-mini", "training_file": api.upload(TRAIN)}
    assert api.refused("POST", JOBS, json=body) == (
        400,
        {
            "message": "The model 'gpt-4o-mini' does not exist. Base models that can be trained "
            "here: tiny, llama, smol.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        },
    )
    status, error = api.refused("POST", JOBS, json={**body, "model": "ft:tiny:local::no"})
    assert (status, error["message"]) == (400, "The model 'ft:tiny:local::no' does not exist")


def test_models__each_is_trained_by_its_own_trainer(connect: Connect) -> None:
    other = GatedTrainer(1, "llama", "smol")
    other.let(2)
    api = connect(LocalServer(trainers=[other]))
    train = api.upload(TRAIN)
    first = api.trained(model="smol", training_file=train)
    second = api.trained(model=first["fine_tuned_model"], training_file=train)
    assert second["fine_tuned_model"] == f"ft:smol:local::{second['id'][-8:]}"
    assert [(task.model, task.base) for task in other.tasks] == [
        ("smol", "smol"),
        (first["fine_tuned_model"], "smol"),
    ]
    tiny = api.trained(training_file=train, hyperparameters={"n_epochs": 1, "batch_size": 10})
    assert "train_mean_token_accuracy" in api.metrics(tiny["id"])[0]


def test_models__two_of_the_same_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="tiny") as caught:
        LocalServer(trainers=[BigramTrainer()])
    assert str(caught.value) == "Two trainers have a base model 'tiny'; each needs its own names."


def test_any_model__stands_for_tiny_and_the_first_event_says_so(connect: Connect) -> None:
    api = connect(LocalServer(trainers=[GatedTrainer(1, "llama")], any_model=True))
    job = api.trained(model="meta/llama:8b", training_file=api.upload(TRAIN))
    name = job["fine_tuned_model"]
    assert name == f"ft:meta/llama:8b:local::{job['id'][-8:]}"
    assert api.session.get(f"{api.base}/models/{name}").json()["id"] == name
    assert api.session.get(f"{api.base}/models/meta/llama:8b").json()["owned_by"] == "system"
    assert api.events(job["id"])[0]["message"] == (
        f"Created fine-tuning job: {job['id']}; the model 'tiny' is trained in place of "
        "'meta/llama:8b'"
    )
    assert [row for row in ids(api) if not row.startswith("ft:")] == ["tiny", "llama"]
    further = api.trained(model=name, training_file=api.upload(TRAIN))
    assert further["fine_tuned_model"].startswith("ft:meta/llama:8b:local:")
    assert api.refused("GET", "/models/ft:tiny:local::no")[0] == 404


def test_any_model__stands_for_the_first_one_where_none_is_tiny(connect: Connect) -> None:
    trainer = GatedTrainer(1, "llama", "smol")
    trainer.let(1)
    api = connect(LocalServer(trainer=trainer, any_model=True))
    api.trained(model="gpt-4o-mini", training_file=api.upload(TRAIN))
    assert trainer.next() == "resolve supervised {} llama 10"
    assert [(task.model, task.base) for task in trainer.tasks] == [("llama", "llama")]


def test_models__jobs_of_one_without_a_trainer_wait_for_a_server_that_has_it(
    connect: Connect, tmp_path: Path
) -> None:
    server = LocalServer(tmp_path, GatedTrainer(1, "llama"), workers=1)
    api = connect(server)
    train = api.upload(TRAIN)
    made = [api.create(model="llama", training_file=train)["id"] for _ in range(3)]
    api.job(made[0], until=("running",))
    api.job(made[2], until=("queued",))
    api.ok("POST", f"{JOBS}/{made[2]}/pause")
    server.close()

    server = LocalServer(tmp_path)
    api = connect(server)
    assert [api.job(one)["status"] for one in made] == ["queued", "queued", "paused"]
    assert api.events(made[0])[-1]["message"] == (
        "The job waits for a server that can train 'llama'; this one can train tiny."
    )
    assert api.refused("POST", f"{JOBS}/{made[2]}/resume")[1]["code"] == "model_not_found"
    server.close()

    trainer = GatedTrainer(1, "llama")
    trainer.let(2)
    api = connect(LocalServer(tmp_path, trainer))
    assert [api.ended(one)["status"] for one in made[:2]] == ["succeeded"] * 2
