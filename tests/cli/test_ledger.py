"""``finetune ledger``: the file is made as a script makes it, and settled as a person does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from finetune_client import Client
from finetune_client.ledger import Ledger
from tests.support.fake_time import FakeTime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from finetune_client.local import LocalServer

    Finetune = Callable[..., Result]

SERVER = "https://api.example.com/v1"
OTHER = "https://eu.example.com/v1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a job, and with a create that was cut short."""
    time = FakeTime()
    ledger = Ledger(tmp_path / "ledger", time.clock)
    with ledger.begin(SERVER, "topics-7", "digest", timeout=0) as claim:
        claim.created("ftjob-1")
    time.wall += 60
    with ledger.begin(SERVER, "topics-8", "digest", timeout=0):
        pass
    return ledger.path


def test_run__again_after_it_was_created_takes_its_job(
    finetune: Finetune, train: Path, server: LocalServer, remote: str, tmp_path: Path
) -> None:
    ledger = tmp_path / "jobs"
    args = (
        "run",
        train,
        "-m",
        "tiny",
        "--epochs",
        1,
        "--idempotency-key",
        "k",
        "--base-url",
        remote,
    )
    assert finetune(*args, "--provider", "compatible", "--ledger", ledger).exit_code == 0
    again = finetune(*args, "--provider", "compatible", FINETUNE_LEDGER=str(ledger))
    assert again.exit_code == 0
    [entry] = Ledger(ledger).entries()
    assert (entry.key, entry.server) == ("k", remote)
    assert str(entry.job_id) in again.output
    with Client("sk-made-up", base_url=remote) as client:
        assert [job.id for job in client.jobs.list()] == [entry.job_id]


def test_create__records_its_job(
    finetune: Finetune, train: Path, remote: str, tmp_path: Path
) -> None:
    with Client("sk-made-up", base_url=remote) as client:
        file = client.files.create(file=train).id
    args = ("create", file, "-m", "tiny", "--idempotency-key", "k", "--base-url", remote)
    for _ in range(2):
        done = finetune(*args, FINETUNE_LEDGER=str(tmp_path / "jobs"))
        assert done.exit_code == 0
        [entry] = Ledger(tmp_path / "jobs").entries()
        assert str(entry.job_id) in done.output


def test_run__locally_needs_no_ledger(finetune: Finetune, train: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "jobs"
    done = finetune(
        "run", train, "-m", "tiny", "--epochs", 1, "--local", FINETUNE_LEDGER=str(ledger)
    )
    assert (done.exit_code, ledger.exists()) == (0, False)


def test_list__tells_key_state_job_begin_server(finetune: Finetune, path: Path) -> None:
    done = finetune("ledger", "list", "--ledger", path)
    assert (done.exit_code, done.output.splitlines()) == (
        0,
        [
            f"topics-7\tcreated\tftjob-1\t2027-01-15 08:00:00+00:00\t{SERVER}",
            f"topics-8\tbegun\t-\t2027-01-15 08:01:00+00:00\t{SERVER}",
        ],
    )


def test_list__as_json(finetune: Finetune, path: Path) -> None:
    done = finetune("ledger", "list", "--json", FINETUNE_LEDGER=str(path))
    rows = [json.loads(line) for line in done.output.splitlines()]
    assert rows == [entry.to_dict() for entry in Ledger(path).entries()]
    assert rows[1]["state"] == "begun"


def test_set__records_the_job(finetune: Finetune, path: Path) -> None:
    done = finetune("ledger", "set", "topics-8", "ftjob-2", FINETUNE_LEDGER=str(path))
    assert (done.exit_code, done.output) == (0, "topics-8 created ftjob-2.\n")
    assert [entry.job_id for entry in Ledger(path).entries()] == ["ftjob-1", "ftjob-2"]


def test_forget__frees_the_key(finetune: Finetune, path: Path) -> None:
    done = finetune("ledger", "forget", "topics-8", "--ledger", path)
    assert (done.exit_code, done.output) == (
        0,
        "topics-8 is free; it had created no known job.\n",
    )
    done = finetune("ledger", "forget", "topics-7", "--ledger", path)
    assert done.output == "topics-7 is free; it had created ftjob-1.\n"
    assert Ledger(path).entries() == []
    assert finetune("ledger", "list", "--ledger", path).output == ""


def test_set_and_forget__of_one_server(finetune: Finetune, path: Path) -> None:
    with Ledger(path).begin(OTHER, "topics-8", "digest", timeout=0):
        pass
    done = finetune("ledger", "set", "topics-8", "ftjob-2", "--ledger", path)
    assert done.exit_code == 2
    assert "for several servers" in done.output
    finetune("ledger", "set", "topics-8", "ftjob-2", "--base-url", OTHER, "--ledger", path)
    finetune("ledger", "forget", "topics-8", "--base-url", SERVER, "--ledger", path)
    found = {(entry.server, entry.key): entry.job_id for entry in Ledger(path).entries()}
    assert found == {(SERVER, "topics-7"): "ftjob-1", (OTHER, "topics-8"): "ftjob-2"}


@pytest.mark.parametrize("verb", [["list"], ["set", "topics-8", "ftjob-2"], ["forget", "topics-8"]])
def test_ledger__that_is_not_there(finetune: Finetune, tmp_path: Path, verb: list[str]) -> None:
    path = tmp_path / "ledger"
    done = finetune("ledger", *verb, "--ledger", path)
    said = f"There is no ledger {str(path)!r}; the first job that is created with it makes it."
    assert (done.exit_code, done.output) == (2, f"Error: {said}\n")
    assert not path.exists()


def test_ledger__that_is_not_named(finetune: Finetune) -> None:
    done = finetune("ledger", "list", "--json")
    assert done.exit_code == 2
    assert json.loads(done.output) == {
        "kind": "error",
        "error": "UsageError",
        "message": "Missing option '--ledger' (env var: 'FINETUNE_LEDGER').",
    }
