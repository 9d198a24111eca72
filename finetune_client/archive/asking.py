"""Keeping the answers of tuned models: after the day that they are shut down none can be had."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from finetune_client.archive import layout
from finetune_client.archive.index import Index
from finetune_client.archive.locking import locked
from finetune_client.archive.report import Missing, reason_of
from finetune_client.display import counted
from finetune_client.errors import (
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    PermissionDeniedError,
    RequestError,
)
from finetune_client.evaluation import Answer, AnswerFile, ask
from finetune_client.evaluation.answers import answer_key
from finetune_client.training_data import count_messages, resolve_counter, write_jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from finetune_client.client import Client
    from finetune_client.evaluation import Question

__all__ = [
    "AskEstimate",
    "KeptAnswers",
    "TrainingFile",
    "estimate",
    "keep_answers",
    "tuned_models",
    "write_training_file",
]

_OF_ONE_MODEL: Final = (BadRequestError, NotFoundError, PermissionDeniedError)
"""Refusals that say nothing of another model."""

_CUT_OFF: Final = frozenset({"length", "content_filter"})


@dataclass(frozen=True, kw_only=True, slots=True)
class AskEstimate:
    """What asking will take.

    Attributes:
        models, questions: How many.
        calls: How many answers are not there yet.
        prompt_tokens: About how many tokens these calls send.
        counter: How they were counted: an encoding's name, or ``estimate: …``.
        most_answer_tokens: How many tokens the answers have at most; None if there is no limit.
    """

    models: int
    questions: int
    calls: int
    prompt_tokens: int
    counter: str
    most_answer_tokens: int | None

    def __str__(self) -> str:
        kept = self.models * self.questions - self.calls
        known = f" ({counted(kept, 'answer')} already here)" if kept else ""
        limit = self.most_answer_tokens
        answers = "no limit on the answers" if limit is None else f"at most {limit:,} in answers"
        return (
            f"{counted(self.questions, 'question')} to {counted(self.models, 'model')}: "
            f"{counted(self.calls, 'call')}{known}, "
            f"about {counted(self.prompt_tokens, 'token')} in prompts ({self.counter}), {answers}."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptAnswers:
    """What the models answered.

    Attributes:
        path: The file of answers.
        answers: The answers to these questions, also those that were there, by model.
        missing: What could not be had.
    """

    path: Path
    answers: list[Answer]
    missing: list[Missing]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingFile:
    """A training file of answers.

    Attributes:
        path: Where it is.
        examples: How many it has.
        cut_off: How many answers were left out since they ended before their end.
        empty: How many were left out since they have no text, or call tools.
    """

    path: Path
    examples: int
    cut_off: int
    empty: int


def tuned_models(directory: str | os.PathLike[str]) -> list[str]:
    """Return the tuned models of an archived account, the newest first.

    Raises:
        RequestError: There is no index, or it cannot be read.
    """
    index = layout.read_json(Path(directory) / layout.INDEX)
    if not isinstance(index, dict):
        raise RequestError(f"{os.fspath(directory)!r} is not an archive: it has no {layout.INDEX}.")
    names = [row["fine_tuned_model"] for row in index.get("jobs", ())]
    return [*dict.fromkeys(name for name in names if name)]


def estimate(
    directory: str | os.PathLike[str],
    questions: Sequence[Question],
    models: Sequence[str],
    *,
    max_tokens: int | None = None,
) -> AskEstimate:
    """Return what `keep_answers` will take; nothing is sent.

    Tokens are counted with the model's encoding where the extra ``tokens`` is installed.
    """
    path = Path(directory) / layout.ANSWERS
    with AnswerFile(path if path.is_file() else None) as answers:
        settings = _settings(max_tokens)
        asked = [
            (model, question)
            for model in models
            for question in questions
            if answers.get(answer_key(question, model, settings)) is None
        ]
    try:
        counter = resolve_counter(models[0] if models else None)
    except (ConfigurationError, RequestError):  # not installed, or another family of models
        counter = resolve_counter(None)
    tokens = {question.number: count_messages(counter, question.messages) for question in questions}
    return AskEstimate(
        models=len(models),
        questions=len(questions),
        calls=len(asked),
        prompt_tokens=sum(tokens[question.number] for _, question in asked),
        counter=counter.label,
        most_answer_tokens=None if max_tokens is None else max_tokens * len(asked),
    )


def keep_answers(
    client: Client,
    directory: str | os.PathLike[str],
    questions: Sequence[Question],
    models: Sequence[str],
    *,
    max_tokens: int | None = None,
    concurrency: int = 4,
    on_answer: Callable[[Answer], object] | None = None,
) -> KeptAnswers:
    """Ask each model each question, and keep the answers in the archive.

    An answer that is there already, to the same question with the same settings, is not asked for
    again; each new one is on the disk at once, so it may be killed and run again. A model that is
    refused is listed, and the others continue.

    Args:
        client: The client; it costs what its calls cost.
        directory: The archive, see `save`; a new or an empty folder becomes one.
        questions: See `evaluation.read_questions`.
        models: Names, such as those of `tuned_models`.
        max_tokens: Tokens of an answer, at most; the server's default if not given.
        concurrency: How many calls at once.
        on_answer: Called with each answer, also those that were there.

    Raises:
        RequestError: It is not an archive of this server, or another process is writing to it.
        APIError: The key is refused, or the service fails again and again.
        OSError: The archive cannot be written to.
    """
    root = Path(directory).absolute()
    kept: list[Answer] = []
    missing: list[Missing] = []
    with locked(root):
        index = Index.open(root, client)
        try:
            with AnswerFile(root / layout.ANSWERS) as answers:
                for model in models:
                    try:
                        given, failed = ask(
                            client,
                            questions,
                            [model],
                            answers=answers,
                            settings=_settings(max_tokens),
                            concurrency=concurrency,
                            on_answer=on_answer,
                        )
                    except _OF_ONE_MODEL as error:
                        missing.append(reason_of("answers", model, error))
                        given, failed = _known(answers, model, questions, max_tokens), []
                    kept += given
                    missing += [
                        reason_of("answer", f"{model}, question {question.number}", error)
                        for _, question, error in failed
                    ]
        finally:
            index.write()
    return KeptAnswers(path=root / layout.ANSWERS, answers=kept, missing=missing)


def _settings(max_tokens: int | None) -> dict[str, Any]:
    return {} if max_tokens is None else {"max_tokens": max_tokens}


def _known(
    answers: AnswerFile, model: str, questions: Sequence[Question], max_tokens: int | None
) -> list[Answer]:
    """Return the answers that a model gave before it was refused."""
    keys = (answer_key(question, model, _settings(max_tokens)) for question in questions)
    return [answer for key in keys if (answer := answers.get(key)) is not None]


def write_training_file(answers: Sequence[Answer], path: str | os.PathLike[str]) -> TrainingFile:
    """Write questions and answers as lines of a training file, which replaces one that is there.

    Answers that were cut off, are empty or call tools are left out. Look at the terms of the
    service before you train a model on what its models say.

    Args:
        answers: See `KeptAnswers`; of one model, unless another is to learn from several.
        path: Where to.

    Raises:
        OSError: It cannot be written.
    """
    counts = {"cut_off": 0, "empty": 0}

    def lines() -> Iterator[dict[str, Any]]:
        for answer in answers:
            if answer.finish_reason in _CUT_OFF:
                counts["cut_off"] += 1
            elif not answer.text.strip() or answer.message.get("tool_calls"):
                counts["empty"] += 1
            else:
                reply = {"role": "assistant", "content": answer.text}
                yield {"messages": [*answer.messages, reply]}

    written = write_jsonl(path, lines(), overwrite=True)
    return TrainingFile(path=Path(path), examples=written, **counts)
