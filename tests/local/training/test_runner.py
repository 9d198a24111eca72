from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.local import LocalServer, Notice
from finetune_client.local.training.bigram.trainer import BigramTrainer
from finetune_client.local.training.sample_grader import SampleGrader
from tests.support.gated_trainer import GatedTrainer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Connect = Callable[[LocalServer], LocalApi]

pytestmark = pytest.mark.usefixtures("impatient")
JOBS = "/fine_tuning/jobs"

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


CODE = {
    "type": "python",
    "name": "vowels",
    "source": (
        "def grade(sample, item):\n"
        "    text = sample['output_text']\n"
        "    return sum(text.count(one) for one in item['wanted']) / item['most']"
    ),
}


def rewarded(api: LocalApi, grader: Any, *, most: int = 64, **more: Any) -> dict[str, Any]:
    """The body of a reinforcement job whose items have what `CODE` asks for."""
    question = [{"role": "user", "content": "Which?"}]
    lines = [
        {"messages": question, "wanted": "aeiou", "most": most, "number": n} for n in range(12)
    ]
    settings = {"n_epochs": 2, "batch_size": 6, **more}
    reinforcement = {"grader": grader, "hyperparameters": settings}
    return {
        "training_file": api.upload(jsonl(lines)),
        "validation_file": api.upload(jsonl(lines[:3])),
        "method": {"type": "reinforcement", "reinforcement": reinforcement},
        "seed": 4,
    }


def warnings_of(api: LocalApi, job: Any) -> list[str]:
    return [event["message"] for event in api.events(job["id"]) if event["level"] == "warn"]


