"""From an archive to the same job elsewhere: on this machine, on a server, and what others are sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client, FineTuningJob
from finetune_client.archive import layout, save
from finetune_client.job_files import JobFile
from finetune_client.local import LocalServer, running
from finetune_client.models import FineTuningJobRequest
from finetune_client.providers import AZURE, BEDROCK, NEBIUS, Provider
from finetune_client.training_data import check
from tests.support.account import GRADER, METHODS, make_account

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Finetune = Callable[..., Result]

LAMBDA = {"type": "lambda", "lambda": {"function": "arn:aws:lambda:us-west-2:1:function:grade"}}
SERVERS: dict[str, tuple[Provider, tuple[str, ...]]] = {
    "nebius": (NEBIUS, ("--provider", "nebius")),
    "azure": (AZURE, ("--provider", "azure", "--base-url", "https://r.openai.azure.com")),
    "bedrock": (
        BEDROCK,
        ("--provider", "bedrock", "--base-url", "https://bedrock-mantle.us-west-2.api.aws/v1"),
    ),
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of an account whose first three jobs are of the three methods."""
    folder = tmp_path_factory.mktemp("account")
    make_account(folder / "server", jobs=6, events=12, large_bytes=20_000, examples=120)
    with (
        LocalServer(folder / "server") as server,
        running(server) as url,
        Client("sk-made-up", base_url=url, provider="openai") as client,
    ):
        report = save(client, folder / "archive")
    assert report.missing == []
    return folder / "archive"


def folder_of(account: Path, kind: str) -> Path:
    return account / f"ftjob-{METHODS.index(kind):06d}"


@pytest.mark.parametrize("kind", METHODS)
def test_rerun__on_this_machine(finetune: Finetune, account: Path, kind: str) -> None:
    done = finetune("rerun", folder_of(account, kind), "--local", "-m", "tiny", "--json")
    assert done.exit_code == 0, done.output
    last = json.loads(done.stdout.splitlines()[-1])
    job = FineTuningJob.from_dict(last["job"])
    assert (last["kind"], job.is_succeeded, job.seed) == ("end", True, METHODS.index(kind))
    assert job.method is not None
    used = job.method.to_dict()
    assert used["type"] == kind
    assert used[kind]["hyperparameters"]["n_epochs"] == 1
    assert used[kind].get("grader") == (GRADER if kind == "reinforcement" else None)
    assert done.stderr == ""


@pytest.mark.parametrize("kind", METHODS)
def test_create__takes_an_archived_job_file(finetune: Finetune, account: Path, kind: str) -> None:
    job_file = folder_of(account, kind) / layout.JOB_FILES[0]
    with LocalServer() as server, running(server) as url:
        env = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-made-up"}
        done = finetune("create", "-f", job_file, "--json", **env)
        assert done.exit_code == 0, done.output
        with Client("sk-made-up", base_url=url) as client:
            job = client.jobs.wait(json.loads(done.stdout)["id"], poll_interval=0.01)
            assert job.training_file is not None
            sent = client.files.content(job.training_file)
    assert sent == JobFile.read(job_file).paths["training_file"].read_bytes()


@pytest.mark.parametrize(
    ("kind", "name", "notes"),
    [
        ("supervised", "nebius", []),
        ("dpo", "nebius", ["method", "metadata"]),
        ("supervised", "azure", []),
        ("dpo", "azure", []),
        ("reinforcement", "azure", []),
        ("supervised", "bedrock", ["method", "suffix"]),
        ("dpo", "bedrock", ["method", "suffix"]),
        ("reinforcement", "bedrock", ["suffix"]),
    ],
)
def test_dry_run__what_others_are_sent_is_valid_by_their_rules(
    finetune: Finetune, account: Path, tmp_path: Path, kind: str, name: str, notes: list[str]
) -> None:
    provider, server = SERVERS[name]
    grader: tuple[Any, ...] = ()
    if (kind, name) == ("reinforcement", "bedrock"):
        (tmp_path / "grader.json").write_text(json.dumps(LAMBDA))
        grader = ("--grader", tmp_path / "grader.json")
    done = finetune("rerun", folder_of(account, kind), "-m", "m", "--dry-run", *server, *grader)
    assert done.exit_code == 0, done.output
    sent = json.loads(done.stdout)
    assert [note["place"] for note in sent["notes"]] == notes
    body = sent["request"]["body"]
    request = FineTuningJobRequest.from_dict(body)
    assert request.problems(provider.limits) == []
    assert body["method"]["type"] == kind
    assert not {"suffix", "metadata"} & body.keys() & provider.lacks.keys()
    for upload in sent["uploads"]:
        minimum = 1 if upload["becomes"] == "validation_file" else None
        report = check(upload["file"], provider=provider, least_examples=minimum)
        assert report.ok, str(report)


def test_dry_run__a_grader_that_bedrock_does_not_have(finetune: Finetune, account: Path) -> None:
    _, server = SERVERS["bedrock"]
    done = finetune("rerun", folder_of(account, "reinforcement"), "-m", "m", "--dry-run", *server)
    assert done.exit_code == 2
    assert "graders of the type lambda, not string_check" in done.stderr
