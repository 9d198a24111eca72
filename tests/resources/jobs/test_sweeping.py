"""Sweeps on the embedded server, and against services that limit jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import responses

from finetune_client import AUTO, Client, FineTuningJobRequest, RateLimitError, RequestError
from finetune_client.errors import TrainingDataError, WaitTimeoutError
from finetune_client.providers import LITELLM, OPENAI
from finetune_client.resources.jobs.sweeping import SweepRun, plan_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = (
    '{"messages": [{"role": "user", "content": "%d?"}, {"role": "assistant", "content": "%d"}]}\n'
)
API = "https://api.openai.com/v1"


@pytest.fixture
def client() -> Iterator[Client]:
    with Client.local(workers=2) as client:
        yield client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(ROWS % (n, n) for n in range(12)), encoding="utf-8")
    return path


def base(file: Path) -> dict[str, Any]:
    return {"model": "tiny", "training_file": file, "validation_file": file}


def test_sweep__of_twenty_settings_and_again_pays_for_nothing_twice(
    client: Client, file: Path
) -> None:
    grid: dict[str, list[float]] = {
        "n_epochs": [1, 2],
        "batch_size": [4, 12],
        "learning_rate_multiplier": [0.5, 1, 2, 4, 8],
    }
    active: set[str] = set()
    most = 0

    def count(run: SweepRun) -> None:
        nonlocal most
        assert run.job is not None
        (active.discard if run.job.is_terminal else active.add)(run.job.id)
        most = max(most, len(active))

    done = client.jobs.sweep(base(file), grid, concurrency=3, on_run=count, poll_interval=0.02)
    assert len(done.runs) == len(done.jobs) == len({job.id for job in done.jobs}) == 20
    assert (most, done.failed, len(list(client.files.list(purpose="fine-tune")))) == (3, [], 2)
    assert {job.status for job in done.jobs} == {"succeeded"}
    assert done.comparison is not None
    assert done.comparison.name == "full_valid_loss" or "valid" in done.comparison.name
    values = [row[1] for row in done.comparison.rows]
    assert values == sorted(values)
    assert done.best is not None
    assert done.best.label == done.comparison.rows[0][0]
    settings = done.best.job.hyperparameters if done.best.job else None
    assert settings is not None
    assert settings.n_epochs == done.best.settings["n_epochs"]
    again = client.jobs.sweep(base(file), grid)
    assert [job.id for job in again.jobs] == [job.id for job in done.jobs]
    assert all(run.found for run in again.runs)
    assert not any(run.found for run in done.runs)
    assert len(list(client.jobs.list(limit=100))) == 20
    assert len(list(client.files.list(purpose="fine-tune"))) == 2
    wider = client.jobs.sweep(base(file), {**grid, "n_epochs": [2, 3]}, poll_interval=0.02)
    assert sum(run.found for run in wider.runs) == 10


def test_sweep__shows_itself(client: Client, file: Path) -> None:
    done = client.jobs.sweep(base(file), {"n_epochs": [1, 2]}, poll_interval=0.02)
    best = done.best
    assert best is not None
    assert best.job is not None
    assert str(done).splitlines()[-1] == f"Best: {best.label}, {best.job.fine_tuned_model}"
    page = done._repr_html_()
    assert "<svg" in page
    assert f"<td>n_epochs=1</td><td>{done.jobs[0].id}</td><td>succeeded</td>" in page
    facts = done.to_dict()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["best"] == best.label
    assert facts["runs"][0]["settings"] == {"n_epochs": 1}
    assert repr(done) == f"<Sweep {done.idempotency_key}: 2 runs, 0 failed>"
    assert list(done.metrics) == ["n_epochs=1", "n_epochs=2"]


def test_sweep__another_key_makes_new_jobs(client: Client, file: Path) -> None:
    grid = {"n_epochs": [1]}
    first = client.jobs.sweep(base(file), grid, idempotency_key="monday", poll_interval=0.02)
    other = client.jobs.sweep(base(file), grid, idempotency_key="tuesday", poll_interval=0.02)
    assert first.jobs[0].id != other.jobs[0].id
    assert first.runs[0].idempotency_key.startswith("monday-")


def test_sweep__a_broken_setting_is_found_before_anything_is_sent(
    client: Client, file: Path
) -> None:
    with pytest.raises(RequestError, match="n_epochs"):
        client.jobs.sweep(base(file), {"n_epochs": [1, 0]})
    file.write_text("{}\n", encoding="utf-8")
    with pytest.raises(TrainingDataError):
        client.jobs.sweep(base(file), {"n_epochs": [1, 2]})
    assert list(client.files.list()) == []


def test_sweep__the_time_is_over(file: Path) -> None:
    with Client.local(step_seconds=60) as client:
        with pytest.raises(WaitTimeoutError, match="settings without a job: 1") as caught:
            client.jobs.sweep(
                base(file), {"n_epochs": [1, 2]}, concurrency=1, timeout=0.2, poll_interval=0.05
            )
        assert [job.id for job in caught.value.jobs] == [job.id for job in client.jobs.list()]


def test_sweep__a_job_that_failed_is_in_the_result(file: Path) -> None:
    with Client.local(step_seconds=60) as client:

        def cancel(run: SweepRun) -> None:
            if run.job and not run.job.is_terminal:
                client.jobs.cancel(run.job.id)

        done = client.jobs.sweep(
            base(file), {"n_epochs": [1, 2]}, on_run=cancel, poll_interval=0.05
        )
        assert len(done.failed) == 2
        assert done.best is None
        assert "n_epochs=1: cancelled" in str(done)


def test_sweep__ctrl_c_says_how_to_go_on(file: Path) -> None:
    def stop(run: SweepRun) -> None:
        raise KeyboardInterrupt

    with Client.local(step_seconds=60) as client:
        with pytest.raises(KeyboardInterrupt, match="its idempotency_key is 'mine'"):
            client.jobs.sweep(base(file), {"n_epochs": [1]}, idempotency_key="mine", on_run=stop)
        assert len(list(client.jobs.list())) == 1


def test_sweep__with_a_ledger_where_no_metadata_is_kept(tmp_path: Path, file: Path) -> None:
    from finetune_client.local import LocalServer, running

    with LocalServer() as server, running(server) as base_url:
        made = []
        for _ in range(2):
            with Client(
                "sk-made-up", base_url=base_url, provider="compatible", ledger=tmp_path / "l.db"
            ) as client:
                done = client.jobs.sweep(base(file), {"n_epochs": [1, 2]}, poll_interval=0.05)
                made.append([job.id for job in done.jobs])
        assert made[0] == made[1]


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def limited(waits: list[float]) -> Iterator[tuple[Client, responses.RequestsMock]]:
    """OpenAI, with a clock that takes no time."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    with (
        responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
        Client("sk-made-up", max_retries=0) as client,
    ):
        client._session.clock = replace(client._session.clock, monotonic=lambda: now, sleep=sleep)
        yield client, mock


