"""The scripts of the docs that train: each is run twice, as its docstring says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from finetune_client import Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    Run = Callable[..., CompletedProcess[str]]


def jobs_in(directory: Path) -> list[str]:
    with Client.local(directory) as client:
        return [job.id for job in client.jobs.list()]


def test_train_and_ask__run_again_it_finds_its_job(run: Run, folder: Path) -> None:
    first, again = run("train_and_ask.py"), run("train_and_ask.py")
    assert (first.returncode, first.stderr) == (again.returncode, again.stderr) == (0, "")
    [job_id] = jobs_in(folder / "tunes")
    assert first.stdout.startswith(f"{job_id} is validating_files\n")
    assert again.stdout.startswith(f"{job_id} is succeeded\n")
    assert "Step 1/" in first.stdout
    [model] = re.findall(r"^(ft:tiny:local:topics:\w+) says: .", first.stdout, re.MULTILINE)
    assert f"\n{model} says: " in again.stdout


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_sweep_settings__run_again_it_finds_its_20_jobs(run: Run, folder: Path) -> None:
    first, again = run("sweep_settings.py"), run("sweep_settings.py")
    assert (first.returncode, first.stderr) == (again.returncode, again.stderr) == (0, "")
    assert "\n20 settings: 20 created, 0 found.\n" in first.stdout
    assert "\n20 settings: 0 created, 20 found.\n" in again.stdout
    comparison = first.stdout.partition(" found.\n\n")[2]
    assert again.stdout.endswith(comparison)
    heading, *rows, best = comparison.splitlines()
    assert heading.split() == ["run", "best", "at", "step", "last"]
    values = [float(row.split()[3]) for row in rows]
    assert (len(values), values) == (20, sorted(values))
    assert re.fullmatch(r"Best: n_epochs=8, .*, ft:tiny:local::\w+", best)
    assert len(jobs_in(folder / "tunes")) == 20


def nightly(run: Run, *options: object) -> str:
    """Run it, and return the name of the model."""
    done = run("nightly.py", "python_short_train.jsonl", "--model", "tiny", *options)
    assert (done.returncode, done.stderr) == (0, "")
    [model] = re.findall(r"ftjob-\w+ made (ft:\S+)\n", done.stdout)
    return str(model)


def test_nightly__is_one_job_a_day(run: Run, folder: Path, client: Client) -> None:
    today, again = nightly(run), nightly(run)
    assert again == today
    assert len(list(client.jobs.list())) == 1
    assert (folder / "current-model.txt").read_text(encoding="utf-8") == f"{today}\n"
    later = nightly(run, "--day", "2099-01-01")
    assert later != today
    assert (folder / "current-model.txt").read_text(encoding="utf-8") == f"{later}\n"
    keys = [job.idempotency_key for job in client.jobs.list()]
    assert keys[0] == "nightly-2099-01-01"
    assert len(keys) == 2
    assert not list(folder.glob("*.new"))


def test_nightly__is_one_job_for_the_same_data(run: Run, folder: Path, client: Client) -> None:
    once = ["--once-per", "data"]
    first, again = nightly(run, *once), nightly(run, *once)
    assert again == first
    path = folder / "python_short_train.jsonl"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(True)[1:]), "utf-8")
    assert nightly(run, *once) != first
    assert len(list(client.jobs.list())) == 2


def test_nightly__a_failure_is_a_sentence_and_leaves_the_old_model(
    run: Run, folder: Path, client: Client
) -> None:
    model = nightly(run)
    (folder / "bad.jsonl").write_text("{}\n" * 10, encoding="utf-8")
    done = run("nightly.py", "bad.jsonl", "--model", "tiny", "--name", "bad")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bad: bad.jsonl is not fit to train on, and nothing was sent.")
    assert (folder / "current-model.txt").read_text(encoding="utf-8") == f"{model}\n"
    assert len(list(client.jobs.list())) == 1
