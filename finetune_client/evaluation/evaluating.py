"""Is the tuned model better? The same questions to several models, graded and compared."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from finetune_client.errors import APIError, RequestError
from finetune_client.evaluation.answers import AnswerFile, answer_key
from finetune_client.evaluation.asking import ask
from finetune_client.evaluation.questions import read_questions, some_of
from finetune_client.evaluation.report import Evaluation, GradedAnswer
from finetune_client.grading import GraderError, check_grader, check_runnable, run_grader
from finetune_client.models.codec import to_plain

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Final

    from finetune_client.client import Client
    from finetune_client.evaluation.answers import Answer
    from finetune_client.evaluation.questions import Question
    from finetune_client.models import FineTuningJob

__all__ = ["DEFAULT_GRADER", "evaluate"]

DEFAULT_GRADER: Final = {
    "type": "text_similarity",
    "name": "similarity",
    "input": "{{sample.output_text}}",
    "reference": "{{item.reference}}",
    "evaluation_metric": "fuzzy_match",
}
"""How similar the answer is to the file's own, from 0 to 1."""

Grade: TypeAlias = "Callable[[str, Mapping[str, Any]], float]"
"""A reward, from an answer's text and the question's `Question.item`."""


def evaluate(
    client: Client,
    file: str | os.PathLike[str] | Iterable[Mapping[str, Any]],
    *,
    models: Sequence[str | FineTuningJob],
    grader: Mapping[str, Any] | Any | Grade = DEFAULT_GRADER,
    limit: int | None = None,
    output: str | os.PathLike[str] | None = None,
    reference: str | os.PathLike[str] | None = None,
    max_tokens: int | None = None,
    temperature: float | None = 0.0,
    seed: int | None = None,
    concurrency: int = 4,
    on_answer: Callable[[Answer], object] | None = None,
    **settings: Any,
) -> Evaluation:
    """Ask models the questions of a held-out file, grade their answers, and compare the models.

    It costs the tokens of ``len(models)`` calls a question. With ``output`` nothing is asked twice:
    call it again after a crash, or with one more model.

    Args:
        client: The client; its provider needs chat completions.
        file: Questions that the models were not trained on, see `read_questions`.
        models: Models, or jobs that succeeded; the first is the base of the comparisons.
        grader: A grader of the API, which is run here if it can be, else by `client.graders.run`; or
            a function of an answer's text and the row. Templates see the row as ``item``, and the
            file's own answer as ``item.reference``.
        limit: How many rows of the file, from the first.
        output: The file that keeps the answers, a JSON object a line.
        reference: A file of answers that models gave earlier, such as one that an archive kept of a
            model that is gone; a model of ``models`` found there is not asked.
        max_tokens: Tokens of an answer, at most; the server's default if not given.
        temperature: 0 makes answers repeatable; `None` leaves it out, for models that refuse it.
        seed: The same seed gives mostly the same answers.
        concurrency: How many calls at once.
        on_answer: Called with each answer.
        settings: Further arguments of `create`.

    Returns:
        The evaluation; print it, or show it in a notebook.

    Raises:
        RequestError: The grader, a model or a row is not valid, or the default grader has no answer
            of the file to compare with; nothing was sent.
        TrainingDataError: The file cannot be read.
        APIError: The key or a model is refused, or the service fails again and again. Answers that
            came are in ``output``.
    """
    grade = _grade_with(client, grader)
    names = [_model_name(one) for one in models]
    if not names:
        raise RequestError("evaluate needs at least one model. Nothing was sent.")
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"The model {doubled!r} is named twice. Nothing was sent.")
    questions = read_questions(file, limit=limit)
    if grader is DEFAULT_GRADER:
        _check_references(questions)
    given = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed, **settings}
    sent = {name: value for name, value in given.items() if value is not None}
    kept = _kept_answers(reference, questions, sent)
    asked = [name for name in names if name not in kept]
    with AnswerFile(output) as answers:
        found, failed = ask(
            client,
            questions,
            asked,
            answers=answers,
            settings=sent,
            concurrency=concurrency,
            on_answer=on_answer,
        )
    by_number = {question.number: question for question in questions}
    graded: dict[str, dict[int, GradedAnswer]] = {name: {} for name in names}
    failures = [(model, question.number, str(error)) for model, question, error in failed]
    found += [answer for name in names for answer in kept.get(name, {}).values()]
    for answer in found:
        try:
            reward = grade(answer.text, by_number[answer.number].item)
        except (APIError, GraderError) as error:
            failures.append((answer.model, answer.number, str(error)))
            continue
        graded[answer.model][answer.number] = GradedAnswer(answer=answer, reward=reward)
    return Evaluation(models=names, questions=questions, answers=graded, failures=failures)


def _check_references(questions: Sequence[Question]) -> None:
    """Raise if the default grader has nothing to compare an answer with."""
    without = [one.number for one in questions if "reference" not in one.item]
    if without:
        raise RequestError(
            f"There is no expected answer in {some_of(without)}, which the default grader "
            "compares answers with. Give a grader that needs none, or rows whose last message is the assistant's, or "
            "with a 'completion' or a 'reference'. Nothing was sent."
        )


def _model_name(model: str | FineTuningJob) -> str:
    if isinstance(model, str) and model:
        return model
    name = getattr(model, "fine_tuned_model", None)
    if not name:
        raise RequestError(
            f"{getattr(model, 'id', model)!r} is neither the name of a model nor a job that has one. "
            "Nothing was sent."
        )
    return str(name)


def _grade_with(client: Client, grader: Any) -> Grade:
    """Return a function that grades, here if that can be.

    Raises:
        RequestError: It is not a grader.
    """
    if callable(grader):
        return lambda text, item: float(grader(text, item))
    written = to_plain(grader)
    try:
        checked = check_grader(written)
    except GraderError as error:
        raise RequestError(f"{error.message} Nothing was sent.") from None
    try:
        check_runnable(checked)
    except GraderError:
        return lambda text, item: _remote_reward(client, checked, text, item)
    return lambda text, item: _local_reward(checked, text, item)


def _local_reward(grader: Mapping[str, Any], text: str, item: Mapping[str, Any]) -> float:
    grade = run_grader(grader, text, item)
    if grade.errors:
        raise GraderError(
            f"The grader cannot grade this answer: {', '.join(sorted(grade.errors))}.", "grader"
        )
    return grade.reward


def _remote_reward(
    client: Client, grader: Mapping[str, Any], text: str, item: Mapping[str, Any]
) -> float:
    run = client.graders.run(grader=grader, model_sample=text, item=item)
    if run.reward is None:
        raise GraderError("The server's grader gave no reward.", "grader")
    return run.reward


def _kept_answers(
    reference: str | os.PathLike[str] | None,
    questions: Sequence[Question],
    settings: Mapping[str, Any],
) -> dict[str, dict[int, Answer]]:
    """Return the answers of an earlier file to these very questions, by model and number.

    Of several to one question it is the one that was asked for with `settings`, else the last.
    """
    if reference is None:
        return {}
    by_messages = {_asked(question.messages): question for question in questions}
    kept: dict[str, dict[int, Answer]] = {}
    with AnswerFile(reference) as file:
        for answer in file.all():
            question = by_messages.get(_asked(answer.messages))
            if question is None:
                continue
            of_model = kept.setdefault(answer.model, {})
            known = of_model.get(question.number)
            if known is None or known.key != answer_key(question, answer.model, settings):
                of_model[question.number] = replace(answer, number=question.number)
    return kept


def _asked(messages: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(list(messages), sort_keys=True)
