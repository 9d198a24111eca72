from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
import responses

from finetune_client import (
    Client,
    FineTuningJob,
    NotFoundError,
    RequestError,
    StringCheckGrader,
)
from finetune_client.evaluation import AnswerFile, evaluate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evaluation.conftest import Service

EXACT = {
    "type": "string_check",
    "name": "exact",
    "input": "{{sample.output_text}}",
    "reference": "{{item.reference}}",
    "operation": "eq",
}


def test_evaluate__shows_that_the_tuned_model_is_better(client: Client, questions: Path) -> None:
    found = evaluate(client, questions, models=["base", "tuned"], grader=EXACT)
    assert [result.mean for result in found.results] == [0.6, 1.0]
    (one,) = found.comparisons
    assert one.difference == pytest.approx(0.4)
    assert (one.wins, one.losses, one.ties) == (2, 0, 3)
    assert [question.reference for question, _, _ in found.changes()] == ["Lima", "N'Djamena"]
    assert found.results[0].cut_off == 2


def test_evaluate__grades_by_likeness_unless_told_otherwise(
    client: Client, questions: Path
) -> None:
    found = evaluate(client, questions, models=["base", "tuned"])
    base, tuned = found.results
    assert tuned.mean == 1.0
    assert 0.6 < base.mean < 0.95


@pytest.mark.parametrize(
    "grader",
    [
        StringCheckGrader.from_dict(EXACT),
        lambda text, item: text == item["reference"],
    ],
    ids=["a model", "a function"],
)
def test_evaluate__takes_graders_of_every_kind(
    client: Client, questions: Path, grader: Any
) -> None:
    found = evaluate(client, questions, models=["base"], grader=grader)
    assert found.results[0].mean == 0.6


def test_evaluate__takes_jobs_for_models(client: Client, questions: Path) -> None:
    job = FineTuningJob.from_dict({"id": "ftjob-1", "fine_tuned_model": "tuned"})
    assert evaluate(client, questions, models=[job]).models == ["tuned"]
    unfinished = FineTuningJob.from_dict({"id": "ftjob-1"})
    with pytest.raises(RequestError) as caught:
        evaluate(client, questions, models=[unfinished])
    assert str(caught.value) == (
        "'ftjob-1' is neither the name of a model nor a job that has one. Nothing was sent."
    )


def test_evaluate__asks_nothing_twice(
    client: Client, service: Service, questions: Path, tmp_path: Path
) -> None:
    output = tmp_path / "answers.jsonl"
    evaluate(client, questions, models=["base"], output=output)
    found = evaluate(client, questions, models=["base", "tuned"], output=output, grader=EXACT)
    assert [body["model"] for body in service.asked].count("base") == 5
    assert len(found.comparisons) == 1


def test_evaluate__compares_with_answers_of_a_model_that_is_gone(
    client: Client, service: Service, questions: Path, tmp_path: Path
) -> None:
    old = tmp_path / "kept.jsonl"
    evaluate(client, questions, models=["tuned"], output=old, max_tokens=9)
    service.fail["tuned"] = 404
    service.asked.clear()
    found = evaluate(client, questions, models=["tuned", "base"], reference=old, grader=EXACT)
    assert {body["model"] for body in service.asked} == {"base"}
    assert [result.mean for result in found.results] == [1.0, 0.6]
    with AnswerFile(old) as file:
        assert len(file.all()) == 5
    assert found.settings_note == (
        "The answers were asked for with different settings, and a difference may come from that "
        "(tuned: max_tokens=9, temperature=0.0; base: temperature=0.0)."
    )
    assert str(found).endswith(found.settings_note)
    assert found.to_dict()["settings_note"] == found.settings_note
    assert "(tuned: max_tokens=9, temperature=0.0; base: temperature=0.0)" in found.to_html()


def test_evaluate__prefers_kept_answers_to_the_same_settings(
    client: Client, questions: Path, tmp_path: Path
) -> None:
    old = tmp_path / "kept.jsonl"
    for most in (8, 9, 10):
        evaluate(client, questions, models=["tuned"], output=old, max_tokens=most)
    models = ["tuned", "base"]
    same = evaluate(client, questions, models=models, reference=old, max_tokens=9)
    assert same.settings_note is None
    other = evaluate(client, questions, models=models, reference=old, max_tokens=7)
    assert "(tuned: max_tokens=10, temperature=0.0; base: max_tokens=7" in str(other)


