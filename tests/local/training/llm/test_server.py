from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")

from finetune_client.local import LocalServer, read_job_log
from finetune_client.local.training.llm.trainer import LlmTrainer
from tests.local.training.llm.conftest import answer_tokens, chat
from tests.support.local_api import LocalApi, jsonl
from tests.support.processes import is_running, wait_until_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    Connect = Callable[[LocalServer], LocalApi]

ROOT = Path(__file__).parents[4]
LINES = [chat(number) for number in range(12)]
SETTINGS = {"n_epochs": 2, "batch_size": 4}

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def open_server(connect: Connect, tiny: Path, tmp_path: Path) -> Callable[[], LocalApi]:
    def open_again() -> LocalApi:
        trainer = LlmTrainer(
            {"tiny-llama": tiny},
            cache=tmp_path / "cache",
            threads=1,
            dtype="float32",
            max_length=80,
            answer_tokens=8,
        )
        return connect(
            LocalServer(tmp_path / "server", trainers=[trainer], allow_python_graders=True)
        )

    return open_again


def wait(api: LocalApi, job: Any, *statuses: str, step: int = 0) -> Any:
    """Wait for a status, and for a step."""
    end = time.monotonic() + 120
    while True:
        now = api.job(job["id"])
        if now["status"] in statuses and (not step or len(api.metrics(job["id"])) >= step):
            return now
        assert now["status"] not in {"failed", "cancelled"}, now
        assert time.monotonic() < end, now
        time.sleep(0.05)


def test_job__from_a_file_to_a_model_that_another_starts_from(
    open_server: Callable[[], LocalApi],
) -> None:
    api = open_server()
    assert "tiny-llama" in {model["id"] for model in api.ok("GET", "/models")["data"]}
    long = chat(3)
    long["messages"][0]["content"] *= 3
    valid = api.upload(jsonl(LINES[:4]))
    given = {
        "model": "tiny-llama",
        "training_file": api.upload(jsonl([*LINES, long])),
        "validation_file": valid,
        "hyperparameters": SETTINGS,
        "seed": 1,
    }
    job = api.create(**given)
    job = wait(api, job, "succeeded")
    assert job["fine_tuned_model"].startswith("ft:tiny-llama:local::")
    assert job["trained_tokens"] == 2 * sum([*map(answer_tokens, range(12)), 7])
    events = [event for event in api.events(job["id"]) if event["level"] == "warn"]
    assert [event["message"] for event in events] == [
        (
            "Longer than 80 tokens: 1 line (13) of the training_file, at most 83 tokens. Cut off at "
            "the ends: 3 tokens."
        )
    ]
    text = api.session.get(f"{api.base}/files/{job['result_files'][0]}/content").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["step"] for row in rows] == [str(number) for number in range(1, 9)]
    assert all(0 < float(row["valid_loss"]) < 6 for row in rows)
    assert [name for name, value in rows[0].items() if not value] == []
    path = f"/fine_tuning/jobs/{job['id']}/checkpoints"
    assert [one["step_number"] for one in api.ok("GET", path)["data"]] == [8, 4]
    last = api.metrics(job["id"])[-1]["full_valid_loss"]

    child = wait(api, api.create(**{**given, "model": job["fine_tuned_model"]}), "succeeded")
    assert api.metrics(child["id"])[0]["valid_loss"] == pytest.approx(last, abs=1e-6)


