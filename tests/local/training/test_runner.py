from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.local import LocalServer
from finetune_client.local.training.bigram.trainer import BigramTrainer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable

CHECK = {
    "type": "string_check",
    "name": "check",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "like",
}


def test_dpo__trains(api: LocalApi) -> None:
    lines = [
        {
            "input": {"messages": [{"role": "user", "content": f"Is {number} even?"}]},
            "preferred_output": [{"role": "assistant", "content": f"yes, {number}"}],
            "non_preferred_output": [{"role": "assistant", "content": f"no way {number}"}],
        }
        for number in range(12)
    ]
    method = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 3}}}
    job = api.trained(training_file=api.upload(jsonl(lines)), method=method)
    assert job["method"]["dpo"]["hyperparameters"]["beta"] == 0.1
    told = api.metrics(job["id"])
    assert told[-1]["train_loss"] < told[0]["train_loss"] == pytest.approx(0.6931, abs=1e-4)


def test_reinforcement__trains_with_graders_that_are_run(api: LocalApi) -> None:
    words = [
        {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": word}]}
        for n, word in enumerate(["yes", "no"] * 6)
    ]
    settings = {"n_epochs": 50, "batch_size": 12, "learning_rate_multiplier": 4.0}
    first = api.trained(training_file=api.upload(jsonl(words)), hyperparameters=settings)
    lines = [
        {"messages": [{"role": "user", "content": f"{n}?"}], "answer": "yes"} for n in range(12)
    ]
    method = {
        "type": "reinforcement",
        "reinforcement": {
            "grader": CHECK,
            "hyperparameters": {"n_epochs": 20, "batch_size": 12, "compute_multiplier": 2},
        },
    }
    job = api.trained(
        model=first["fine_tuned_model"],
        training_file=api.upload(jsonl(lines)),
        validation_file=api.upload(jsonl(lines)),
        method=method,
    )
    told = api.metrics(job["id"])
    assert told[-1]["train_mean_reward"] > told[0]["train_mean_reward"]
    assert 0 <= told[-1]["full_valid_mean_reward"] <= 1
    assert job["method"]["reinforcement"]["grader"] == CHECK
    text = api.session.get(f"{api.base}/files/{job['result_files'][0]}/content").text
    assert text.splitlines()[0] == "step,train_mean_reward,full_valid_mean_reward"


def test_training__from_a_model_that_was_deleted_meanwhile_is_a_failed_job(
    connect: Callable[[LocalServer], LocalApi],
) -> None:
    may_check = threading.Event()
    may_check.set()

    class Slow(BigramTrainer):
        def resolve(self, *given: Any) -> dict[str, Any]:
            assert may_check.wait(10)
            return super().resolve(*given)

    api = connect(LocalServer(trainer=Slow()))
    train = api.upload(jsonl(chat_lines(10)))
    model = api.trained(training_file=train)["fine_tuned_model"]
    may_check.clear()
    api.create(training_file=train)
    job = api.create(training_file=train, model=model)
    api.ok("DELETE", f"/models/{model}")
    may_check.set()
    assert api.ended(job["id"])["error"] == {
        "code": "model_not_found",
        "message": f"The model '{model}', which the job starts from, was deleted.",
        "param": None,
    }


def test_training__that_diverges_is_a_failed_job(api: LocalApi) -> None:
    settings = {"learning_rate_multiplier": 1.7e308, "batch_size": 10}
    train = api.upload(jsonl(chat_lines(10)))
    job = api.create(training_file=train, hyperparameters=settings)
    failed = api.ended(job["id"])
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "training_diverged"
    assert failed["error"]["param"] is None
    assert api.events(job["id"])[-1]["level"] == "error"


def test_training__of_a_trainer_that_breaks_is_a_failed_job(
    connect: Callable[[LocalServer], LocalApi], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def resolve(self, method: str, given: Any, examples: int) -> dict[str, Any]:
            return {"n_epochs": 1, "batch_size": 1, "learning_rate_multiplier": 1.0}

        def start(self, task: Any) -> Any:
            raise RuntimeError("out of memory")

        def resume(self, task: Any, snapshot: bytes) -> Any:
            raise NotImplementedError

    api = connect(LocalServer(trainer=Broken()))
    job = api.ended(api.create(training_file=api.upload(jsonl(chat_lines(10))))["id"])
    assert job["error"] == {
        "code": "server_error",
        "message": "The server failed while it worked on this job.",
        "param": None,
    }
    assert "out of memory" in caplog.text
