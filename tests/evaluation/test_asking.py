from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from finetune_client import AuthenticationError, InternalServerError
from finetune_client.evaluation import AnswerFile, ask, read_questions

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client import Client
    from tests.evaluation.conftest import Service


def test_ask__answers_come_by_model_and_question(
    client: Client, service: Service, questions: Path
) -> None:
    with AnswerFile() as file:
        answers, failures = ask(
            client, read_questions(questions), ["base", "tuned"], answers=file, settings={"seed": 3}
        )
    assert failures == []
    assert [(a.model, a.number) for a in answers] == [
        (model, number) for model in ("base", "tuned") for number in range(1, 6)
    ]
    assert answers[5].text == "Paris"
    assert {body["seed"] for body in service.asked} == {3}
    assert all("weight" not in str(body) for body in service.asked)


def test_ask__again_asks_only_what_is_missing(
    client: Client, service: Service, questions: Path, tmp_path: Path
) -> None:
    asked = read_questions(questions)
    service.fail["Spain"] = 400
    told: list[int] = []
    for run in range(2):
        with AnswerFile(tmp_path / "answers.jsonl") as file:
            answers, failures = ask(
                client, asked, ["tuned"], answers=file, on_answer=lambda a: told.append(a.number)
            )
        if run == 0:
            assert [(m, q.number, e.message) for m, q, e in failures] == [
                ("tuned", 3, "no Spain (HTTP 400, POST /chat/completions)")
            ]
            assert len(answers) == 4
            service.fail.clear()
    assert len(answers) == 5
    assert len(service.asked) == 6
    assert sorted(told) == [1, 1, 2, 2, 3, 4, 4, 5, 5]


def test_ask__another_setting_is_another_question(
    client: Client, service: Service, questions: Path
) -> None:
    asked = read_questions(questions, limit=1)
    with AnswerFile() as file:
        for temperature in (0.0, 0.0, 1.0, None):
            ask(client, asked, ["tuned"], answers=file, settings={"temperature": temperature})
    assert [body.get("temperature") for body in service.asked] == [0.0, 1.0, None]


def test_ask__a_refused_key_ends_it_and_keeps_what_came(
    client: Client, service: Service, questions: Path
) -> None:
    service.fail["Italy"] = 401
    with AnswerFile() as file:
        with pytest.raises(AuthenticationError):
            ask(client, read_questions(questions), ["tuned"], answers=file, concurrency=1)
        assert "Paris" in [answer.text for answer in file.all()]
    assert len(service.asked) <= 4


def test_ask__failures_in_a_row_end_it(client: Client, service: Service, questions: Path) -> None:
    service.fail["tuned"] = 500
    asked = read_questions(questions) * 4
    with AnswerFile() as file, pytest.raises(InternalServerError):
        ask(client, asked, ["tuned"], answers=file, concurrency=2)
    assert 5 <= len(service.asked) <= 8


def test_ask__a_callback_that_fails_ends_it(
    client: Client, service: Service, questions: Path
) -> None:
    def fail(_: object) -> None:
        raise KeyboardInterrupt

    with AnswerFile() as file, pytest.raises(KeyboardInterrupt):
        ask(client, read_questions(questions) * 9, ["tuned"], answers=file, on_answer=fail)
    assert len(service.asked) < 20
