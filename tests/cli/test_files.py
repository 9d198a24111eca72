"""``finetune files``, ``models``, ``permissions`` and ``events``, against the embedded server."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import responses

from finetune_client import Client
from finetune_client.local import LocalServer, running
from tests.support.gated_trainer import GatedTrainer, GatedTraining
from tests.support.terminal import in_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from finetune_client import FineTuningJob
    from finetune_client.local import TrainingTask
    from tests.cli.conftest import Finetune

API = "https://api.example.com/v1"


@pytest.fixture
def env(remote: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": remote, "OPENAI_API_KEY": "sk-made-up", "OPENAI_ADMIN_KEY": "sk-a"}


@pytest.fixture
def job(remote: str, train: Path) -> FineTuningJob:
    with Client(base_url=remote, api_key="sk-made-up") as client:
        return client.jobs.wait(client.jobs.create(model="tiny", training_file=train).id)


def lines(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


def test_files__show_wait_and_delete_one(
    finetune: Finetune, env: dict[str, str], job: FineTuningJob
) -> None:
    name = str(job.training_file)
    for verb in ("show", "wait"):
        row = finetune("files", verb, name, **env).output.split("\t")
        assert (row[0], row[2], row[4]) == (name, "fine-tune", "train.jsonl\n")
    [shown] = lines(finetune("files", "show", name, "--json", **env))
    assert shown["object"] == "file"
    [also] = job.result_files or []
    assert finetune("files", "delete", name, **env).output == f"{name}: deleted.\n"
    [gone] = lines(finetune("files", "delete", also, "--json", **env))
    assert gone["deleted"] is True
    rows = finetune("files", **env).output.splitlines()
    assert not {row.split("\t")[0] for row in rows} & {name, also}


def test_files__download_under_its_own_name_or_another(
    finetune: Finetune,
    env: dict[str, str],
    job: FineTuningJob,
    train: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, content = str(job.training_file), train.read_bytes()
    (folder := tmp_path / "here").mkdir()
    monkeypatch.chdir(folder)
    assert finetune("files", "download", name, **env).output == f"{name}: written to train.jsonl.\n"
    assert (folder / "train.jsonl").read_bytes() == content
    again = finetune("files", "download", name, **env)
    assert again.exit_code == 2
    assert again.stderr.endswith(
        "Error: train.jsonl is there already: name another file, or replace it with --overwrite.\n"
    )
    [facts] = lines(finetune("files", "download", name, "-o", "a.jsonl", "--json", **env))
    assert facts == {
        "kind": "download",
        "file_id": name,
        "path": "a.jsonl",
        "bytes": len(content),
    }
    overwritten = finetune("files", "download", name, "-o", tmp_path, "--overwrite", **env)
    assert overwritten.output == f"{name}: written to {tmp_path / 'train.jsonl'}.\n"
    assert finetune("files", "download", name, "-o", "-", **env).stdout_bytes == content


@responses.activate
def test_files__a_name_from_the_server_leads_nowhere_else(
    finetune: Finetune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "here").mkdir()
    monkeypatch.chdir(folder)
    key = {"OPENAI_BASE_URL": API, "OPENAI_API_KEY": "sk-made-up"}
    for sent, used in (
        ("../../evil.csv", "evil.csv"),
        ("..\\evil2.csv", "evil2.csv"),
        ("..", "file-1"),
    ):
        file = {"id": "file-1", "bytes": 1, "filename": sent, "purpose": "fine-tune"}
        responses.upsert("GET", f"{API}/files/file-1", json=file)
        responses.upsert("GET", f"{API}/files/file-1/content", body=b"x")
        done = finetune("files", "download", "file-1", **key)
        assert done.output == f"file-1: written to {used}.\n"
    assert {path.name for path in folder.iterdir()} == {"evil.csv", "evil2.csv", "file-1"}


def test_files__options_before_a_command_are_not_lost(finetune: Finetune, remote: str) -> None:
    done = finetune("files", "--base-url", remote, "show", "file-1")
    assert done.exit_code == 2
    assert "Options go behind the command: cli files show ..." in done.output


def test_models__show_and_delete(
    finetune: Finetune, env: dict[str, str], job: FineTuningJob
) -> None:
    model = str(job.fine_tuned_model)
    assert finetune("models", "show", model, **env).output == f"{model}\torg-local\t-\n"
    assert finetune("models", "delete", model, **env).output == f"{model}: deleted.\n"
    gone = finetune("models", "show", model, "--json", **env)
    assert (gone.exit_code, json.loads(gone.output)["status_code"]) == (1, 404)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_models__delete_asks_on_a_terminal(env: dict[str, str], job: FineTuningJob) -> None:
    model = str(job.fine_tuned_model)
    status, shown = in_terminal("models", "delete", model, env=env, answer="n")
    assert (status, shown.startswith(f"Delete {model} for good? [y/N]: n")) == (1, True)
    status, shown = in_terminal("models", "delete", model, "--yes", env=env)
    assert (status, shown) == (0, f"{model}: deleted.\r\n")


@responses.activate
def test_models__download_the_weights(finetune: Finetune, tmp_path: Path) -> None:
    api = "https://api.tokenfactory.nebius.com/v1"
    point = {"id": "ftckpt_1", "step_number": 24, "result_files": ["file-w"]}
    for path, body in (
        ("fine_tuning/jobs/ftjob-1", {"id": "ftjob-1", "status": "succeeded"}),
        ("fine_tuning/jobs/ftjob-1/checkpoints", {"data": [point], "has_more": False}),
        ("files/file-w", {"id": "file-w", "bytes": 4, "filename": "run/model.safetensors"}),
    ):
        responses.get(f"{api}/{path}", json=body)
    responses.get(f"{api}/files/file-w/content", body=b"1234")
    options = ("--provider", "nebius", "--json")
    target = tmp_path / "weights"
    [facts] = lines(
        finetune("models", "download", "ftjob-1", target, *options, NEBIUS_API_KEY="sk-made-up")
    )
    assert facts["files"] == ["model.safetensors"]
    assert (target / "model.safetensors").read_bytes() == b"1234"


def test_models__merge_of_what_is_no_adapter_is_a_download(
    finetune: Finetune, env: dict[str, str], job: FineTuningJob, tmp_path: Path
) -> None:
    place = tmp_path / "weights"
    done = finetune("models", "download", job.id, place, "--merge", **env)
    assert (done.exit_code, done.stdout) == (0, f"{job.id}: 1 file written to {place}.\n")
    assert done.stderr == "It is no adapter, so there was nothing to merge.\n"
    [facts] = lines(finetune("models", "download", job.id, place, "--merge", "--json", **env))
    assert (facts["files"], facts["merged"]) == (["model.npz"], False)


class _AdapterTraining(GatedTraining):
    """A run whose model is an adapter, by the names of its files."""

    def save_model(self, directory: Path) -> None:
        (directory / "adapter_config.json").write_text("{}", encoding="utf-8")
        (directory / "adapter_model.safetensors").write_bytes(b"")


class AdapterTrainer(GatedTrainer):
    def start(self, task: TrainingTask) -> GatedTraining:
        return _AdapterTraining(self, task, 0)


def test_models__merge_of_an_adapter_is_refused_before_it_is_downloaded(
    finetune: Finetune, train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = AdapterTrainer(1, "mine")
    trainer.let(1)
    target = tmp_path / "weights"
    monkeypatch.setattr("finetune_client.local.merge._PACKAGES", ("json", "not_there"))
    with (
        LocalServer(trainers=[trainer]) as server,
        running(server) as url,
        Client(base_url=url, api_key="local") as client,
    ):
        job = client.jobs.create(model="mine", training_file=train)
        model = client.jobs.wait(job.id).fine_tuned_model
        command = ("models", "download", model, target, "--base-url", url)
        env = {"OPENAI_API_KEY": "local"}
        done = finetune(*command, "--merge", **env)
        assert done.exit_code == 2
        assert done.stderr == (
            "Error: Merging needs not_there, which is not installed. Install what it needs with: pip "
            "install 'finetune-client[llm]'\n"
        )
        assert not target.exists()

        monkeypatch.setattr("finetune_client.local.merge._PACKAGES", ("json",))
        done = finetune(*command, "--merge", **env)
        assert done.exit_code == 2
        assert done.stderr == (
            "Merging the adapter into its base model ...\n"
            "Error: The adapter needs its base model, which it does not name. Say where it is: "
            "--base-model, or base_model= in Python.\n"
        )
        assert not target.exists()

        assert finetune(*command, **env).output == f"{model}: 2 files written to {target}.\n"
        done = finetune(*command, "--merge", **env)
        assert done.exit_code == 1
        assert done.stderr == (
            "Error: The command cannot continue: The directory is not empty; give a new one: "
            f"{str(target)!r}.\n"
        )
    done = finetune("models", "download", model, target, "--base-model", "a/b")
    assert done.exit_code == 2
    assert done.stderr.endswith("Error: --base-model goes with --merge.\n")


def test_models__merge_where_no_weights_are_given(finetune: Finetune, tmp_path: Path) -> None:
    command = ("models", "download", "ftjob-1", tmp_path / "w", "--merge")
    done = finetune(*command, OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 2
    assert "openai" in done.stderr
    assert "weights" in done.stderr


def test_permissions__create_list_delete(
    finetune: Finetune, env: dict[str, str], job: FineTuningJob
) -> None:
    model = str(job.fine_tuned_model)
    made = finetune(
        "permissions", "create", model, "--project", "proj_1", "--project", "proj_2", **env
    )
    assert {row.split("\t")[1] for row in made.output.splitlines()} == {"proj_1", "proj_2"}
    [row] = lines(finetune("permissions", "list", model, "--project", "proj_2", "--json", **env))
    assert (row["object"], row["project_id"]) == ("checkpoint.permission", "proj_2")
    deleted = finetune("permissions", "delete", model, row["id"], **env)
    assert deleted.output == f"{row['id']}: deleted.\n"
    left = finetune("permissions", "list", model, **env).output.splitlines()
    assert [one.split("\t")[1] for one in left] == ["proj_1"]


def test_events__the_newest_with_the_last_at_the_end(
    finetune: Finetune, env: dict[str, str], job: FineTuningJob
) -> None:
    rows = lines(finetune("events", job.id, "--limit", 3, "--json", **env))
    assert len(rows) == 3
    plain = finetune("events", job.id, "--limit", 3, **env).output.splitlines()
    assert [line.split("\t")[2] for line in plain] == [row["message"] for row in rows]
    [older] = lines(
        finetune("events", job.id, "--before", rows[0]["id"], "--limit", 1, "--json", **env)
    )
    assert older["created_at"] <= rows[0]["created_at"]
    assert older["id"] not in {row["id"] for row in rows}