def test_python_grader__rewards_as_graders_run_does(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each sample got in training is what the API's call says of it."""
    seen: list[tuple[str, Any, float]] = []
    plain = SampleGrader.reward

    def reward(self: SampleGrader, sample: str, item: Any) -> float:
        got = plain(self, sample, item)
        seen.append((sample, item, got))
        return got

    monkeypatch.setattr(SampleGrader, "reward", reward)
    api = connect(LocalServer(allow_python_graders=True))
    multi = {
        "type": "multi",
        "name": "both",
        "graders": CODE,
        "calculate_output": "vowels - 0.25",
    }
    job = api.trained(**rewarded(api, multi))
    assert warnings_of(api, job) == []
    steps = api.metrics(job["id"])
    assert len(steps) == 4
    first = [got for _, _, got in seen[:24]]
    assert steps[0]["train_mean_reward"] == pytest.approx(sum(first) / 24, rel=1e-12)
    assert len({got for _, _, got in seen}) > 2
    for sample, item, got in seen[:10]:
        body = {"grader": multi, "model_sample": sample, "item": item}
        assert api.ok("POST", "/fine_tuning/alpha/graders/run", json=body)["reward"] == got


def test_python_grader__errors_count_as_0_and_are_told_once(connect: Connect) -> None:
    api = connect(LocalServer(allow_python_graders=True))
    job = api.trained(**rewarded(api, CODE, most=0))
    assert {step["train_mean_reward"] for step in api.metrics(job["id"])} == {0.0}
    [told] = warnings_of(api, job)
    assert told == (
        "The grader had an error with a sample, whose reward is 0 (python_grader_runtime_error: "
        "ZeroDivisionError: division by zero (line 3 of the source)). Further errors of this kind are "
        "not reported."
    )


def test_python_grader__that_cannot_be_run_fails_the_job_before_it_is_queued(
    connect: Connect,
) -> None:
    api = connect(LocalServer(allow_python_graders=True))
    job = api.ended(api.create(**rewarded(api, {**CODE, "source": "1 / 0"}))["id"])
    assert job["error"] == {
        "code": "invalid_grader",
        "message": "'method.reinforcement.grader.source' cannot be run: ZeroDivisionError: division by "
        "zero (line 1 of the source)",
        "param": "method.reinforcement.grader.source",
    }


def test_python_grader__that_hangs_does_not_keep_a_job_from_being_cancelled(
    connect: Connect,
) -> None:
    api = connect(LocalServer(allow_python_graders=True))
    source = "import time\ndef grade(*_): time.sleep(100)"
    job = api.create(**rewarded(api, {**CODE, "source": source}))
    api.job(job["id"], until=("running",))
    time.sleep(0.3)
    start = time.monotonic()
    assert api.ok("POST", f"{JOBS}/{job['id']}/cancel")["status"] == "cancelled"
    assert time.monotonic() - start < 15
    while any(thread.name == "finetune-grade" for thread in threading.enumerate()):
        assert time.monotonic() - start < 20
        time.sleep(0.01)
    assert api.metrics(job["id"]) == []


def test_python_grader__of_a_job_waits_for_a_server_that_runs_it(
    connect: Connect, tmp_path: Path
) -> None:
    plain = connect(LocalServer(allow_python_graders=True))
    through = plain.trained(**rewarded(plain, CODE, n_epochs=4))
    server = LocalServer(tmp_path, allow_python_graders=True, step_seconds=60, workers=1)
    api = connect(server)
    made = [api.create(**rewarded(api, CODE, n_epochs=4))["id"] for _ in range(2)]
    api.job(made[1], until=("queued",))
    api.ok("POST", f"{JOBS}/{made[1]}/pause")
    while not api.metrics(made[0]):
        time.sleep(0.01)
    server.close()

    for _ in range(2):
        server = LocalServer(tmp_path)
        api = connect(server)
        assert [api.job(one)["status"] for one in made] == ["queued", "paused"]
        status, error = api.refused("POST", f"{JOBS}/{made[1]}/resume")
        assert (status, error["code"]) == (400, "unsupported_grader")
        [told] = warnings_of(api, {"id": made[0]})
        assert told.startswith(
            "The job waits for a server that runs it. A grader of type 'python' is not run by this "
        )
        server.close()

    api = connect(LocalServer(tmp_path, allow_python_graders=True))
    assert api.ended(made[0])["status"] == "succeeded"
    api.ok("POST", f"{JOBS}/{made[1]}/resume")
    assert api.ended(made[1])["status"] == "succeeded"
    for one in made:
        assert api.metrics(one) == plain.metrics(through["id"])


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
    class Broken(GatedTrainer):
        def start(self, task: Any) -> Any:
            raise RuntimeError("out of memory")

    api = connect(LocalServer(trainer=Broken()))
    job = api.ended(api.create(training_file=api.upload(jsonl(chat_lines(10))))["id"])
    assert job["error"] == {
        "code": "server_error",
        "message": "The server failed while it worked on this job.",
        "param": None,
    }
    assert "out of memory" in caplog.text


def test_trainer__is_asked_to_save_only_at_checkpoints_and_at_the_end(connect: Connect) -> None:
    trainer = GatedTrainer(3)
    trainer.notices = (
        Notice(message="One line is cut.", level="warn"),
        Notice(message="It takes 1 GB.", data={"needed_bytes": 10**9}),
    )
    api = connect(LocalServer(trainer=trainer))
    settings = {"batch_size": "auto", "n_epochs": 1}
    job = api.create(
        training_file=api.upload(jsonl(chat_lines(10))), hyperparameters=settings, seed=3
    )
    trainer.let(3)
    assert api.ended(job["id"])["trained_tokens"] == 30
    assert [trainer.next() for _ in range(9)] == [
        "resolve supervised {'batch_size': 'auto', 'n_epochs': 1} tiny 10",
        "begin after 0",
        "step 1",
        "step 2",
        "model 2",
        "step 3",
        "model 3",  # of the last checkpoint
        "model 3",
        "close",
    ]
    events = api.events(job["id"])
    first = [event["message"] for event in events].index("One line is cut.")
    assert [(event["level"], event["message"], event["data"]) for event in events[first:]][:2] == [
        ("warn", "One line is cut.", {}),
        ("info", "It takes 1 GB.", {"needed_bytes": 10**9}),
    ]
    assert events[first + 2]["message"] == "Step 1/3: training loss=1.00"
    (task,) = trainer.tasks
    assert (task.method, task.model, task.base, task.seed) == ("supervised", "tiny", "tiny", 3)
    assert (task.validation_file, task.grader, task.parent) == (None, None, None)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_checkpoints__the_last_one_is_the_model_as_it_is_at_the_end(
    connect: Connect, steps: int
) -> None:
    trainer = GatedTrainer(steps)
    trainer.let(steps)
    api = connect(LocalServer(trainer=trainer))
    job = api.trained(training_file=api.upload(jsonl(chat_lines(10))))
    newest, *older = api.ok("GET", f"{JOBS}/{job['id']}/checkpoints")["data"]
    assert newest["step_number"] == steps
    assert newest["metrics"] == {"step": steps, "train_loss": 1 / steps}
    assert [row["step_number"] for row in older] == [2] * (steps == 3)
    (file_id,) = newest["result_files"]
    assert api.session.get(f"{api.base}/files/{file_id}/content").text == str(steps)


def test_checkpoints__the_last_one_is_there_even_if_the_job_was_paused_after_the_last_step(
    connect: Connect, tmp_path: Path
) -> None:
    trainer = GatedTrainer(1)
    api = connect(LocalServer(tmp_path, trainer, step_seconds=100))
    job_id = api.create(training_file=api.upload(jsonl(chat_lines(10))))["id"]
    trainer.let(1)
    while not api.metrics(job_id):
        time.sleep(0.01)
    api.ok("POST", f"{JOBS}/{job_id}/pause")
    api.job(job_id, until=("paused",))
    api.ok("POST", f"{JOBS}/{job_id}/resume")
    assert api.ended(job_id)["status"] == "succeeded"
    (row,) = api.ok("GET", f"{JOBS}/{job_id}/checkpoints")["data"]
    assert row["metrics"] == {"step": 1, "train_loss": 1.0}


def test_trainer__reads_files_and_models_that_were_deleted_after_the_job_was_queued(
    connect: Connect,
) -> None:
    trainer = GatedTrainer(1)
    api = connect(LocalServer(trainer=trainer, workers=1))
    train, valid = api.upload(jsonl(chat_lines(10))), api.upload(jsonl(chat_lines(2, first=50)))
    trainer.let(1)
    model = api.trained(training_file=train)["fine_tuned_model"]
    first = api.create(training_file=train)
    api.job(first["id"], until=("running",))
    job = api.create(training_file=train, validation_file=valid, model=model)
    api.job(job["id"], until=("queued",))
    for path in (f"/files/{train}", f"/files/{valid}", f"/models/{model}"):
        api.ok("DELETE", path)
    trainer.let(1)
    api.job(job["id"], until=("running",))
    while len(trainer.tasks) < 3:
        time.sleep(0.01)
    task = trainer.tasks[2]
    assert task.training_file.read_text(encoding="utf-8") == jsonl(chat_lines(10))
    assert task.validation_file is not None
    assert task.validation_file.read_text(encoding="utf-8") == jsonl(chat_lines(2, first=50))
    assert (task.model, task.base) == (model, "tiny")
    assert task.parent is not None
    assert (task.parent / "step").read_text(encoding="utf-8") == "1"
    assert task.directory.is_dir()
    trainer.let(1)
    assert api.ended(job["id"])["status"] == "succeeded"
    while task.directory.parent.exists():
        time.sleep(0.01)


def test_pause__waits_for_the_step_that_is_under_way(connect: Connect) -> None:
    trainer = GatedTrainer(4)
    api = connect(LocalServer(trainer=trainer))
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))))
    trainer.let(1)
    while trainer.next() != "step 2":
        pass
    assert api.ok("POST", f"{JOBS}/{job['id']}/pause")["status"] == "pausing"
    trainer.let(1)
    assert [trainer.next() for _ in range(4)] == ["stop", "model 2", "snapshot 2", "close"]
    assert api.job(job["id"], until=("paused",))["status"] == "paused"
    api.ok("POST", f"{JOBS}/{job['id']}/resume")
    trainer.let(2)
    assert api.ended(job["id"])["trained_tokens"] == 40
    assert [one["step"] for one in api.metrics(job["id"])] == [1, 2, 3, 4]