SOURCE = """
import os, pathlib, time
def grade(sample, item):
    pathlib.Path(item["told"]).write_text(str(os.getpid()))
    while item["hangs"]: time.sleep(0.01)
    return len(sample["output_text"].encode()) / item["most"]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="looks for processes as POSIX has them")
def test_job__is_rewarded_by_a_python_grader(
    open_server: Callable[[], LocalApi], tmp_path: Path
) -> None:
    api = open_server()

    def create(told: Path, *, hangs: bool) -> Any:
        question = [{"role": "user", "content": "Hi"}]
        common = {"messages": question, "told": str(told), "hangs": hangs}
        rows = [{**common, "most": number % 5, "number": number} for number in range(10)]
        grader = {"type": "python", "name": "length", "source": SOURCE}
        settings = {"n_epochs": 1, "batch_size": 5, "compute_multiplier": 0.25}
        file = api.upload(jsonl(rows))
        return api.create(
            model="tiny-llama",
            training_file=file,
            validation_file=file,
            method={
                "type": "reinforcement",
                "reinforcement": {"grader": grader, "hyperparameters": settings},
            },
            seed=1,
        )

    job = wait(api, create(tmp_path / "first", hangs=False), "succeeded")
    steps = api.metrics(job["id"])
    assert len(steps) == 2
    assert all(step["train_mean_reward"] > 0 for step in steps)
    assert steps[1]["full_valid_mean_reward"] > 0
    [told] = [event["message"] for event in api.events(job["id"]) if event["level"] == "warn"]
    assert "python_grader_runtime_error: ZeroDivisionError: division by zero (line 6 of" in told
    assert not is_running(int((tmp_path / "first").read_text(encoding="utf-8")))

    job = create(tmp_path / "second", hangs=True)
    end = time.monotonic() + 120
    while not (tmp_path / "second").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    api.ok("POST", f"/fine_tuning/jobs/{job['id']}/cancel")
    wait_until_ended(int((tmp_path / "second").read_text(encoding="utf-8")))


def test_job__is_paused_resumed_and_cancelled(
    open_server: Callable[[], LocalApi], tmp_path: Path
) -> None:
    api = open_server()
    given = {
        "model": "tiny-llama",
        "training_file": api.upload(jsonl(LINES)),
        "hyperparameters": {"n_epochs": 50, "batch_size": 1},
    }
    job = api.create(**given)
    path = f"/fine_tuning/jobs/{job['id']}"
    wait(api, job, "running", step=3)
    api.ok("POST", f"{path}/pause")
    wait(api, job, "paused")
    paused_at = len(api.metrics(job["id"]))
    api.ok("POST", f"{path}/resume")
    wait(api, job, "running", step=paused_at + 3)
    assert [step["step"] for step in api.metrics(job["id"])[: paused_at + 3]] == list(
        range(1, paused_at + 4)
    )
    began = time.monotonic()
    assert api.ok("POST", f"{path}/cancel")["status"] == "cancelled"
    assert time.monotonic() - began < 5
    runs = [line for line in read_job_log(tmp_path / "server", job["id"]) if "A run of" in line]
    assert [line.partition(": torch ")[0] for line in runs] == [
        "A run of tiny-llama (supervised) begins",
        "A run of tiny-llama (supervised) resumes from a snapshot",
    ]


SERVER = """
import os, signal, sys, time
from pathlib import Path
from finetune_client import Client
from finetune_client.local.training.llm.trainer import LlmTrainer

model, directory, train, valid = sys.argv[1:]
trainer = LlmTrainer(
    {"tiny-llama": model}, cache=Path(directory), threads=1, dtype="float32", max_length=80
)
client = Client.local(Path(directory) / "server", trainers=[trainer])
job = client.jobs.create(
    model="tiny-llama", training_file=Path(train), validation_file=Path(valid), seed=1,
    hyperparameters={"n_epochs": 2, "batch_size": 4},
)
print(job.id, flush=True)
while len([event for event in client.jobs.list_events(job.id) if event.type == "metrics"]) < 4:
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_job__continues_from_its_last_checkpoint_after_its_server_was_killed(
    open_server: Callable[[], LocalApi],
    train_here: Callable[..., Any],
    tiny: Path,
    tmp_path: Path,
    write_lines: Callable[..., Path],
) -> None:
    expected = train_here(LINES, validation=LINES[:4], **SETTINGS).steps
    files = [write_lines(LINES, "a.jsonl"), write_lines(LINES[:4], "b.jsonl")]
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(tiny), str(tmp_path), *map(str, files)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    api = open_server()
    job = wait(api, {"id": done.stdout.strip()}, "succeeded")
    assert [
        {name: value for name, value in step.items() if name not in {"step", "total_steps"}}
        for step in api.metrics(job["id"])
    ] == [step["metrics"] for step in expected]
    assert job["trained_tokens"] == sum(step["tokens"] for step in expected)
