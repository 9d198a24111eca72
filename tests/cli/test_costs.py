"""What training costs: said, asked once on a terminal, and never in a pipe."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.terminal import in_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Finetune

NOWHERE = ("--base-url", "https://api.example.invalid/v1")
ENV = {"OPENAI_API_KEY": "sk-made-up"}
ASKED = "Continue? [y/N]: "

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")


def tokens_of(finetune: Finetune, train: Path) -> int:
    tokens: int = json.loads(finetune("estimate", train, "--json").output)["billed_tokens"]
    return tokens


def test_estimate__says_tokens_and_cost(finetune: Finetune, train: Path) -> None:
    tokens = tokens_of(finetune, train)
    done = finetune("estimate", train, "--epochs", 4, "--price", 2000)
    assert done.exit_code == 0
    assert done.output == (
        f"Training on about {4 * tokens:,} tokens: {tokens:,} in 12 examples, 4 epochs. "
        f"At 2000 a million that costs about {4 * tokens * 2000 / 1_000_000:.2f}.\n"
    )


def test_estimate__as_json_with_the_documented_epochs(finetune: Finetune, train: Path) -> None:
    tokens = tokens_of(finetune, train)
    assert json.loads(finetune("estimate", train, "--json").output) == {
        "kind": "estimate",
        "file": str(train),
        "ok": True,
        "examples": 12,
        "billed_tokens": tokens,
        "tokens_exact": False,
        "tokens_counted_by": "estimate: one token for every 4 bytes of UTF-8",
        "n_epochs": 8,
        "trained_tokens": 8 * tokens,
        "price_per_million": None,
        "cost": None,
    }
    plain = finetune("estimate", train).output
    assert plain.endswith("8 epochs, if the service chooses as documented.\n")


def test_estimate__says_that_a_file_is_not_fit(finetune: Finetune, train: Path) -> None:
    train.write_text("{}\n", encoding="utf-8")
    done = finetune("estimate", train)
    assert done.exit_code == 0
    assert "in 1 example, " in done.stdout
    assert done.stderr == f"{train} is not fit to train on; see: finetune check {train}\n"


def test_estimate__of_a_file_that_cannot_be_read_has_no_number(
    finetune: Finetune, train: Path
) -> None:
    train.write_text(train.read_text(encoding="utf-8"), encoding="utf-16")
    done = finetune("estimate", train)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"{train} is not fit to train on; see: finetune check {train}\n"


def test_estimate__names_the_check_that_finds_what_is_wrong(
    finetune: Finetune, train: Path
) -> None:
    done = finetune("estimate", train, "--method", "dpo", "--provider", "azure")
    see = f"finetune check {train} --method dpo --provider azure"
    assert done.stderr == f"{train} is not fit to train on; see: {see}\n"
    assert finetune(*see.split()[1:]).exit_code == 2


@pytest.mark.parametrize("epochs", [0, -1])
def test_estimate__of_no_epochs(finetune: Finetune, train: Path, epochs: int) -> None:
    done = finetune("estimate", train, "--epochs", epochs)
    assert done.exit_code == 2
    assert "Invalid value for '--epochs': it must be auto, or 1 or more." in done.output


@needs_terminal
def test_run__asks_before_anything_is_uploaded(train: Path) -> None:
    options = ("-m", "gpt-4o", "--epochs", 2, "--price", 5, *NOWHERE)
    status, shown = in_terminal("run", train, *options, answer="n", env=ENV)
    text = " ".join(shown.split())
    assert "examples, 2 epochs. At 5 a million that costs about 0.0" in text
    assert text.count(ASKED.strip()) == 1
    assert text.endswith("Aborted!")
    assert "uploading" not in text
    assert status == 1


@needs_terminal
def test_run__goes_on_after_a_yes(train: Path) -> None:
    status, shown = in_terminal("run", train, "-m", "gpt-4o", *NOWHERE, answer="y", env=ENV)
    assert status == 1
    assert shown.count(ASKED) == 1
    assert "api.example.invalid" in shown.split(ASKED)[1]


@needs_terminal
def test_create__asks_about_a_file_that_is_on_the_server(tmp_path: Path, train: Path) -> None:
    status, shown = in_terminal("create", "file-1", "-m", "gpt-4o", *NOWHERE, answer="n", env=ENV)
    said = "The job is billed by the tokens of file-1, which are not known here. Continue?"
    assert (status, " ".join(shown.split()).startswith(said)) == (1, True)
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"model": "gpt-4o", "training_file": train.name}), encoding="utf-8")
    status, shown = in_terminal("create", "-f", job, *NOWHERE, answer="n", env=ENV)
    assert (status, "Training on about " in shown) == (1, True)


@needs_terminal
def test_run__yes_says_it_without_asking(train: Path) -> None:
    _, shown = in_terminal("run", train, "-m", "gpt-4o", "--yes", *NOWHERE, env=ENV)
    assert "Training on about " in shown
    assert "Continue?" not in shown


def test_run__asks_nothing_in_a_pipe(finetune: Finetune, train: Path) -> None:
    done = finetune("run", train, "-m", "gpt-4o", *NOWHERE, **ENV)
    assert "tokens" not in done.output
    assert "Continue?" not in done.output


@needs_terminal
def test_run__asks_nothing_of_a_server_on_this_machine(train: Path) -> None:
    nowhere = ("--base-url", "http://127.0.0.1:9/v1")
    _, shown = in_terminal("run", train, "-m", "tiny", *nowhere, env=ENV)
    assert "Continue?" not in shown