def test_pause__before_the_first_step_needs_no_snapshot(connect: Connect) -> None:
    trainer = GatedTrainer(1)

    class Slow(GatedTrainer):
        def start(self, task: Any) -> Any:
            trainer.next()
            return super().start(task)

    slow = Slow(1)
    api = connect(LocalServer(trainer=slow))
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))))
    api.job(job["id"], until=("running",))
    assert api.ok("POST", f"{JOBS}/{job['id']}/pause")["status"] == "pausing"
    trainer.told.put("go")
    api.job(job["id"], until=("paused",))
    assert [slow.next() for _ in range(4)][1:] == ["begin after 0", "stop", "close"]
    trainer.told.put("go")
    slow.let(1)
    api.ok("POST", f"{JOBS}/{job['id']}/resume")
    assert api.ended(job["id"])["status"] == "succeeded"


def test_cancel__closes_the_training_in_the_middle_of_a_step(connect: Connect) -> None:
    trainer = GatedTrainer(4)
    api = connect(LocalServer(trainer=trainer))
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))))
    while trainer.next() != "step 1":
        pass
    directory = trainer.tasks[0].directory
    assert api.ok("POST", f"{JOBS}/{job['id']}/cancel")["status"] == "cancelled"
    assert trainer.next() == "close"
    while directory.parent.exists():
        time.sleep(0.01)
    assert api.metrics(job["id"]) == []


