from __future__ import annotations

import math
import random
import statistics

import pytest

from finetune_client.evaluation import Answer, Evaluation, Question
from finetune_client.evaluation.report import GradedAnswer, bootstrap_interval


def graded(model: str, number: int, reward: float, text: str = "a", **more: object) -> GradedAnswer:
    answer = Answer(
        key=f"{model}{number}",
        model=model,
        number=number,
        messages=[],
        text=text,
        message={},
        usage={"prompt_tokens": 2, "completion_tokens": 1},
        **more,  # type: ignore[arg-type]  # further fields
    )
    return GradedAnswer(answer=answer, reward=reward)


def evaluation(**rewards: list[float | None]) -> Evaluation:
    count = max(map(len, rewards.values()))
    questions = [
        Question(number=n, messages=[{"role": "user", "content": f"q{n}"}], reference=f"r{n}")
        for n in range(1, count + 1)
    ]
    answers = {
        model: {n: graded(model, n, r) for n, r in enumerate(values, 1) if r is not None}
        for model, values in rewards.items()
    }
    return Evaluation(models=list(rewards), questions=questions, answers=answers)


def test_results__means_counts_and_tokens() -> None:
    found = evaluation(base=[0.0, 1.0, None], tuned=[1.0, 1.0, 1.0])
    base, tuned = found.results
    assert (base.mean, base.count, base.missing) == (0.5, 2, 1)
    assert (tuned.mean, tuned.count, tuned.missing) == (1.0, 3, 0)
    assert (tuned.prompt_tokens, tuned.completion_tokens) == (6, 3)
    assert math.isnan(evaluation(none=[None], base=[1.0]).results[0].mean)


def test_comparisons__are_of_the_questions_that_both_answered() -> None:
    (one,) = evaluation(base=[0.0, 1.0, None, 0.5], tuned=[1.0, 0.5, 1.0, 0.5]).comparisons
    assert (one.wins, one.losses, one.ties) == (1, 1, 1)
    assert one.difference == pytest.approx(0.5 / 3)
    assert evaluation(base=[None, 1.0], tuned=[1.0, None]).comparisons == []


def test_comparison__of_one_question_judges_nothing() -> None:
    (one,) = evaluation(base=[0.0], tuned=[1.0]).comparisons
    assert str(one) == (
        "tuned against base: +1.000 (95 % interval +1.000 to +1.000), 1 better, 0 worse, 0 the same: "
        "one question shows nothing"
    )


def test_bootstrap_interval__agrees_with_the_normal_one() -> None:
    chance = random.Random(7)
    values = [chance.gauss(0.2, 1.0) for _ in range(400)]
    low, high = bootstrap_interval(values)
    half = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    assert low == pytest.approx(mean - half, abs=0.015)
    assert high == pytest.approx(mean + half, abs=0.015)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval([0.5]) == (0.5, 0.5)


def test_bootstrap_interval__holds_the_truth_about_95_times_of_100() -> None:
    chance = random.Random(1)
    held = 0
    for _ in range(60):
        low, high = bootstrap_interval([chance.random() for _ in range(60)])
        held += low <= 0.5 <= high
    assert 51 <= held <= 60


def test_changes__come_with_the_largest_first() -> None:
    found = evaluation(base=[0.0, 0.5, 1.0, 0.3], tuned=[0.1, 1.0, 0.0, 0.3])
    assert [question.number for question, _, _ in found.changes()] == [3, 2, 1]
    assert [question.number for question, _, _ in found.changes("tuned", count=1)] == [3]
    assert evaluation(base=[1.0]).changes() == []


def test_str__is_a_table_and_a_sentence_for_each_comparison() -> None:
    found = evaluation(base=[0.0] * 20, tuned=[1.0] * 20)
    assert str(found) == (
        "model     mean   graded  missing     tokens\n"
        "base     0.000       20        0         60\n"
        "tuned    1.000       20        0         60\n"
        "tuned against base: +1.000 (95 % interval +1.000 to +1.000), 20 better, 0 worse, "
        "0 the same: better"
    )
    same = evaluation(base=[0.0, 1.0], tuned=[1.0, 0.0]).comparisons[0]
    assert str(same).endswith("no difference that could not be chance")
    assert str(evaluation(a=[1.0, 1.0], b=[0.0, 0.0]).comparisons[0]).endswith(": worse")


def test_str__says_how_many_answers_were_cut_off() -> None:
    found = evaluation(base=[1.0])
    found.answers["base"][1] = graded("base", 1, 1.0, finish_reason="length")
    assert str(found).endswith("1 answer of base was cut off; a larger max_tokens may help.")
    found = evaluation(base=[1.0, 1.0])
    for number in (1, 2):
        found.answers["base"][number] = graded("base", number, 1.0, finish_reason="length")
    assert str(found).endswith("2 answers of base were cut off; a larger max_tokens may help.")
    found.answers["base"][1] = graded("base", 1, 1.0)
    assert str(found).endswith("1 answer of base was cut off; a larger max_tokens may help.")


def test_to_html__escapes_what_models_and_files_say(tmp_path: object) -> None:
    found = evaluation(base=[0.0], tuned=[1.0])
    evil = "<script>alert(1)</script>"
    found.answers["tuned"][1] = graded("tuned", 1, 1.0, text=evil)
    found.questions[0] = Question(
        number=1, messages=[{"role": "user", "content": evil}], reference=evil
    )
    page = found.to_html()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3
    assert "mean reward" in page
    assert "<title>1 question, 2 models</title>" in page


def test_to_dict__is_ready_for_json() -> None:
    found = evaluation(base=[0.0], tuned=[1.0])
    found.failures.append(("base", 2, "no"))
    written = found.to_dict()
    assert written["models"][1]["mean"] == 1.0
    assert written["comparisons"][0]["wins"] == 1
    assert written["failures"] == [{"model": "base", "question": 2, "message": "no"}]
