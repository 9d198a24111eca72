"""``finetune sweep``, on the embedded server."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from finetune_client import Client
from tests.support.terminal import in_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Finetune


@pytest.fixture
def env(remote: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": remote, "OPENAI_API_KEY": "sk-made-up"}


def test_sweep__names_the_best_and_finds_its_jobs_again(
    finetune: Finetune, env: dict[str, str], train: Path, valid: Path, remote: str
) -> None:
    grid = ("--grid", "epochs=1,2", "--grid", "batch-size=6,12")
    place = ("--base-url", remote, "--provider", "openai")
    arguments = ("sweep", train, "-m", "tiny", "--validation", valid, *grid, *place)
    done = finetune(*arguments, **env)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"Best: n_epochs=\d, batch_size=\d+, ft:tiny:local::\w+", lines[-1])
    assert any(line.startswith("n_epochs=1, batch_size=12: succeeded, ft:") for line in lines)
    again = finetune(*arguments, "--json", **env)
    facts = json.loads(again.stdout.splitlines()[-1])
    assert (facts["kind"], [run["found"] for run in facts["runs"]]) == ("sweep", [True] * 4)
    assert lines[-1].startswith(f"Best: {facts['best']}, ")
    with Client(base_url=remote, api_key="sk-made-up") as client:
        assert len(list(client.jobs.list())) == 4


@pytest.mark.parametrize("provider", ["openai", "compatible"])
def test_sweep__says_once_how_each_job_ended_also_if_it_had_already(
    finetune: Finetune, env: dict[str, str], train: Path, remote: str, provider: str
) -> None:
    place = ("--base-url", remote, "--provider", provider)
    arguments = ("sweep", train, "-m", "tiny", "--grid", "epochs=1,2", *place)
    for _ in range(2):
        done = finetune(*arguments, "--json", **env)
        assert done.exit_code == 0, done.output
        facts = [json.loads(line) for line in done.stdout.splitlines()]
        ended = [one for one in facts if one["kind"] == "end"]
        assert sorted(one["name"] for one in ended) == ["n_epochs=1", "n_epochs=2"]
        assert all(one["fine_tuned_model"] for one in ended)
    lines = finetune(*arguments, **env).stdout.splitlines()
    assert sum(line.startswith("n_epochs=1: succeeded, ft:") for line in lines) == 1


def test_sweep__finds_its_jobs_by_a_ledger_too(
    finetune: Finetune, env: dict[str, str], train: Path, tmp_path: Path, remote: str
) -> None:
    ledger = ("--ledger", tmp_path / "jobs.db")
    for _ in range(2):
        done = finetune("sweep", train, "-m", "tiny", "--grid", "epochs=1,2", *ledger, **env)
        assert done.exit_code == 0, done.output
    with Client(base_url=remote, api_key="sk-made-up") as client:
        assert len(list(client.jobs.list())) == 2


def test_sweep__of_a_job_file_with_paths_of_names(
    finetune: Finetune, train: Path, tmp_path: Path
) -> None:
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"model": "tiny", "training_file": train.name}), encoding="utf-8")
    grid = "method.supervised.hyperparameters.n_epochs=1,2"
    done = finetune("sweep", "-f", job, "--grid", grid, "--grid", "seed=7", "--local", "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout.splitlines()[-1])
    made = [run["job"] for run in facts["runs"]]
    assert [job["method"]["supervised"]["hyperparameters"]["n_epochs"] for job in made] == [1, 2]
    assert [job["seed"] for job in made] == [7, 7]


def test_sweep__values_are_numbers_where_they_can_be(
    finetune: Finetune, env: dict[str, str], train: Path
) -> None:
    grid = ("--grid", "learning-rate-multiplier=0.5,auto", "--grid", "epochs=1")
    done = finetune("sweep", train, "-m", "tiny", *grid, "--json", **env)
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout.splitlines()[-1])
    settings = [run["settings"] for run in facts["runs"]]
    assert settings == [
        {"learning_rate_multiplier": 0.5, "n_epochs": 1},
        {"learning_rate_multiplier": "auto", "n_epochs": 1},
    ]


def test_sweep__of_nothing(finetune: Finetune) -> None:
    done = finetune("sweep", "--grid", "epochs=1", "--local")
    assert done.exit_code == 2
    assert "Give TRAINING_FILE and --model, or --file JOB_FILE." in done.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--grid", "epochs"), "'epochs' is not of the form NAME=VALUE,VALUE."),
        (("--grid", "epochs=1,,2"), "is not of the form"),
        (("--grid", "epochs=1", "--grid", "n_epochs=2"), "n_epochs is given twice."),
        ((), "Missing option '--grid'"),
        (("--grid", "epochs=0"), "n_epochs"),
        (("--grid", "epochs=1,2", "--epochs", "3"), "n_epochs is given by --grid and by an option"),
    ],
)
def test_sweep__wrong_usage(
    finetune: Finetune, train: Path, options: tuple[str, ...], said: str
) -> None:
    done = finetune("sweep", train, "-m", "tiny", "--local", *options)
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_sweep__is_one_table_on_a_terminal(env: dict[str, str], train: Path, valid: Path) -> None:
    options = ("-m", "tiny", "--validation", valid, "--grid", "epochs=1,2")
    status, shown = in_terminal("sweep", train, *options, env=env)
    assert status == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "")
    lines = plain.rpartition("job ")[2].splitlines()
    assert re.fullmatch(r"n_epochs=1 +succeeded +12/12 +\d\.\d{4} +\d\.\d{4} *", lines[1])
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("Best: n_epochs=")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_sweep__asks_once_for_all_jobs(train: Path) -> None:
    nowhere = ("--base-url", "https://api.example.invalid/v1")
    options = ("-m", "gpt-4o", "--grid", "epochs=1,2", "--price", "5", *nowhere)
    env = {"OPENAI_API_KEY": "sk-made-up"}
    status, shown = in_terminal("sweep", train, *options, env=env, answer="n")
    text = " ".join(shown.split())
    assert (status, text.count("Continue?")) == (1, 1)
    assert "examples, 3 epochs in 2 jobs. At 5 a million that costs about 0.0" in text
