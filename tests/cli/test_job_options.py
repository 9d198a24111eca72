"""The options that say how to train."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Finetune

GRADER = {
    "type": "string_check",
    "name": "exact",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}
ENV = {"OPENAI_API_KEY": "sk-made-up"}


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


@pytest.fixture
def grader(tmp_path: Path) -> Path:
    file = tmp_path / "grader.json"
    file.write_text(json.dumps(GRADER), encoding="utf-8")
    return file


def body_of(finetune: Finetune, *arguments: object) -> dict[str, Any]:
    done = finetune("create", *arguments, "--dry-run", "--json", **ENV)
    assert done.exit_code == 0, done.output
    body: dict[str, Any] = json.loads(done.output)["request"]["body"]
    del body["metadata"]
    return body


def test_create__dpo_with_its_settings(finetune: Finetune) -> None:
    options = ("--method", "dpo", "--beta", 0.2, "--epochs", 2, "--batch-size", "auto")
    settings = {"beta": 0.2, "n_epochs": 2, "batch_size": "auto"}
    assert body_of(finetune, "file-1", "-m", "gpt-4o", *options) == {
        "model": "gpt-4o",
        "training_file": "file-1",
        "method": {"type": "dpo", "dpo": {"hyperparameters": settings}},
    }


def test_create__reinforcement_with_a_grader(finetune: Finetune, grader: Path) -> None:
    options = ("--method", "reinforcement", "--grader", grader, "--eval-samples", 4)
    more = ("--reasoning-effort", "low", "--compute-multiplier", 1.5, "--eval-interval", 5)
    found = body_of(finetune, "file-1", "-m", "o4-mini", *options, *more)
    assert found["method"] == {
        "type": "reinforcement",
        "reinforcement": {
            "grader": GRADER,
            "hyperparameters": {
                "eval_samples": 4,
                "reasoning_effort": "low",
                "compute_multiplier": 1.5,
                "eval_interval": 5,
            },
        },
    }


def test_create__a_job_file_by_another_method_keeps_what_both_have(
    finetune: Finetune, tmp_path: Path
) -> None:
    job = tmp_path / "job.json"
    supervised = {"hyperparameters": {"n_epochs": 4}}
    method = {"type": "supervised", "supervised": supervised}
    request = {"model": "gpt-4o", "training_file": "file-1"}
    for own in ({"method": method}, supervised):
        job.write_text(json.dumps({**request, **own}), encoding="utf-8")
        found = body_of(finetune, "-f", job, "--method", "dpo", "--beta", "auto")
        settings = {"n_epochs": 4, "beta": "auto"}
        assert found == {**request, "method": {"type": "dpo", "dpo": {"hyperparameters": settings}}}
        assert body_of(finetune, "-f", job, "--method", "supervised")["model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--beta", 0.1), "--beta goes with --method dpo only."),
        (("--method", "dpo", "--eval-samples", 2), "--eval-samples goes with --method reinforce"),
        (("--method", "dpo", "--grader", "GRADER"), "--grader goes with --method reinforcement"),
    ],
)
def test_create__a_setting_of_another_method_is_wrong_usage(
    finetune: Finetune, grader: Path, options: tuple[object, ...], said: str
) -> None:
    given = [grader if option == "GRADER" else option for option in options]
    done = finetune("create", "file-1", "-m", "m", *given, "--dry-run", **ENV)
    assert done.exit_code == 2
    assert said in done.output


def test_create__reinforcement_needs_a_grader(finetune: Finetune) -> None:
    done = finetune("create", "file-1", "-m", "m", "--method", "reinforcement", "--dry-run", **ENV)
    assert done.exit_code == 2
    assert "method.reinforcement.grader" in done.output


def test_run__dpo_on_the_embedded_server(finetune: Finetune, tmp_path: Path) -> None:
    rows = [
        {
            "input": {"messages": [message("user", f"What is {n} times {n}?")]},
            "preferred_output": [message("assistant", str(n * n))],
            "non_preferred_output": [message("assistant", "Who knows?")],
        }
        for n in range(12)
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    options = ("--method", "dpo", "--beta", 0.3, "--epochs", 1)
    done = finetune("run", file, "-m", "tiny", "--local", "--json", *options)
    assert done.exit_code == 0, done.output
    created = next(
        line["job"] for line in map(json.loads, done.stdout.splitlines()) if line["kind"] == "job"
    )
    assert created["method"]["dpo"]["hyperparameters"]["beta"] == 0.3


def test_run__reinforcement_on_the_embedded_server(
    finetune: Finetune, tmp_path: Path, grader: Path
) -> None:
    rows = [
        {"messages": [message("user", f"What is {n} times {n}?")], "answer": str(n * n)}
        for n in range(12)
    ]
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    options = ("--method", "reinforcement", "--grader", grader, "--validation", file, "--epochs", 1)
    done = finetune("run", file, "-m", "tiny", "--local", *options)
    assert done.exit_code == 0, done.output
    assert "\nModel: ft:tiny:local:" in done.output
