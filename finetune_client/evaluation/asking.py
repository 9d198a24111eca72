"""Asking several models many questions, a few at a time, and keeping each answer at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from finetune_client.errors import (
    APIError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
)
from finetune_client.evaluation.answers import Answer, AnswerFile, answer_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from finetune_client.client import Client
    from finetune_client.evaluation.questions import Question

__all__ = ["ask"]

_HOPELESS = (AuthenticationError, NotFoundError, PermissionDeniedError)
"""What the next question will meet as well."""

_MOST_IN_A_ROW = 5
"""So many failures without an answer between them end the asking."""


def ask(
    client: Client,
    questions: Sequence[Question],
    models: Sequence[str],
    *,
    answers: AnswerFile,
    settings: Mapping[str, Any] | None = None,
    concurrency: int = 4,
    on_answer: Callable[[Answer], object] | None = None,
) -> tuple[list[Answer], list[tuple[str, Question, APIError]]]:
    """Ask each model each question that ``answers`` has no answer to yet.

    Each call is retried as `client.chat.completions.create` is. A call that fails is noted, and the
    others continue; a key, a model or a permission that is refused, or five failures in a row, end
    the asking. Answers that came are kept in any case, so it can be called again.

    Args:
        client: The client.
        questions: See `read_questions`.
        models: The models' names.
        answers: Where answers are kept, and looked up first.
        settings: Further arguments of `create`, such as ``max_tokens``.
        concurrency: How many calls at once.
        on_answer: Called with each answer, also those that were there; from one thread at a time.

    Returns:
        The answers, by model and then by question, and the failures.

    Raises:
        APIError: Further calls would fail too.
    """
    sent = {name: value for name, value in (settings or {}).items() if value is not None}
    stop = threading.Event()
    found: dict[tuple[str, int], Answer] = {}
    failures: list[tuple[str, Question, APIError]] = []
    waiting: list[tuple[str, Question]] = []
    for model in models:
        for question in questions:
            known = answers.get(answer_key(question, model, sent))
            if known is None:
                waiting.append((model, question))
            else:
                found[model, question.number] = replace(known, number=question.number)
                if on_answer:
                    on_answer(known)

    def call(model: str, question: Question) -> Answer | None:
        if stop.is_set():
            return None
        completion = client.chat.completions.create(
            model=model, messages=question.messages, tools=question.tools, **sent
        )
        answer = Answer.of(completion, question, model, sent)
        answers.add(answer)
        return answer

    in_a_row = 0
    with ThreadPoolExecutor(max(1, concurrency), thread_name_prefix="finetune-ask") as pool:
        calls = {pool.submit(call, *pair): pair for pair in waiting}
        try:
            for done in as_completed(calls):
                model, question = calls[done]
                try:
                    answer = done.result()
                except APIError as error:
                    in_a_row += 1
                    failures.append((model, question, error))
                    if isinstance(error, _HOPELESS) or in_a_row >= _MOST_IN_A_ROW:
                        raise
                    continue
                if answer is not None:
                    in_a_row = 0
                    found[model, question.number] = answer
                    if on_answer:
                        on_answer(answer)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    ordered = [
        found[model, question.number]
        for model in models
        for question in questions
        if (model, question.number) in found
    ]
    return ordered, failures
