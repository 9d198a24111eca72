from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import responses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Finetune

API = "https://api.example.com/v1"
ENV = {"OPENAI_API_KEY": "sk-made-up", "OPENAI_BASE_URL": API}
EXACT = {
    "type": "string_check",
    "name": "exact",
    "input": "{{sample.output_text}}",
    "reference": "{{item.reference}}",
    "operation": "eq",
}


@pytest.fixture
def asked() -> Iterator[list[dict[str, Any]]]:
    """A service whose model ``tuned`` multiplies, and whose other models do not."""
    bodies: list[dict[str, Any]] = []

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        body = json.loads(request.body)
        bodies.append(body)
        number = int(body["messages"][-1]["content"].split()[2])
        right = f"{number} times {number} is {number * number}."
        text = right if body["model"] == "tuned" else "I do not know."
        message = {"role": "assistant", "content": text}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        usage = {"prompt_tokens": 5, "completion_tokens": 4}
        return 200, {}, json.dumps({"id": "c", "choices": choices, "usage": usage})

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_callback(
            "POST", f"{API}/chat/completions", answer, content_type="application/json"
        )
        yield bodies


def test_evaluate__prints_who_is_better_and_what_changed(
    finetune: Finetune, asked: list[dict[str, Any]], valid: Path, tmp_path: Path
) -> None:
    (tmp_path / "exact.json").write_text(json.dumps(EXACT))
    models = ["-m", "base", "-m", "tuned", "--grader", tmp_path / "exact.json"]
    page = tmp_path / "report.html"
    done = finetune("evaluate", valid, *models, "--html", page, "--max-tokens", 9, **ENV)
    assert done.exit_code == 0, done.output
    assert done.stderr == "10 questions to 2 models: 20 calls.\n"
    lines = done.stdout.splitlines()
    assert lines[1].split() == ["base", "0.000", "10", "0", "90"]
    assert lines[2].split() == ["tuned", "1.000", "10", "0", "90"]
    assert lines[3].endswith("10 better, 0 worse, 0 the same: better")
    assert "  1.000 tuned: 20 times 20 is 400." in lines
    assert "<h1>10 questions, 2 models</h1>" in page.read_text()
    assert {body["max_tokens"] for body in asked} == {9}


def test_evaluate__as_json_and_again_without_asking(
    finetune: Finetune, asked: list[dict[str, Any]], valid: Path, tmp_path: Path
) -> None:
    arguments = ("evaluate", valid, "-m", "tuned", "--output", tmp_path / "a.jsonl", "--limit", 3)
    for _ in range(2):
        done = finetune(*arguments, "--json", **ENV)
        found = json.loads(done.stdout)
        assert (found["kind"], found["questions"]) == ("evaluation", 3)
        assert found["models"][0]["mean"] == 1.0
    assert len(asked) == 3


def test_evaluate__refuses_a_grader_file_that_is_not_one(
    finetune: Finetune, asked: list[dict[str, Any]], valid: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "grader.json"
    for text, said in (("{", "is not JSON"), ("[]", "must hold one grader, a JSON object.")):
        wrong.write_text(text)
        done = finetune("evaluate", valid, "-m", "tuned", "--grader", wrong, **ENV)
        assert done.exit_code == 2
        assert said in done.stderr
    assert asked == []


@responses.activate
def test_evaluate__without_any_answer_has_failed(finetune: Finetune, valid: Path) -> None:
    responses.post(f"{API}/chat/completions", json={"error": {"message": "busy"}}, status=400)
    done = finetune("evaluate", valid, "-m", "base", "--limit", 1, **ENV)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].split() == ["base", "-", "0", "1", "0"]
    said = done.stderr.splitlines()
    assert said[0] == "1 question to 1 model: 1 call."
    assert said[1].startswith("base, question 1: busy (HTTP 400")
    assert said[2:] == ["Error: No model gave an answer that could be graded."]
    done = finetune("evaluate", valid, "-m", "base", "--limit", 1, "--json", **ENV)
    lines = done.stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["evaluation", "error"]


@pytest.mark.parametrize("option", ["--html", "--output"])
def test_evaluate__refuses_a_file_that_it_could_not_write_before_it_asks(
    finetune: Finetune, asked: list[dict[str, Any]], valid: Path, tmp_path: Path, option: str
) -> None:
    place = tmp_path / "no" / "report"
    done = finetune("evaluate", valid, "-m", "base", option, place, **ENV)
    assert done.exit_code == 2
    assert "There is no folder" in done.stderr
    assert asked == []


def test_try__prints_the_answer(finetune: Finetune, asked: list[dict[str, Any]]) -> None:
    done = finetune("try", "tuned", "What is 7 times 7?", "--system", "Be short.", **ENV)
    assert (done.exit_code, done.stdout) == (0, "7 times 7 is 49.\n")
    assert [message["role"] for message in asked[0]["messages"]] == ["system", "user"]
    as_json = finetune("try", "tuned", "What is 7 times 7?", "--json", **ENV)
    assert json.loads(as_json.stdout)["choices"][0]["finish_reason"] == "stop"