def test_close__does_not_wait_for_a_long_step(connect: Connect, tmp_path: Path) -> None:
    trainer = GatedTrainer(4)
    server = LocalServer(tmp_path, trainer)
    api = connect(server)
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))))
    trainer.let(3)
    while trainer.next() != "step 4":
        pass
    server.close()
    assert [trainer.next() for _ in range(4)] == ["stop", "close", "close", "close trainer"]
    assert not [one for one in threading.enumerate() if one.name.startswith("finetune-")]

    again = GatedTrainer(4)
    api = connect(LocalServer(tmp_path, again))
    again.let(2)
    assert api.ended(job["id"])["trained_tokens"] == 40
    assert again.next() == "begin after 2"
    assert [one["step"] for one in api.metrics(job["id"])] == [1, 2, 3, 4]


def killed(directory: Path, copy: Path) -> Path:
    """Copy what a server that is killed at this moment leaves in its directory."""
    shutil.copytree(directory, copy)
    return copy


def messages(api: LocalApi, job_id: str) -> list[str]:
    return [event["message"] for event in api.events(job_id)]


def test_killed__a_running_job_resumes_from_its_last_checkpoint(
    connect: Connect, tmp_path: Path
) -> None:
    trainer = GatedTrainer(6)
    api = connect(LocalServer(tmp_path / "first", trainer, workers=1))
    train = api.upload(jsonl(chat_lines(10)))
    job, other = api.create(training_file=train), api.create(training_file=train)
    trainer.let(5)
    while trainer.next() != "step 6":
        pass
    api.job(other["id"], until=("queued",))

    again = GatedTrainer(6)
    api = connect(LocalServer(killed(tmp_path / "first", tmp_path / "second"), again, workers=1))
    again.let(8)
    for one in (job, other):
        ended = api.ended(one["id"])
        assert (ended["status"], ended["trained_tokens"]) == ("succeeded", 60)
    told = [again.next() for _ in range(3)]
    assert told == ["begin after 4", "step 5", "step 6"]
    assert messages(api, job["id"]) == [
        f"Created fine-tuning job: {job['id']}",
        f"Validating training file: {train}",
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
        "Step 1/6: training loss=1.00",
        "Step 2/6: training loss=0.50",
        "Checkpoint created at step 2",
        "Step 3/6: training loss=0.33",
        "Step 4/6: training loss=0.25",
        "Checkpoint created at step 4",
        "Step 5/6: training loss=0.20",
        "The server ended while this job was running; training resumes after step 4.",
        "Fine-tuning job resumed",
        "Step 6/6: training loss=0.17",
        "Checkpoint created at step 6",
        f"New fine-tuned model created: ft:tiny:local::{job['id'][-8:]}",
        "The job has successfully completed",
    ]
    listed = api.ok("GET", f"{JOBS}/{job['id']}/checkpoints")["data"]
    assert [row["step_number"] for row in listed] == [6, 4, 2]


