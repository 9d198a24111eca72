"""Reading the lines of a training file as examples that the bigram learns from."""

from __future__ import annotations

import json
import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Example", "ExampleFiles", "read_examples", "text_of", "to_example"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One line of a training file, ready to be learned from.

    Attributes:
        texts: The assistant's texts, which are learned; for ``dpo`` the preferred output.
        rejected: For ``dpo`` the output that is not preferred.
        line: The whole line; graders see it as ``item``.
    """

    texts: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    line: Mapping[str, Any] = field(default_factory=dict)


class _Examples(list[Example]):
    """A list that weak references can point to, as they cannot to a plain one."""


class ExampleFiles:
    """The examples of files, each in memory once for all jobs that use it, and no longer.

    A file is known by what it is on the disk, not by its path: each job has a path of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: weakref.WeakValueDictionary[tuple[object, ...], _Examples] = (
            weakref.WeakValueDictionary()
        )

    def read(self, path: Path, method: str) -> list[Example]:
        """Return the examples of a file that never changes."""
        status = path.stat()
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, method)
        with self._lock:
            examples = self._loaded.get(key)
            if examples is None:
                examples = self._loaded[key] = _Examples(read_examples(path, method))
            return examples


def read_examples(path: Path, method: str) -> list[Example]:
    """Read a file that has been checked; blank lines are skipped."""
    with path.open(encoding="utf-8-sig", newline="\n") as lines:
        return [to_example(json.loads(line), method) for line in lines if line.strip()]


def to_example(line: Mapping[str, Any], method: str) -> Example:
    """Return the example of a line for a method."""
    if method == "dpo":
        preferred = line.get("preferred_output", line.get("preferred_completion"))
        rejected = line.get("non_preferred_output", line.get("non_preferred_completion"))
        return Example(
            texts=tuple(_assistant_texts(preferred or ())),
            rejected=tuple(_assistant_texts(rejected or ())),
            line=line,
        )
    if method == "reinforcement":
        return Example(line=line)
    if "completion" in line:
        return Example(texts=(str(line["completion"]),), line=line)
    return Example(texts=tuple(_assistant_texts(line.get("messages") or ())), line=line)


def _assistant_texts(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        if message.get("role") == "assistant" and message.get("weight") != 0:
            yield text_of(message)


def text_of(message: Mapping[str, Any]) -> str:
    """Return the whole text of a message: content, refusal, and calls as JSON."""
    content = message.get("content") or message.get("refusal") or ""
    if not isinstance(content, str):
        content = "".join(str(part.get("text") or part.get("refusal") or "") for part in content)
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    if message.get("function_call"):
        calls.append(message["function_call"])
    return str(content) + "".join(json.dumps(call, ensure_ascii=False) for call in calls)
