"""Answers of models, and the file that keeps them, so that none is paid for twice."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from finetune_client.evaluation.questions import Question
    from finetune_client.models import ChatCompletion

__all__ = ["Answer", "AnswerFile"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a model answered to a question.

    Attributes:
        key: What was asked, of which model and with which settings, as a digest.
        model: The model.
        number: The question's number.
        messages: The question.
        text: The answer; empty if the model called tools alone.
        message: The answer as the API sent it.
        finish_reason: Why it ended, such as ``length``: it was cut off.
        usage: The tokens it took, as the API sent them.
        settings: What it was asked with, such as ``max_tokens``; None in files that do not say.
    """

    key: str
    model: str
    number: int
    messages: Sequence[Mapping[str, Any]]
    text: str
    message: Mapping[str, Any]
    finish_reason: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls, completion: ChatCompletion, question: Question, model: str, settings: Mapping[str, Any]
    ) -> Answer:
        """Return the first answer of a completion."""
        choice = completion.choices[0] if completion.choices else None
        message = choice.message.to_dict() if choice and choice.message else {}
        content = message.get("content")
        return cls(
            key=answer_key(question, model, settings),
            model=model,
            number=question.number,
            messages=question.messages,
            text=content if isinstance(content, str) else "",
            message=message,
            finish_reason=choice.finish_reason if choice else None,
            usage=completion.usage.to_dict() if completion.usage else {},
            settings=dict(settings),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the line of an answer file."""
        return {
            "key": self.key,
            "model": self.model,
            "number": self.number,
            "messages": list(self.messages),
            "answer": self.text,
            "message": dict(self.message),
            "finish_reason": self.finish_reason,
            "usage": dict(self.usage),
            "settings": None if self.settings is None else dict(self.settings),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Answer:
        """Read the line of an answer file.

        Raises:
            DecodeError: It is not one.
        """
        try:
            return cls(
                key=str(data["key"]),
                model=str(data["model"]),
                number=int(data["number"]),
                messages=list(data["messages"]),
                text=str(data["answer"]),
                message=dict(data["message"]),
                finish_reason=data.get("finish_reason"),
                usage=dict(data.get("usage") or {}),
                settings=None if data.get("settings") is None else dict(data["settings"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            wrong = f"{error} is missing" if isinstance(error, KeyError) else f"{error}"
            raise DecodeError(
                "A line of an answer file needs key, model, number, messages, answer and message; "
                f"here {wrong}."
            ) from None


def answer_key(question: Question, model: str, settings: Mapping[str, Any]) -> str:
    """Return what names an answer: the model, the question and the settings, but not its place."""
    asked = [model, question.messages, question.tools, dict(settings)]
    written = json.dumps(asked, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class AnswerFile:
    """A file of answers, which is only ever added to. Threads may share it.

    A line that a killed process left unfinished is removed. Without a path, answers are kept in
    memory alone.

    Args:
        path: The file; it is made if it is not there.

    Raises:
        DecodeError: The file holds something else than answers.
        OSError: It cannot be read or written.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = None if path is None else Path(path)
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._file = None
        if self._path is None:
            return
        # Unbuffered: each answer is one write, which two processes cannot mix up.
        self._file = self._path.open("ab+", buffering=0)
        try:
            self._load()
        except BaseException:
            self._file.close()
            raise

    def _load(self) -> None:
        assert self._file is not None  # noqa: S101  # it has just been opened
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                answer = Answer.from_dict(json.loads(line))
            except ValueError as error:
                message = f"{self._path}, line {number}, is not an answer: {error}"
                raise DecodeError(message) from None
            self._answers[answer.key] = answer

    def get(self, key: str) -> Answer | None:
        """Return the answer with this key, if it is there."""
        with self._lock:
            return self._answers.get(key)

    def all(self) -> list[Answer]:
        """Return all answers, in the order of the file."""
        with self._lock:
            return list(self._answers.values())

    def add(self, answer: Answer) -> None:
        """Add an answer; it is on the disk when this returns."""
        line = json.dumps(answer.to_dict(), ensure_ascii=False) + "\n"
        with self._lock:
            if self._file is not None:
                self._file.write(line.encode("utf-8", "surrogatepass"))
                os.fsync(self._file.fileno())
            self._answers[answer.key] = answer

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