def test_killed__what_is_missing_or_not_whole_in_a_jobs_directory_is_put_right(
    connect: Connect, tmp_path: Path
) -> None:
    trainer = GatedTrainer(3)
    trainer.let(3)
    api = connect(LocalServer(tmp_path / "first", trainer))
    train = api.upload(jsonl(chat_lines(10)))
    model = api.trained(training_file=train)["fine_tuned_model"]
    job = api.create(training_file=train, model=model)
    trainer.let(2)
    while len(api.events(job["id"])) < 7:  # a step, its checkpoint, and what came before
        time.sleep(0.01)

    directory = killed(tmp_path / "first", tmp_path / "second") / "jobs" / job["id"]
    (whole,) = directory.glob("snapshot-*")
    shutil.copytree(whole, directory / "snapshot-0123")
    shutil.copytree(whole, directory / "snapshot-4567.part")
    shutil.rmtree(directory / "parent")
    (directory / "training_file.jsonl").unlink()
    again = GatedTrainer(3)
    api = connect(LocalServer(tmp_path / "second", again))
    assert begun(again, 0) == job["id"]
    task = again.tasks[0]
    assert task.parent is not None
    assert (task.parent / "step").read_text(encoding="utf-8") == "3"
    assert task.training_file.read_text(encoding="utf-8") == jsonl(chat_lines(10))
    assert list(directory.glob("snapshot-*")) == [whole]
    again.let(1)
    assert api.ended(job["id"])["status"] == "succeeded"


def test_killed__a_job_without_a_checkpoint_begins_again_and_tells_no_step_twice(
    connect: Connect, tmp_path: Path
) -> None:
    trainer = GatedTrainer(2)
    api = connect(LocalServer(tmp_path / "first", trainer))
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))))
    trainer.let(1)
    while trainer.next() != "step 2":
        pass

    again = GatedTrainer(2)
    api = connect(LocalServer(killed(tmp_path / "first", tmp_path / "second"), again))
    again.let(2)
    assert api.ended(job["id"])["trained_tokens"] == 20
    assert again.next() == "begin after 0"
    assert messages(api, job["id"])[4:7] == [
        "Step 1/2: training loss=1.00",
        "The server ended while this job was running; training resumes from the beginning.",
        "Fine-tuning job resumed",
    ]
    assert [one["step"] for one in api.metrics(job["id"])] == [1, 2]


def test_killed__a_job_that_was_pausing_is_paused(connect: Connect, tmp_path: Path) -> None:
    trainer = GatedTrainer(4)
    api = connect(LocalServer(tmp_path / "first", trainer))
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))))
    trainer.let(2)
    while trainer.next() != "step 3":
        pass
    assert api.ok("POST", f"{JOBS}/{job['id']}/pause")["status"] == "pausing"

    again = GatedTrainer(4)
    api = connect(LocalServer(killed(tmp_path / "first", tmp_path / "second"), again))
    assert api.job(job["id"])["status"] == "paused"
    assert messages(api, job["id"])[-1] == (
        "The server ended while this job was pausing; when it is resumed, it resumes after step 2."
    )
    again.let(2)
    api.ok("POST", f"{JOBS}/{job['id']}/resume")
    assert api.ended(job["id"])["trained_tokens"] == 40


def test_killed__the_numbers_are_those_of_a_job_that_was_not(
    connect: Connect, tmp_path: Path
) -> None:
    server = LocalServer(tmp_path / "first", step_seconds=0.05, workers=1)
    first = connect(server)
    body = {"seed": 5, "hyperparameters": {"n_epochs": 3, "batch_size": 3}}
    train, plain = jsonl(chat_lines(10)), connect(LocalServer())
    job = first.create(training_file=first.upload(train), **body)
    while len(first.metrics(job["id"])) < 6:
        time.sleep(0.01)
    with server._store.database.lock:  # so that the copy is of one moment
        directory = killed(tmp_path / "first", tmp_path / "second")
    second = connect(LocalServer(directory))
    through = plain.trained(training_file=plain.upload(train), **body)
    resumed = second.ended(job["id"])
    assert second.metrics(job["id"]) == plain.metrics(through["id"])
    assert resumed["trained_tokens"] == through["trained_tokens"]
    results = [
        api.session.get(f"{api.base}/files/{one['result_files'][0]}/content").content
        for api, one in ((second, resumed), (plain, through))
    ]
    assert results[0] == results[1]