def test_sweep__waits_for_room_where_the_server_has_none(
    limited: tuple[Client, responses.RequestsMock], waits: list[float]
) -> None:
    client, mock = limited
    jobs: dict[str, dict[str, Any]] = {}
    refused = 0

    def create(request: Any) -> tuple[int, dict[str, str], str]:
        nonlocal refused
        if sum(job["status"] == "running" for job in jobs.values()) == 2:
            refused += 1
            error = {"message": "Too many jobs.", "code": "rate_limit_exceeded"}
            return 429, {}, json.dumps({"error": error})
        job = {"id": f"ftjob-{len(jobs)}", "status": "running", "polls": 0}
        job["metadata"] = json.loads(request.body)["metadata"]
        jobs[str(job["id"])] = job
        return 200, {}, json.dumps(job)

    def listed(request: Any) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps({"data": [*jobs.values()], "has_more": False})

    def retrieve(request: Any) -> tuple[int, dict[str, str], str]:
        job = jobs[request.url.rpartition("/")[2]]
        job["polls"] += 1
        if job["polls"] >= 3:
            job["status"] = "succeeded"
        return 200, {}, json.dumps(job)

    nothing = {"data": [], "has_more": False}
    mock.add_callback("POST", f"{API}/fine_tuning/jobs", create)
    mock.add_callback("GET", f"{API}/fine_tuning/jobs", listed)
    for n in range(5):
        mock.add_callback("GET", f"{API}/fine_tuning/jobs/ftjob-{n}", retrieve)
        for what in ("events", "checkpoints"):
            mock.get(f"{API}/fine_tuning/jobs/ftjob-{n}/{what}", json=nothing)
    request = FineTuningJobRequest(model="gpt-4.1-mini-2025-04-14", training_file="file-1")
    done = client.jobs.sweep(request, {"n_epochs": [1, 2, 3, 4, 5]}, concurrency=4)
    assert {job.status for job in done.jobs} == {"succeeded"}
    assert (len(jobs), done.comparison, done.best) == (5, None, None)
    assert 0 < refused < 5
    assert str(done) == "No run has a curve to compare."


