"""``finetune create -f``: a job described in a file."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from tests.cli.conftest import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Finetune = Callable[..., Result]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def job_file(tmp_path: Path, train: Path) -> Path:
    file = tmp_path / "job.json"
    settings = {"hyperparameters": {"n_epochs": 1}}
    body = {
        "model": "tiny",
        "training_file": train.name,
        "suffix": "squares",
        "method": {"type": "supervised", "supervised": settings},
    }
    file.write_text(json.dumps(body), encoding="utf-8")
    return file


def changed(file: Path, **fields: Any) -> Path:
    body = {**json.loads(file.read_text(encoding="utf-8")), **fields}
    file.write_text(json.dumps(body), encoding="utf-8")
    return file


def test_create__the_example_of_the_docs(
    finetune: Finetune, remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "job-files.md").read_text(encoding="utf-8")
    [described] = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    [commands] = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    monkeypatch.chdir(tmp_path)
    Path("job.toml").write_text(described, encoding="utf-8")
    dry_run, create, more = (line.split()[1:] for line in commands.splitlines())
    sent = json.loads(finetune(*dry_run).stdout)
    assert sent["request"]["headers"] == {"Idempotency-Key": "topics-1"}
    done = finetune(*create)
    assert done.exit_code == 0, done.output
    shown = re.search(r"^Job (ftjob-\w+): \w+\.$", done.output, re.MULTILINE)
    assert shown is not None
    with Client("sk-made-up", base_url=remote) as client:
        job = client.jobs.retrieve(shown[1])
        client.jobs.cancel(job.id)
    assert (job.user_provided_suffix, job.seed) == ("topics", 7)
    again = json.loads(finetune(*more, "--json", "--dry-run").stdout)["request"]["body"]
    assert again["suffix"] == "topics-3"
    assert again["method"]["supervised"]["hyperparameters"] == {
        "n_epochs": 3,
        "batch_size": "auto",
    }


def test_create__uploads_the_file_and_shows_the_steps(
    finetune: Finetune, remote: str, job_file: Path, train: Path
) -> None:
    done = finetune("create", "-f", job_file)
    lines = done.output.splitlines()
    assert done.exit_code == 0
    assert lines[:2] == [
        f"{train} is fit to train on: 12 examples.",
        f"{train.name}: uploading ...",
    ]
    assert re.fullmatch(rf"{train.name}: uploaded as file-\w+\.", lines[2])
    assert re.fullmatch(r"Job ftjob-\w+: \w+\.", lines[3])
    assert len(lines) == 4
    with Client("sk-made-up", base_url=remote) as client:
        [job] = client.jobs.list()
        assert job.method is not None
        assert job.method.to_dict()["supervised"]["hyperparameters"]["n_epochs"] == 1


def test_create__prints_the_job_alone_as_json(
    finetune: Finetune, remote: str, job_file: Path
) -> None:
    done = finetune("create", "-f", job_file, "--json")
    assert json.loads(done.stdout)["object"] == "fine_tuning.job"


def test_create__the_command_line_wins(
    finetune: Finetune, remote: str, job_file: Path, valid: Path
) -> None:
    with Client("sk-made-up", base_url=remote) as client:
        file = client.files.create(file=valid)
    done = finetune(
        "create", file.id, "-f", job_file, "-m", "other", "--suffix", "s", "--seed", 3,
        "--batch-size", 2, "--learning-rate-multiplier", "auto", "--validation-file", valid,
        "--idempotency-key", "k", "--dry-run",
    )  # fmt: skip
    sent = json.loads(done.stdout)
    assert sent == {
        "uploads": [
            {
                "file": str(valid),
                "bytes": valid.stat().st_size,
                "purpose": "fine-tune",
                "becomes": "validation_file",
            }
        ],
        "request": {
            "method": "POST",
            "url": f"{remote}/fine_tuning/jobs",
            "headers": {"Idempotency-Key": "k"},
            "body": {
                "model": "other",
                "training_file": file.id,
                "validation_file": "(the id of valid.jsonl when it is uploaded)",
                "suffix": "s",
                "seed": 3,
                "method": {
                    "type": "supervised",
                    "supervised": {
                        "hyperparameters": {
                            "n_epochs": 1,
                            "batch_size": 2,
                            "learning_rate_multiplier": "auto",
                        }
                    },
                },
            },
        },
    }


@pytest.mark.parametrize(
    ("provider", "given", "expected"),
    [
        ("openai", {}, {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}}),
        ("litellm", {}, {"hyperparameters": {"n_epochs": 2}}),
        (
            "openai",
            {"hyperparameters": {"batch_size": 1}},
            {"hyperparameters": {"batch_size": 1, "n_epochs": 2}},
        ),
        (
            "openai",
            {"method": {"type": "dpo"}},
            {"method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 2}}}},
        ),
    ],
)  # fmt: skip
def test_create__epochs_go_where_the_job_has_its_settings(
    finetune: Finetune,
    tmp_path: Path,
    provider: str,
    given: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps({"model": "m", "training_file": "file-1", **given}))
    options = ("--provider", provider, "--base-url", "https://api.example.com/v1")
    done = finetune("create", "-f", file, "--epochs", 2, "--dry-run", *options)
    body = json.loads(done.stdout)["request"]["body"]
    assert {key: body[key] for key in ("method", "hyperparameters") if key in body} == expected


def test_create__says_all_that_is_wrong_at_once(
    finetune: Finetune, job_file: Path, tmp_path: Path
) -> None:
    changed(job_file, training_file="no.jsonl", seed="x", method={"supervised": {}}, sufix="a")
    done = finetune("create", "-f", job_file, "--epochs", 2, "--json", "--dry-run")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["message"] == (
        "The job cannot be created so, and nothing was sent:\n"
        "- seed: must be a whole number, got 'x'\n"
        "- method.type: is missing\n"
        f"- training_file: there is no file {str(tmp_path / 'no.jsonl')!r} (an id that looks like a "
        'path is {"id": "..."})'
    )
    assert done.stderr == (
        "Warning: sufix: did you mean suffix? No field has this name here; it is sent as given.\n"
    )


def test_create__warns_of_an_unknown_key_once(
    finetune: Finetune, remote: str, job_file: Path
) -> None:
    done = finetune("create", "-f", changed(job_file, trainingTyp="a"), "--json")
    assert done.exit_code == 0
    assert done.stderr.count("trainingTyp") == 1


@pytest.mark.parametrize("extra", [(), ("--dry-run",)])
def test_create__a_file_that_is_not_fit_ends_it(
    finetune: Finetune, remote: str, job_file: Path, train: Path, extra: tuple[str, ...]
) -> None:
    train.write_text(json.dumps(example(1)) + "\n", encoding="utf-8")
    done = finetune("create", "-f", job_file, *extra)
    assert done.exit_code == 2
    assert "is not fit to train on" in done.stderr


def test_dry_run__shows_no_key_and_needs_none(finetune: Finetune, job_file: Path) -> None:
    wandb = {"project": "p", "api_key": "wandb-secret"}
    changed(job_file, integrations=[{"type": "wandb", "wandb": wandb}])
    done = finetune("create", "-f", job_file, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "secret" not in done.output
    sent = json.loads(done.stdout)["request"]
    assert sent["url"] == "https://api.openai.com/v1/fine_tuning/jobs"
    assert sent["body"]["integrations"][0]["wandb"]["api_key"] == "(not shown)"
    assert sent["body"]["metadata"] == {"idempotency_key": "(a new one)"}


def test_dry_run__of_a_job_without_a_file(finetune: Finetune) -> None:
    endpoint = "https://r.openai.azure.com"
    done = finetune(
        "create", "file-1", "-m", "m", "--dry-run", "--provider", "azure", "--base-url", endpoint
    )
    assert json.loads(done.stdout) == {
        "uploads": [],
        "request": {
            "method": "POST",
            "url": f"{endpoint}/openai/v1/fine_tuning/jobs",
            "headers": {"Idempotency-Key": "(a new one)"},
            "body": {
                "model": "m",
                "training_file": "file-1",
                "method": {"type": "supervised", "supervised": {"hyperparameters": {}}},
            },
        },
    }


@pytest.mark.parametrize("args", [(), ("file-1",), ("-m", "tiny")])
def test_create__needs_a_file_and_a_model(finetune: Finetune, args: tuple[str, ...]) -> None:
    done = finetune("create", *args)
    assert done.exit_code == 2
    assert done.output.endswith("Error: Give TRAINING_FILE and --model, or --file JOB_FILE.\n")
