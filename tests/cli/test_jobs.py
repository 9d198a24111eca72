"""The commands about jobs and files, against the embedded server on a port."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import responses
from click import Context

from finetune_client import (
    Client,
    FineTuningJob,
    FineTuningMethod,
    Hyperparameters,
    SupervisedMethod,
)
from finetune_client.cli.commands import cli
from finetune_client.local import LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Finetune = Callable[..., Result]


@pytest.fixture
def env(remote: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": remote, "OPENAI_API_KEY": "sk-made-up"}


@pytest.fixture
def job(remote: str, train: Path) -> FineTuningJob:
    with Client(base_url=remote, api_key="sk-made-up") as client:
        method = FineTuningMethod.of(SupervisedMethod(hyperparameters=Hyperparameters(n_epochs=3)))
        made = client.jobs.create(model="tiny", training_file=train, method=method)
        return client.jobs.wait(made.id)


def test_upload_create_wait__the_way_step_by_step(
    finetune: Finetune, env: dict[str, str], train: Path
) -> None:
    uploaded = finetune("upload", train, "--json", **env)
    file_id = json.loads(uploaded.output)["uploaded"]["id"]
    created = finetune("create", file_id, "--model", "tiny", "--epochs", 1, "--json", **env)
    job_id = json.loads(created.output)["id"]
    assert finetune("wait", job_id, **env).output.split("\t")[:3] == [job_id, "succeeded", "tiny"]
    followed = finetune("follow", job_id, **env)
    assert followed.exit_code == 0
    assert followed.output.splitlines()[-1].startswith("Model: ft:tiny:local::")
    assert "Metrics: finetune metrics " in followed.output


def test_upload__says_how_long_the_file_is_kept(
    finetune: Finetune, env: dict[str, str], train: Path
) -> None:
    done = finetune("upload", train, "--expires-after", 3600, "--json", **env)
    file = json.loads(done.output)["uploaded"]
    assert file["expires_at"] - file["created_at"] == 3600


def test_list_show_checkpoints_metrics(
    finetune: Finetune, env: dict[str, str], job: FineTuningJob
) -> None:
    assert finetune("list", **env).output.split("\t")[0] == job.id
    assert finetune("list", "--metadata", "team=a", **env).output == ""
    assert json.loads(finetune("show", job.id, "--json", **env).output) == job.to_dict()
    points = finetune("checkpoints", job.id, **env).output.splitlines()
    assert [line.split("\t")[1] for line in points] == ["36", "24", "12"]
    assert finetune("metrics", job.id, **env).output.startswith("train_loss: ")


def test_files_and_models(finetune: Finetune, env: dict[str, str], job: FineTuningJob) -> None:
    rows = [line.split("\t") for line in finetune("files", **env).output.splitlines()]
    assert {row[2] for row in rows} == {"fine-tune", "fine-tune-results"}
    assert str(job.fine_tuned_model) in finetune("models", **env).output


def test_cancel__of_a_finished_job_is_refused_with_the_servers_words(
    finetune: Finetune, env: dict[str, str], job: FineTuningJob
) -> None:
    done = finetune("cancel", job.id, **env)
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert "succeeded" in done.output


def test_show__of_a_job_that_is_not_there(finetune: Finetune, env: dict[str, str]) -> None:
    done = finetune("show", "ftjob-nope", "--json", **env)
    assert done.exit_code == 1
    said = json.loads(done.output)
    assert (said["kind"], said["error"], said["status_code"], said["code"]) == (
        "error",
        "NotFoundError",
        404,
        "fine_tune_not_found",
    )


def test_list__metadata_must_be_a_pair(finetune: Finetune, env: dict[str, str]) -> None:
    done = finetune("list", "--metadata", "team", **env)
    assert done.exit_code == 2
    assert done.stderr.endswith(
        "Error: Invalid value for '--metadata': 'team' is not of the form KEY=VALUE.\n"
    )


@pytest.mark.parametrize("command", ["follow", "wait"])
def test_watching__of_a_server_that_is_not_there_ends_at_once(
    finetune: Finetune, command: str
) -> None:
    """An outage is waited through, but not one that a wrong address is as likely to explain."""
    with running(LocalServer()) as base_url:
        pass
    done = finetune(command, "ftjob-1", OPENAI_BASE_URL=base_url, OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 1
    assert done.output.startswith("Error: Could not connect to 127.0.0.1:")


@pytest.mark.parametrize("option", ["--plot", "--csv"])
def test_metrics__a_folder_that_is_not_there_is_refused_before_anything_is_asked(
    finetune: Finetune, tmp_path: Path, option: str
) -> None:
    done = finetune("metrics", "ftjob-1", option, tmp_path / "no" / "curve.svg")
    assert done.exit_code == 2
    assert done.stderr.endswith(
        f"Error: Invalid value for '{option}': There is no folder {str(tmp_path / 'no')!r} that can "
        "be written to.\n"
    )


def test_wait__says_how_to_go_on_in_the_words_of_the_command(
    finetune: Finetune, train: Path
) -> None:
    with LocalServer(step_seconds=60) as server, running(server) as base_url:
        with Client(base_url=base_url, api_key="sk-made-up") as client:
            job = client.jobs.create(model="tiny", training_file=train)
        options = ("--base-url", base_url)
        done = finetune("wait", job.id, "--timeout", 0, *options, OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 1
    assert done.output == (
        f"Error: The time to wait is over; job {job.id} continues. "
        f"Wait again with: finetune wait {job.id} --base-url {base_url}\n"
    )


@responses.activate
def test_wait__shows_what_a_server_says_without_acting_on_it(finetune: Finetune) -> None:
    error = {"code": "c", "message": "bad\x1b[2J", "param": None}
    job = {"id": "ftjob-1", "status": "failed", "error": error}
    api = "https://api.example.com/v1"
    responses.get(f"{api}/fine_tuning/jobs/ftjob-1", json=job)
    done = finetune("wait", "ftjob-1", "--base-url", api, OPENAI_API_KEY="sk-made-up")
    assert done.output == "Error: Job ftjob-1 failed: bad\\x1b[2J (code: c)\n"


@responses.activate
def test_metrics__says_so_where_there_are_none(finetune: Finetune) -> None:
    api = "https://api.example.com/v1"
    responses.get(f"{api}/fine_tuning/jobs/ftjob-1", json={"id": "ftjob-1", "status": "queued"})
    nothing = {"data": [], "has_more": False}
    responses.get(f"{api}/fine_tuning/jobs/ftjob-1/events", json=nothing)
    responses.get(f"{api}/fine_tuning/jobs/ftjob-1/checkpoints", json=nothing)
    env = {"OPENAI_API_KEY": "sk-made-up", "OPENAI_BASE_URL": api}
    done = finetune("metrics", "ftjob-1", **env)
    as_json = finetune("metrics", "ftjob-1", "--json", **env)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "Job ftjob-1 has no metrics, or none yet.\n"
    assert (as_json.stdout, as_json.stderr) == ('{"kind": "metrics", "series": {}}\n', "")


def test_metrics__writes_pictures_and_a_table(
    finetune: Finetune, env: dict[str, str], job: FineTuningJob, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    for name in ("curve.svg", "curve.png"):
        done = finetune("metrics", job.id, "--plot", str(tmp_path / name), **env)
        assert done.exit_code == 0, done.output
    picture = (tmp_path / "curve.svg").read_text()
    assert job.id in picture
    assert f"{job.fine_tuned_model}:ckpt-step-24" in picture
    assert ">epoch<" in picture
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    finetune("metrics", job.id, "--csv", str(tmp_path / "curves.csv"), **env)
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert lines[0].startswith("step,train_loss,")
    assert len(lines) == 37


def test_metrics__refuses_another_kind_of_picture_before_it_asks(finetune: Finetune) -> None:
    done = finetune("metrics", "ftjob-1", "--plot", "curve.jpg", OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 2
    assert "'curve.jpg' must end in .png or .svg." in done.stderr


@responses.activate
def test_follow__names_the_model_though_its_metrics_cannot_be_had(
    finetune: Finetune, tmp_path: Path
) -> None:
    api = "https://api.example.com/v1"
    job = {"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": "ft:m:o::1"}
    refused = {"error": {"message": "no"}}
    for path, status, body in (
        ("fine_tuning/jobs/ftjob-1", 200, {**job, "result_files": ["file-1"]}),
        ("fine_tuning/jobs/ftjob-1/events", 200, {"data": [], "has_more": False}),
        ("files/file-1", 401, refused),
        ("files/file-1/content", 401, refused),
    ):
        responses.get(f"{api}/{path}", status=status, json=body)
    env = {"OPENAI_API_KEY": "sk-made-up", "OPENAI_BASE_URL": api}
    done = finetune("follow", "ftjob-1", **env)
    saved = finetune("follow", "ftjob-1", "--metrics", tmp_path / "m.csv", **env)
    assert (done.exit_code, saved.exit_code) == (0, 1)
    assert done.stderr.startswith("The metrics cannot be shown: no (HTTP 401, ")
    assert done.stdout.splitlines()[-1] == saved.stdout.splitlines()[-1] == "Model: ft:m:o::1"
    assert "metrics could not be written" in saved.stderr


def test_check__tells_the_status_of_the_file(finetune: Finetune, train: Path) -> None:
    assert finetune("check", train).exit_code == 0
    train.write_text("{}\n", encoding="utf-8")
    bad = finetune("check", train, "--json")
    assert bad.exit_code == 2
    first, last = map(json.loads, bad.output.splitlines())
    assert (first["kind"], last["error"]) == ("check", "TrainingDataError")


def test_check__a_validation_file_may_be_short(finetune: Finetune, train: Path) -> None:
    train.write_text(train.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    assert finetune("check", train).exit_code == 2
    assert finetune("check", train, "--least-examples", 1).exit_code == 0


@pytest.mark.parametrize("option", [(), ("file-1", "--validation-file")])
def test_create__a_path_in_place_of_an_id_names_the_way(
    finetune: Finetune, train: Path, option: tuple[str, ...]
) -> None:
    done = finetune("create", *option, train, "-m", "tiny")
    assert done.exit_code == 2
    assert done.output.endswith(
        f"Error: {str(train)!r} is a file here, not the id of an uploaded one. "
        f"Upload it first, with: finetune upload {train}\n"
    )


def test_create__takes_an_id_that_is_too_long_for_a_file(
    finetune: Finetune, env: dict[str, str]
) -> None:
    done = finetune("create", "x" * 300, "-m", "tiny", "--json", **env)
    assert json.loads(done.stdout)["error"] == "NotFoundError"


@pytest.mark.parametrize("name", cli.list_commands(Context(cli)))
def test_help__every_command_has_it_and_the_docs_name_it(finetune: Finetune, name: str) -> None:
    from pathlib import Path

    page = Path(__file__).parents[2] / "docs" / "command-line.md"
    assert f"`finetune {name}" in page.read_text(encoding="utf-8")
    assert finetune(name, "--help").output.startswith(f"Usage: cli {name}")
