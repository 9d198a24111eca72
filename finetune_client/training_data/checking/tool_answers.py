"""The messages of tools, and whether each call of a tool is answered in its place."""

from __future__ import annotations

import copy
from collections import Counter
from typing import TYPE_CHECKING, Any

from finetune_client.training_data.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["AnswerCheck"]


_NONE: Counter[str] = Counter()


class AnswerCheck:
    """Checks that the calls of a message are answered by the messages of tools right after it.

    The calls of the last message need no answers: they are what the example teaches.
    """

    def __init__(self, report_problem: ProblemCollector) -> None:
        self._report_problem = report_problem
        self._readable = True
        self._ids: set[str] = set()
        """The ids of all calls so far."""
        self._missing: dict[str, str] = {}
        """Path of a call that was not answered in its place -> its id."""
        self._late: dict[str, str] = {}
        """Id of such a call -> path of the message that answers it later; empty if none does."""
        self._reported: set[str] = set()
        self._begin([], "")

    def messages(self, messages: list[Any], roles: Sequence[str | None], path: str) -> None:
        """Check the next messages; the last of them is not taken for the end.

        Args:
            messages: The messages.
            roles: Their roles. Where one has no known role, nobody can say what answers what.
            path: The path of the list that they are in.
        """
        if None in roles:
            self._readable = False
        if not self._readable:
            return
        for index, message in enumerate(messages):
            if roles[index] == "tool":
                self._followed = True
                self._answer(message.get("tool_call_id"), f"{path}[{index}].tool_call_id")
                continue
            calls = message.get("tool_calls") if roles[index] == "assistant" else None
            if not isinstance(calls, list):
                calls = []
            # Most messages neither call nor answer, and there is nothing to begin or to close.
            if calls or self._calls or self._followed:
                self._close()
                self._begin(calls, f"{path}[{index}].tool_calls")

    def branch(self) -> AnswerCheck:
        """Return a check that continues from here; no problem is reported by more than one."""
        other: AnswerCheck = copy.copy(self)
        other._answered = self._answered.copy()
        other._missing = self._missing.copy()
        other._late = self._late.copy()
        return other

    def end(self) -> None:
        """Report the calls without an answer in their place, now that no message follows."""
        if not self._readable:
            return
        if self._followed:
            self._close()
        for path, call_id in self._missing.items():
            if path not in self._reported:
                self._reported.add(path)
                late = f" ({self._late[call_id]} comes too late)" if self._late[call_id] else ""
                facts = {"id": quoted(call_id), "late": late}
                self._report_problem("unanswered_tool_call", path, **facts)

    def _begin(self, calls: list[Any], path: str) -> None:
        """Begin with the calls of a message, which the messages after it are to answer."""
        ids = [call.get("id") if isinstance(call, dict) else None for call in calls]
        self._calls = {
            f"{path}[{index}]": call_id
            for index, call_id in enumerate(ids)
            if isinstance(call_id, str)
        }
        # A call without an id is a problem of its own, and hides what the answers are for.
        self._clear = len(self._calls) == len(calls)
        # Most examples call nothing; to make counters for each takes as long as its other checks.
        self._asked = Counter(self._calls.values()) if calls else _NONE
        self._answered: Counter[str] = Counter() if calls else _NONE
        self._strays = 0
        self._followed = False
        self._ids.update(self._asked)
        for call_id, number in self._asked.items():
            if number > 1:
                facts = {"found": quoted(call_id), "number": number}
                self._report_problem("duplicate_call_id", path, **facts)

    def _answer(self, call_id: object, path: str) -> None:
        if not isinstance(call_id, str):
            self._strays += 1
        elif self._answered[call_id] < self._asked[call_id]:
            self._answered[call_id] += 1
        elif self._asked[call_id]:
            self._report_problem("repeated_tool_answer", path, found=quoted(call_id))
        elif call_id in self._late:
            self._late[call_id] = self._late[call_id] or path.rpartition(".")[0]
        elif self._clear:
            self._strays += 1
            known = call_id in self._ids
            reason = "that call is answered elsewhere" if known else "no call before it has this id"
            self._report_problem("orphan_tool_message", path, found=quoted(call_id), reason=reason)

    def _close(self) -> None:
        """Note the calls that have no answer, now that another message follows."""
        if not self._clear:
            return
        missing: list[tuple[str, str]] = []
        for path, call_id in self._calls.items():
            if self._answered[call_id]:
                self._answered[call_id] -= 1
            else:
                missing.append((path, call_id))
        # An answer with a wrong id is a problem of its own, and likely meant for one of them.
        for path, call_id in missing[self._strays :]:
            self._missing[path] = call_id
            self._late.setdefault(call_id, "")
