"""``finetune rerun``: the same job again, on the same server, another one or this machine."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client, FineTuningJob
from finetune_client.archive.layout import DATA_FILES, INDEX, JOB_FILES
from finetune_client.job_files import JobFile
from finetune_client.local import LocalServer, running
from finetune_client.models import FineTuningJobRequest
from tests.support.account import example

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Finetune = Callable[..., Result]

SETTINGS = {"n_epochs": 1, "learning_rate_multiplier": 2.0}
GRADER = {
    "type": "string_check",
    "name": "same",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}
CODE = {
    "type": "python",
    "name": "same",
    "source": "def grade(sample, item):\n    return float(sample['output_text'] == item['answer'])",
}
LAMBDA = {"type": "lambda", "lambda": {"function": "arn:aws:lambda:us-west-2:1:function:grade"}}
METHODS: dict[str, dict[str, Any]] = {
    "supervised": {"hyperparameters": SETTINGS},
    "dpo": {"hyperparameters": {**SETTINGS, "beta": 0.2}},
    "reinforcement": {"grader": GRADER, "hyperparameters": {"n_epochs": 1}},
}


def method(kind: str) -> dict[str, Any]:
    return {"type": kind, kind: METHODS[kind]}


def write_lines(path: Path, kind: str, numbers: range) -> Path:
    lines = (json.dumps(example(kind, number)) + "\n" for number in numbers)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def create(client: Client, folder: Path, kind: str) -> FineTuningJob:
    return client.jobs.create(
        model="tiny",
        training_file=write_lines(folder / f"{kind}-train.jsonl", kind, range(12)),
        validation_file=write_lines(folder / f"{kind}-valid.jsonl", kind, range(20, 32)),
        method=method(kind),
        suffix="squares",
        seed=5,
        metadata={"team": "a"},
        idempotency_key="first",
    )


def archived(folder: Path, kind: str, *, provider: str = "openai", count: int = 12) -> Path:
    """What an archive holds of a job of this kind."""
    job = folder / "archive" / "ftjob-1"
    job.mkdir(parents=True)
    (job.parent / INDEX).write_text(json.dumps({"provider": provider}), encoding="utf-8")
    request = FineTuningJobRequest(
        model="gpt-4o-mini",
        training_file="file-1",
        validation_file="file-2",
        method=method(kind),
        suffix="squares",
        seed=5,
        metadata={"team": "a"},
    )
    JobFile(request=request).write(job / JOB_FILES[0])
    write_lines(job / DATA_FILES["training_file"], kind, range(count))
    write_lines(job / DATA_FILES["validation_file"], kind, range(500, 512))
    return job


def told(done: Result) -> list[str]:
    """The places that stand in the notes."""
    return re.findall(r"^Note: ([^:]+):", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("kind", METHODS)
def test_rerun__of_an_archived_job_on_this_machine(
    finetune: Finetune, tmp_path: Path, kind: str
) -> None:
    done = finetune("rerun", archived(tmp_path, kind), "--local", "-m", "tiny", "--json")
    assert done.exit_code == 0, done.output
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    job = FineTuningJob.from_dict(rows[-1]["job"])
    assert (rows[-1]["kind"], job.is_succeeded, job.seed) == ("end", True, 5)
    assert str(job.fine_tuned_model).startswith("ft:tiny:local:squares:")
    assert job.method is not None
    used = job.method.to_dict()[kind]
    assert used["hyperparameters"].items() >= METHODS[kind]["hyperparameters"].items()
    assert used.get("grader") == METHODS[kind].get("grader")
    assert told(done) == []


def test_rerun__of_a_job_on_another_server(finetune: Finetune, remote: str, tmp_path: Path) -> None:
    with Client("sk-made-up", base_url=remote, provider="openai") as client:
        old = create(client, tmp_path, "supervised")
        assert old.training_file is not None
        content = client.files.content(old.training_file)
    with LocalServer() as other, running(other) as base_url:
        done = finetune("rerun", old.id, "--base-url", base_url, "-m", "tiny", "--epochs", 2)
        assert done.exit_code == 0, done.output
        with Client("sk-made-up", base_url=base_url) as client:
            [new] = client.jobs.list()
            assert new.training_file is not None
            assert client.files.content(new.training_file) == content
            assert new.validation_file is not None
    assert f"{old.training_file}: downloading ..." in done.stderr
    assert done.stdout.splitlines()[-1] == f"Job {new.id}: validating_files."
    assert (new.seed, new.metadata) == (5, {"team": "a"})
    assert new.method is not None
    assert (
        new.method.to_dict()["supervised"]["hyperparameters"].items()
        >= {
            "n_epochs": 2,
            "learning_rate_multiplier": 2.0,
        }.items()
    )


def test_rerun__on_the_same_server_sends_the_ids(
    finetune: Finetune, remote: str, tmp_path: Path
) -> None:
    with Client("sk-made-up", base_url=remote, provider="openai") as client:
        old = create(client, tmp_path, "dpo")
        done = finetune("rerun", old.id, "--json")
        new = FineTuningJob.from_dict(json.loads(done.stdout))
        assert new.id != old.id
        assert (new.model, new.training_file) == (old.model, old.training_file)
        assert (new.validation_file, new.metadata) == (old.validation_file, {"team": "a"})
        assert len(client.files.list().data) == 2
    row = finetune("rerun", old.id).stdout
    assert row.split("\t")[1:] == ["validating_files", "tiny\n"]


def test_rerun__finds_the_job_where_it_is_told(
    finetune: Finetune, remote: str, tmp_path: Path
) -> None:
    with Client("sk-made-up", base_url=remote) as client:
        old = create(client, tmp_path, "supervised")
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "sk-made-up"}
    done = finetune("rerun", old.id, "--source-base-url", remote, "--json", **env)
    assert done.exit_code == 0, done.output
    local = finetune("rerun", old.id, "--source-base-url", remote, "--local", "-m", "tiny", **env)
    assert local.stdout.splitlines()[-1].startswith("Model: ft:tiny:local:squares:")


NEBIUS = ("--provider", "nebius")
AZURE = ("--provider", "azure", "--base-url", "https://r.openai.azure.com")
BEDROCK = ("--provider", "bedrock", "--base-url", "https://bedrock-mantle.us-west-2.api.aws/v1")
LITELLM = ("--provider", "litellm", "--base-url", "https://litellm.example/v1")


@pytest.mark.parametrize(
    ("kind", "server", "places", "changes"),
    [
        (
            "supervised",
            NEBIUS,
            ["method.supervised.hyperparameters.learning_rate_multiplier", "metadata"],
            {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}}},
        ),
        ("supervised", AZURE, [], {}),
        ("dpo", AZURE, [], {}),
        ("reinforcement", AZURE, [], {}),
        ("dpo", BEDROCK, ["method", "suffix"], {}),
        ("supervised", LITELLM, ["method", "metadata"], {"hyperparameters": SETTINGS}),
    ],
)
def test_dry_run__shows_what_another_server_would_be_sent(
    finetune: Finetune,
    tmp_path: Path,
    kind: str,
    server: tuple[str, ...],
    places: list[str],
    changes: dict[str, Any],
) -> None:
    job = archived(tmp_path, kind, count=120)
    done = finetune("rerun", job, "-m", "m", "--dry-run", *server)
    assert done.exit_code == 0, done.output
    sent = json.loads(done.stdout)
    assert told(done) == [note["place"] for note in sent["notes"]] == places
    assert [one["file"] for one in sent["uploads"]] == [str(job / f) for f in DATA_FILES.values()]
    expected = {
        "model": "m",
        "suffix": "squares",
        "seed": 5,
        "metadata": {"team": "a"},
        "method": method(kind),
        **changes,
    }
    gone = {*places} - changes.keys() - ({"method"} if "litellm" not in server else set())
    body = sent["request"]["body"]
    files = {name: body.pop(name) for name in DATA_FILES}
    assert files["training_file"] == "(the id of training_file.jsonl when it is uploaded)"
    assert body == {name: value for name, value in expected.items() if name not in gone}


def test_rerun__a_python_grader_is_run_on_this_machine_if_that_is_allowed(
    finetune: Finetune, tmp_path: Path
) -> None:
    grader = tmp_path / "grader.json"
    grader.write_text(json.dumps(CODE), encoding="utf-8")
    arguments = (archived(tmp_path, "reinforcement"), "--local", "-m", "tiny", "--grader", grader)
    refused = finetune("rerun", *arguments)
    assert refused.exit_code == 1
    assert "on the command line with --allow-python-graders" in refused.output
    done = finetune("rerun", *arguments, "--allow-python-graders")
    assert done.exit_code == 0, done.output
    assert "train_mean_reward 0.0000" in done.output


def test_dry_run__on_bedrock_needs_its_grader_and_a_hundred_examples(
    finetune: Finetune, tmp_path: Path
) -> None:
    job = archived(tmp_path, "reinforcement", count=120)
    args = ("rerun", job, "-m", "m", "--dry-run", *BEDROCK)
    refused = finetune(*args)
    assert refused.exit_code == 2
    assert refused.stderr == (
        "Error: The job cannot be rerun on 'bedrock', and nothing was sent:\n"
        "- method.reinforcement.grader: bedrock has graders of the type lambda, not string_check; "
        "give one in its place (--grader)\n"
    )
    grader = tmp_path / "grader.json"
    grader.write_text(json.dumps(LAMBDA), encoding="utf-8")
    done = finetune(*args, "--grader", grader)
    sent = json.loads(done.stdout)["request"]["body"]
    assert sent["method"]["reinforcement"]["grader"] == LAMBDA
    write_lines(job / DATA_FILES["training_file"], "reinforcement", range(99))
    few = finetune(*args, "--grader", grader)
    assert few.exit_code == 2
    assert "training_file.jsonl is not fit to train on" in few.stderr


@pytest.mark.parametrize(("text", "said"), [("{", "is not JSON"), ("[]", "must hold one grader")])
def test_rerun__a_grader_must_be_an_object(
    finetune: Finetune, tmp_path: Path, text: str, said: str
) -> None:
    grader = tmp_path / "grader.json"
    grader.write_text(text, encoding="utf-8")
    done = finetune("rerun", archived(tmp_path, "dpo"), "--grader", grader)
    assert done.exit_code == 2
    assert said in done.stderr


def test_rerun__knows_whose_job_it_was(finetune: Finetune, tmp_path: Path) -> None:
    job = archived(tmp_path, "supervised", provider="azure")
    body = json.loads((job / JOB_FILES[0]).read_text(encoding="utf-8"))
    body["trainingType"] = "Standard"
    (job / JOB_FILES[0]).write_text(json.dumps(body), encoding="utf-8")
    args = ("rerun", job, "-m", "m", "--dry-run", *NEBIUS)
    assert told(finetune(*args))[0] == "trainingType"
    assert "trainingType" not in told(finetune(*args, "--source-provider", "openai"))


def test_rerun__of_a_job_file(finetune: Finetune, tmp_path: Path, train: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text(f'model = "m"\ntraining_file = "{train.name}"\n', encoding="utf-8")
    done = finetune("rerun", file, "--local", "-m", "tiny", "--epochs", 1)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == f"{train} is fit to train on: 12 examples."


def test_rerun__ids_of_the_old_server_mean_nothing_elsewhere(
    finetune: Finetune, tmp_path: Path
) -> None:
    job = archived(tmp_path, "supervised")
    (job / DATA_FILES["validation_file"]).unlink()
    args = ("rerun", job, "-m", "m", "--dry-run", *AZURE)
    done = finetune(*args)
    assert "validation_file" not in json.loads(done.stdout)["request"]["body"]
    assert done.stderr == "Note: validation_file: file-2 is not here; left out.\n"
    (job / DATA_FILES["training_file"]).unlink()
    refused = finetune(*args)
    assert refused.exit_code == 2
    assert refused.stderr == (
        "Error: The training file is not here: 'file-1' is its id on the server that had the job. "
        "Put it beside the job file as 'training_file.jsonl', or use finetune create -f if it is an "
        "id on the new server.\n"
    )


def test_rerun__says_that_this_machine_does_not_learn_from_images(
    finetune: Finetune, tmp_path: Path
) -> None:
    job = archived(tmp_path, "supervised")
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    chat: Any = example("supervised", 50)
    chat["messages"][0]["content"] = [{"type": "text", "text": "What is this?"}, part]
    with (job / DATA_FILES["training_file"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(chat) + "\n")
    done = finetune("rerun", job, "-m", "tiny", "--local")
    assert done.exit_code == 0, done.output
    assert told(done) == ["training_file"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ("--local", "--provider", "nebius", "-m", "m"),
            "--local goes with neither --base-url nor --provider.",
        ),
        (NEBIUS, "On another server --model is needed: its models have other names."),
        (("--local",), "On another server --model is needed: its models have other names."),
    ],
)
def test_rerun__wrong_usage(finetune: Finetune, args: tuple[str, ...], said: str) -> None:
    done = finetune("rerun", "ftjob-1", *args)
    assert done.exit_code == 2
    assert done.stderr.endswith(f"Error: {said}\n")


def test_rerun__of_what_is_not_there(finetune: Finetune, remote: str) -> None:
    done = finetune("rerun", "ftjob-nope")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: Could not find fine tune: ftjob-nope (HTTP 404, ")
    assert done.stderr.endswith(" There is no folder or job file 'ftjob-nope' here either.\n")
