"""A sweep of 20 jobs on the embedded server, from files to a deleted model."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from finetune_client import Client
from finetune_client.errors import JobFailedError, NotFoundError
from finetune_client.models import Hyperparameters, SupervisedMethod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from finetune_client.models import FineTuningJob

EPOCHS = (1, 2)
RATES = (0.5, 1.0, 1.5, 2.0, 2.5)
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def training_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "train.jsonl"
    turns = (
        [{"role": "user", "content": f"add {n}"}, {"role": "assistant", "content": str(n + 1)}]
        for n in range(10)
    )
    path.write_text("".join(json.dumps({"messages": one}) + "\n" for one in turns))
    return path


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client.local() as made:
        yield made


@pytest.fixture(scope="module")
def sweep(client: Client, training_file: Path) -> list[FineTuningJob]:
    """Create the 20 jobs; the first uploads the file for all of them."""
    jobs: list[FineTuningJob] = []
    file = client.files.upload(training_file).id
    for epochs in EPOCHS:
        for rate in RATES:
            for seed in SEEDS:
                settings = Hyperparameters(n_epochs=epochs, learning_rate_multiplier=rate)
                jobs.append(
                    client.jobs.create(
                        model="tiny",
                        training_file=file,
                        method=SupervisedMethod(hyperparameters=settings),
                        seed=seed,
                        suffix=f"e{epochs}",
                        metadata={"sweep": "one", "epochs": str(epochs)},
                    )
                )
    return jobs


@pytest.fixture(scope="module")
def ended(client: Client, sweep: list[FineTuningJob]) -> list[FineTuningJob]:
    return client.jobs.wait_all([job.id for job in sweep], timeout=50)


def test_sweep__ends_in_twenty_models(
    sweep: list[FineTuningJob], ended: list[FineTuningJob]
) -> None:
    assert [job.id for job in ended] == [job.id for job in sweep]
    assert all(job.is_succeeded for job in ended)
    assert len({job.fine_tuned_model for job in ended}) == 20
    assert [job.seed for job in ended] == [*SEEDS] * 10


def test_sweep__is_followed_from_two_threads_at_once(client: Client, training_file: Path) -> None:
    jobs = [client.jobs.create(model="tiny", training_file=training_file) for _ in range(2)]

    def told(job: FineTuningJob) -> list[str | None]:
        return [event.id for event in client.jobs.follow(job.id, timeout=40)]

    with ThreadPoolExecutor(2) as pool:
        followed = list(pool.map(told, jobs))
    for job, ids in zip(jobs, followed, strict=True):
        listed = [event.id for event in client.jobs.list_events(job.id, limit=7)]
        assert ids == listed[::-1]
        assert len(set(ids)) == len(ids) > 10


def test_sweep__goes_on_from_a_known_event(client: Client, ended: list[FineTuningJob]) -> None:
    events = list(client.jobs.follow(ended[0].id))
    again = list(client.jobs.follow(ended[0].id, after=events[4].id))
    assert again == events[5:]


def test_sweep__lists_by_metadata(client: Client, ended: list[FineTuningJob]) -> None:
    two = client.jobs.list(metadata={"sweep": "one", "epochs": "2"}, limit=3)
    assert two.has_more
    assert {job.id for job in two} == {job.id for job in ended[10:]}
    assert len(list(client.jobs.list(metadata={"sweep": "one"}, limit=7))) == 20
    assert list(client.jobs.list(without_metadata=True)) == []


def test_sweep__has_curves_and_checkpoints(client: Client, ended: list[FineTuningJob]) -> None:
    metrics = client.jobs.metrics(ended[0].id)
    assert "train_loss" in metrics.names
    checkpoints = list(client.jobs.checkpoints.list(ended[0].id, limit=1))
    assert checkpoints
    assert all(one.fine_tuning_job_id == ended[0].id for one in checkpoints)


def test_job__is_paused_resumed_and_cancelled(client: Client, training_file: Path) -> None:
    settings = Hyperparameters(n_epochs=50, batch_size=1)
    method = SupervisedMethod(hyperparameters=settings)
    job = client.jobs.create(model="tiny", training_file=training_file, method=method)
    follower = client.jobs.follow(job.id, timeout=40)
    next(event for event in follower if event.type == "metrics")
    client.jobs.pause(job.id)
    paused = client.jobs.wait(job.id, on_paused="return", timeout=40)
    assert paused.status == "paused"
    with pytest.raises(JobFailedError, match="is paused"):
        client.jobs.wait(job.id, on_paused="raise", timeout=40)
    assert client.jobs.resume(job.id).status != "paused"
    assert client.jobs.cancel(job.id).id == job.id
    with pytest.raises(JobFailedError, match="cancelled") as caught:
        client.jobs.wait(job.id, timeout=40)
    assert caught.value.job.status == "cancelled"


def test_create__with_a_key_is_found_by_another_run(client: Client, training_file: Path) -> None:
    first = client.jobs.create(model="tiny", training_file=training_file, idempotency_key="r-1")
    second = client.jobs.create(model="tiny", training_file=training_file, idempotency_key="r-1")
    found = client.jobs.find("r-1")
    assert found is not None
    assert first.id == second.id == found.id
    assert client.jobs.find("r-2") is None
    assert client.jobs.wait(first.id, timeout=40).is_succeeded


def test_checkpoint__is_shared_and_taken_back(client: Client, ended: list[FineTuningJob]) -> None:
    name = str(ended[1].fine_tuned_model)
    permissions = client.checkpoints.permissions
    made = permissions.create(name, project_ids=["proj_a", "proj_b", "proj_c"])
    assert [one.project_id for one in made] == ["proj_a", "proj_b", "proj_c"]
    up = [one.project_id for one in permissions.list(name, order="ascending", limit=2)]
    assert sorted(map(str, up)) == ["proj_a", "proj_b", "proj_c"]
    only = permissions.list(name, project_id="proj_b").data
    assert permissions.delete(only[0].id, fine_tuned_model_checkpoint=name).deleted
    assert {one.project_id for one in permissions.list(name)} == {"proj_a", "proj_c"}
    with pytest.deprecated_call():
        assert len(permissions.retrieve(name, limit=1).data) == 1


def test_model__is_listed_and_deleted(client: Client, ended: list[FineTuningJob]) -> None:
    name = str(ended[2].fine_tuned_model)
    assert name in {model.id for model in client.models.list()}
    assert client.models.retrieve(name).id == name
    assert client.models.delete(name).deleted
    with pytest.raises(NotFoundError):
        client.models.retrieve(name)


def test_grader__is_validated_and_run(client: Client) -> None:
    grader = {
        "type": "string_check",
        "name": "same",
        "input": "{{sample.output_text}}",
        "reference": "{{item.answer}}",
        "operation": "eq",
    }
    assert client.graders.validate(grader=grader).grader is not None
    run = client.fine_tuning.alpha.graders.run
    assert run(grader=grader, model_sample="4", item={"answer": "4"}).reward == 1.0
