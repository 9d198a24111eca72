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
