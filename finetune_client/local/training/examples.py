"""From the lines of a training file to what a trainer learns from."""

from __future__ import annotations

import json
import weakref
from typing import TYPE_CHECKING, Any

from finetune_client.local.training.trainer import Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["ExampleFiles", "example", "read_examples"]


class _Examples(list[Example]):
    """A list that can be let go of: a plain one has no weak references."""


class ExampleFiles:
    """Files of examples, held in memory once for all jobs that use them, and only as long."""

    def __init__(self) -> None:
        self._held: weakref.WeakValueDictionary[tuple[Path, str], _Examples] = (
            weakref.WeakValueDictionary()
        )

    def read(self, path: Path, method: str) -> list[Example]:
        """Give the examples of a file that never changes; called by one thread at a time."""
        examples = self._held.get((path, method))
        if examples is None:
            examples = self._held[path, method] = _Examples(read_examples(path, method))
        return examples


def read_examples(path: Path, method: str) -> list[Example]:
    """Read a file that was checked; blank lines are skipped."""
    with path.open(encoding="utf-8-sig", newline="\n") as lines:
        return [example(json.loads(line), method) for line in lines if line.strip()]


def example(line: Mapping[str, Any], method: str) -> Example:
    """Prepare one line for the method."""
    if method == "dpo":
        preferred = line.get("preferred_output", line.get("preferred_completion"))
        rejected = line.get("non_preferred_output", line.get("non_preferred_completion"))
        return Example(
            texts=tuple(_said(preferred or ())), rejected=tuple(_said(rejected or ())), line=line
        )
    if method == "reinforcement":
        return Example(line=line)
    if "completion" in line:
        return Example(texts=(str(line["completion"]),), line=line)
    return Example(texts=tuple(_said(line.get("messages") or ())), line=line)


def _said(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        if message.get("role") == "assistant" and message.get("weight") != 0:
            yield _text(message)


def _text(message: Mapping[str, Any]) -> str:
    """Give all that an assistant message says: its text, its refusal, its calls as JSON."""
    content = message.get("content") or message.get("refusal") or ""
    if not isinstance(content, str):
        content = "".join(str(part.get("text") or part.get("refusal") or "") for part in content)
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    if message.get("function_call"):
        calls.append(message["function_call"])
    return str(content) + "".join(json.dumps(call, ensure_ascii=False) for call in calls)