def begun(trainer: GatedTrainer, number: int) -> str:
    """The id of the job that was begun as the one of that number, counted from 0."""
    while len(trainer.tasks) <= number:
        time.sleep(0.005)
    return trainer.tasks[number].directory.parent.name


def positions(api: LocalApi, job_id: str) -> list[tuple[str, int]]:
    return [
        (event["message"], event["data"]["queue_position"])
        for event in api.events(job_id)
        if "queue_position" in event["data"]
    ]


def test_queue__is_worked_on_in_order_and_an_event_tells_the_place(connect: Connect) -> None:
    trainer = GatedTrainer(1)
    api = connect(LocalServer(trainer=trainer, workers=2))
    train = api.upload(jsonl(chat_lines(10)))
    made = []
    for _ in range(4):
        made.append(api.create(training_file=train)["id"])
        api.job(made[-1], until=("queued", "running"))
    while len(trainer.tasks) < 2:
        time.sleep(0.005)
    assert {begun(trainer, 0), begun(trainer, 1)} == set(made[:2])
    assert [positions(api, one) for one in made] == [
        [],
        [],
        [("The job is number 1 in the queue.", 1)],
        [("The job is number 2 in the queue.", 2)],
    ]
    trainer.let(1)
    assert begun(trainer, 2) == made[2]
    trainer.let(1)
    assert begun(trainer, 3) == made[3]
    trainer.let(2)
    assert [api.ended(one)["status"] for one in made] == ["succeeded"] * 4


def test_queue__passes_over_what_was_cancelled_and_puts_what_was_resumed_at_the_end(
    connect: Connect,
) -> None:
    trainer = GatedTrainer(1)
    api = connect(LocalServer(trainer=trainer, workers=1))
    train = api.upload(jsonl(chat_lines(10)))
    made = []
    for _ in range(4):
        made.append(api.create(training_file=train)["id"])
        api.job(made[-1], until=("queued", "running"))
    first, paused, cancelled, last = made
    assert begun(trainer, 0) == first
    api.ok("POST", f"{JOBS}/{cancelled}/cancel")
    assert api.ok("POST", f"{JOBS}/{paused}/pause")["status"] == "paused"
    api.ok("POST", f"{JOBS}/{paused}/resume")
    assert [place for _, place in positions(api, paused)] == [1, 2]
    trainer.let(3)
    assert [begun(trainer, 1), begun(trainer, 2)] == [last, paused]
    assert api.ended(paused)["status"] == "succeeded"
    assert len(trainer.tasks) == 3


def test_queue__keeps_its_order_over_a_restart(connect: Connect, tmp_path: Path) -> None:
    trainer = GatedTrainer(2)
    api = connect(LocalServer(tmp_path / "first", trainer, workers=1))
    train = api.upload(jsonl(chat_lines(10)))
    made = []
    for _ in range(4):
        made.append(api.create(training_file=train)["id"])
        api.job(made[-1], until=("queued", "running"))
    assert begun(trainer, 0) == made[0]
    api.ok("POST", f"{JOBS}/{made[1]}/pause")
    api.ok("POST", f"{JOBS}/{made[1]}/resume")

    again = GatedTrainer(2)
    api = connect(LocalServer(killed(tmp_path / "first", tmp_path / "second"), again, workers=1))
    again.let(8)
    assert [begun(again, number) for number in range(4)] == [made[0], made[2], made[3], made[1]]
    assert [place for _, place in positions(api, made[3])] == [3]


def test_queue__each_trainer_has_its_own_workers(connect: Connect) -> None:
    trainers = GatedTrainer(1, "a"), GatedTrainer(1, "b")
    api = connect(LocalServer(trainer=trainers[0], trainers=trainers[1:], workers=1))
    train = api.upload(jsonl(chat_lines(10)))
    made = [api.create(training_file=train, model=model)["id"] for model in "aab"]
    assert begun(trainers[1], 0) == made[2]
    assert begun(trainers[0], 0) == made[0]
    assert api.job(made[1], until=("queued",))["status"] == "queued"
