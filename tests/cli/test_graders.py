"""Graders in files, against the embedded server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Finetune

EXACT = {
    "type": "string_check",
    "name": "exact",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}

pytestmark = pytest.mark.usefixtures("remote")


@pytest.fixture
def grader(tmp_path: Path) -> Path:
    file = tmp_path / "grader.json"
    file.write_text(json.dumps(EXACT), encoding="utf-8")
    return file


def run(finetune: Finetune, grader: Path, *more: object) -> Any:
    env = {"OPENAI_API_KEY": "sk-made-up"}
    return finetune("graders", "run", grader, "--sample", "49", *more, **env)


def test_run__prints_the_reward(
    finetune: Finetune, grader: Path, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", remote)
    for answer, reward in (("49", "1.0"), ("50", "0.0")):
        done = run(finetune, grader, "--item", json.dumps({"answer": answer}))
        assert (done.exit_code, done.output) == (0, f"reward\t{reward}\n")
    as_json = run(finetune, grader, "--item", '{"answer": "49"}', "--json")
    assert json.loads(as_json.output)["reward"] == 1.0


def test_run__an_item_must_be_an_object(finetune: Finetune, grader: Path) -> None:
    for item, said in (("[]", "it must be a JSON object"), ("{", "'{' is not JSON")):
        done = run(finetune, grader, "--item", item)
        assert done.exit_code == 2
        assert said in done.output


def test_validate__says_that_it_is_accepted_or_why_not(
    finetune: Finetune, grader: Path, remote: str
) -> None:
    server = ("--base-url", remote)
    env = {"OPENAI_API_KEY": "sk-made-up"}
    done = finetune("graders", "validate", grader, *server, **env)
    assert (done.exit_code, done.output) == (0, "The server accepts it: string_check.\n")
    shown = json.loads(finetune("graders", "validate", grader, "--json", *server, **env).output)
    assert shown["grader"] == EXACT
    grader.write_text(json.dumps({**EXACT, "operation": "near"}), encoding="utf-8")
    refused = finetune("graders", "validate", grader, *server, **env)
    assert refused.exit_code == 1
    assert "operation" in refused.output


CODE = {
    "type": "python",
    "name": "code",
    "source": "def grade(sample, item):\n    return len(sample['output_text']) / item['whole']",
}


def test_local__python_graders_are_run_if_that_is_allowed(finetune: Finetune, grader: Path) -> None:
    grader.write_text(json.dumps(CODE), encoding="utf-8")
    options = ("--local", "--sample", "abc", "--item", '{"whole": 4}')
    done = finetune("graders", "run", grader, *options, "--allow-python-graders")
    assert (done.exit_code, done.output) == (0, "reward\t0.75\n")
    validated = finetune("graders", "validate", grader, "--local", "--allow-python-graders")
    assert (validated.exit_code, validated.output) == (0, "The server accepts it: python.\n")
    for command in (("run", grader, *options), ("validate", grader, "--local")):
        refused = finetune("graders", *command)
        assert refused.exit_code == 1
        assert "on the command line with --allow-python-graders" in refused.output
    failed = finetune(
        "graders", "run", grader, "--local", "--sample", "abc", "--allow-python-graders"
    )
    assert failed.exit_code == 1
    assert failed.stdout == "reward\t0.0\n"
    assert failed.stderr == (
        "python_grader_runtime_error\n"
        "python_grader_runtime_error_details: KeyError: 'whole' (line 2 of the source)\n"
    )


def test_python_graders__are_allowed_on_this_machine_alone(
    finetune: Finetune, grader: Path
) -> None:
    done = finetune("graders", "validate", grader, "--allow-python-graders")
    assert done.exit_code == 2
    assert "--allow-python-graders goes with --local alone." in done.output