def test_evaluate__of_kept_answers_with_unknown_settings_nothing_is_said(
    client: Client, questions: Path, tmp_path: Path
) -> None:
    old = tmp_path / "kept.jsonl"
    evaluate(client, questions, models=["tuned"], output=old, max_tokens=9)
    lines = [json.loads(line) for line in old.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        del line["settings"]
    old.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = evaluate(client, questions, models=["tuned", "base"], reference=old)
    assert (found.results[0].count, found.settings_note) == (5, None)


def test_evaluate__a_failed_question_is_missing_and_named(
    client: Client, service: Service, questions: Path
) -> None:
    service.fail["Spain"] = 400
    found = evaluate(client, questions, models=["tuned"], grader=EXACT)
    assert (found.results[0].count, found.results[0].missing) == (4, 1)
    assert found.failures == [("tuned", 3, "no Spain (HTTP 400, POST /chat/completions)")]


def test_evaluate__a_model_that_is_not_there_ends_it(
    client: Client, service: Service, questions: Path
) -> None:
    service.fail["gone"] = 404
    with pytest.raises(NotFoundError):
        evaluate(client, questions, models=["gone"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"models": []}, "evaluate needs at least one model. Nothing was sent."),
        ({"models": ["a", "b", "a"]}, "The model 'a' is named twice. Nothing was sent."),
        (
            {"models": ["base"], "grader": {"type": "string_check"}},
            "Missing required parameter: 'grader.name'. Nothing was sent.",
        ),
    ],
)
def test_evaluate__refuses_before_it_asks(
    client: Client, service: Service, questions: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(RequestError) as caught:
        evaluate(client, questions, **options)
    assert str(caught.value) == said
    assert service.asked == []


def test_evaluate__refuses_questions_that_the_default_grader_cannot_grade(
    client: Client, service: Service
) -> None:
    rows = [{"prompt": "Peru?", "completion": "Lima"}, {"prompt": "Chad?"}]
    with pytest.raises(RequestError) as caught:
        evaluate(client, rows, models=["base"])
    assert str(caught.value) == (
        "There is no expected answer in row 2, which the default grader compares answers with. Give "
        "a grader that needs none, or rows whose last message is the assistant's, or with a "
        "'completion' or a 'reference'. Nothing was sent."
    )
    assert service.asked == []
    found = evaluate(client, rows, models=["base"], grader=lambda text, item: len(text))
    assert found.results[0].count == 2


def test_evaluate__an_answer_that_cannot_be_graded_is_named(
    client: Client, questions: Path
) -> None:
    grader = EXACT | {"reference": "{{item.nothing}}"}
    found = evaluate(client, questions, models=["tuned"], grader=grader)
    assert found.results[0].count == 0
    assert "cannot grade this answer" in found.failures[0][2]


def test_evaluate__the_server_grades_what_needs_a_model(questions: Path) -> None:
    api = "https://api.openai.com/v1"
    grader = {
        "type": "score_model",
        "name": "polite",
        "model": "gpt-4o-mini",
        "input": [{"role": "user", "content": "Is this polite? {{sample.output_text}}"}],
    }
    message = {"role": "assistant", "content": "Paris"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    with responses.RequestsMock() as mock:
        mock.post(f"{api}/chat/completions", json={"id": "c", "model": "m", "choices": [choice]})
        graded = f"{api}/fine_tuning/alpha/graders/run"
        for _ in range(4):
            mock.post(graded, json={"reward": 0.75})
        mock.post(graded, json={"reward": None})
        client = Client("sk-made-up", max_retries=0)
        found = evaluate(client, questions, models=["m"], grader=grader, concurrency=1)
        sent = [call.request.body for call in mock.calls if call.request.url == graded]
    assert (found.results[0].mean, found.results[0].count) == (0.75, 4)
    assert [reason for _, _, reason in found.failures] == ["The server's grader gave no reward."]
    first = json.loads(cast(bytes, sent[0]))
    assert (len(sent), first["model_sample"], first["grader"]) == (5, "Paris", grader)