def test_sweep__a_quota_that_is_used_up_ends_it(
    limited: tuple[Client, responses.RequestsMock],
) -> None:
    client, mock = limited
    error = {"message": "No money.", "code": "insufficient_quota"}
    mock.get(f"{API}/fine_tuning/jobs", json={"data": [], "has_more": False})
    mock.post(f"{API}/fine_tuning/jobs", status=429, json={"error": error})
    with pytest.raises(RateLimitError, match="No money"):
        client.jobs.sweep({"model": "m", "training_file": "file-1"}, {"n_epochs": [1]})


def test_sweep__a_server_without_any_room_is_given_up(
    limited: tuple[Client, responses.RequestsMock], waits: list[float]
) -> None:
    client, mock = limited
    mock.get(f"{API}/fine_tuning/jobs", json={"data": [], "has_more": False})
    mock.post(f"{API}/fine_tuning/jobs", status=429, json={"error": {"message": "Full."}})
    with pytest.raises(RateLimitError, match="Full"):
        client.jobs.sweep({"model": "m", "training_file": "file-1"}, {"n_epochs": [1]})
    assert len(waits) == 20
    assert sum(waits) >= 100


def bodies(grid: Any, request: Any = None, provider: Any = OPENAI) -> list[dict[str, Any]]:
    _, runs, _ = plan_runs(request or {"model": "m"}, grid, provider, "k")
    return [run.request for run in runs]


def test_plan__names_are_fields_hyperparameters_or_paths() -> None:
    dpo = {"model": "m", "method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 1}}}}
    found = bodies({"beta": [0.1, AUTO]}, dpo)
    settings = [body["method"]["dpo"]["hyperparameters"] for body in found]
    assert settings == [{"n_epochs": 1, "beta": 0.1}, {"n_epochs": 1, "beta": "auto"}]
    assert bodies({"seed": [1], "metadata.team": ["a"]}) == [
        {"model": "m", "seed": 1, "metadata": {"team": "a"}}
    ]
    old = {"model": "m", "hyperparameters": {"batch_size": 2}}
    assert bodies({"n_epochs": [1]}, old)[0]["hyperparameters"] == {"batch_size": 2, "n_epochs": 1}
    assert bodies({"n_epochs": [1]}, provider=LITELLM)[0] == {
        "model": "m",
        "hyperparameters": {"n_epochs": 1},
    }


def test_plan__keys_are_stable_and_differ() -> None:
    request = {"model": "m", "training_file": "file-1"}
    key, runs, _ = plan_runs(request, {"n_epochs": [1, 2], "seed": [3]}, OPENAI, None)
    also, turned, _ = plan_runs(request, {"seed": [3], "n_epochs": [2]}, OPENAI, None)
    assert key == also
    assert runs[1].idempotency_key == turned[0].idempotency_key != runs[0].idempotency_key
    other, _, _ = plan_runs({**request, "model": "n"}, {"seed": [3]}, OPENAI, None)
    assert other != key


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({}, "The grid has no setting: give a name and its values."),
        ({"seed": []}, "grid['seed'] has no value."),
        ({"seed": "12"}, "grid['seed'] must be a list of values, got '12'."),
        ({"seed": 1}, "grid['seed'] must be a list of values, got 1."),
        (
            {"seed": [1, 1]},
            "The grid has a setting twice: each value of a name must be another one.",
        ),
    ],
)
def test_plan__refuses_what_is_no_grid(grid: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        plan_runs({"model": "m"}, grid, OPENAI, None)
    assert str(caught.value) == said


@pytest.mark.parametrize("number", [0, True, 1.5])
def test_sweep__concurrency_is_a_whole_number(client: Client, number: Any) -> None:
    with pytest.raises(RequestError, match="concurrency must be a whole number above 0"):
        client.jobs.sweep({"model": "m"}, {"seed": [1]}, concurrency=number)
