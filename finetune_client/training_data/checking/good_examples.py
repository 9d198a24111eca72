"""Chat examples that are plainly good, told from all others by a short look.

Most examples of most files are: messages of a role and a text, perhaps with weights, perhaps with
calls of tools that are answered. What is sure to have no problem is only counted here. Whatever
is not, `finetune_client.training_data.checking.examples` checks completely, and it alone reports
problems; so this look must be sure of what it passes, and need not know why it refuses the rest.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeGuard

from finetune_client.training_data.checking.arguments import (
    expected_types,
    is_of_type,
    read_arguments,
)
from finetune_client.training_data.checking.unwanted_text import is_null_text
from finetune_client.training_data.formats import FORMATS
from finetune_client.training_data.tokens import TOKENS_PER_EXAMPLE, TOKENS_PER_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.training_data.checking.examples import KnownTools

__all__ = ["NOT_GOOD", "TEXT_ROLES", "GoodChat", "RoleSequences", "is_good_text"]

NOT_GOOD = 1 << 60
"""Stands for the tokens of what is not plainly good; a sum with it is above any limit."""

TEXT_ROLES = frozenset(FORMATS["chat"].roles) - {"tool", "function"}
"""The roles whose messages need no more than a text."""

_MOST_SEQUENCES = 4096
"""Sequences of roles that are remembered."""


def is_good_text(text: object) -> TypeGuard[str]:
    """Return whether a content is text, and neither blank nor a mere null."""
    return type(text) is str and bool(text.strip()) and not is_null_text(text)


class RoleSequences(dict[tuple[str, ...], int]):
    """What each sequence of roles adds to the tokens of its texts, if it is a good one.

    A conversation ends with the assistant, and but for tools nobody speaks twice in a row.
    """

    def __init__(self, roles: frozenset[str]) -> None:
        super().__init__()
        self._roles = roles

    def __missing__(self, roles: tuple[str, ...]) -> int:
        good = roles[-1:] == ("assistant",) and self._roles.issuperset(roles)
        if not good or any(one == other != "tool" for one, other in pairwise(roles)):
            return NOT_GOOD
        if len(self) >= _MOST_SEQUENCES:
            self.clear()
        return self.setdefault(roles, TOKENS_PER_EXAMPLE + TOKENS_PER_MESSAGE * len(roles))


class GoodChat:
    """Counts the tokens of chat examples that are plainly good."""

    def __init__(
        self,
        count: Callable[[str], int],
        count_definitions: Callable[[str], int],
        context_length: int | None,
    ) -> None:
        """Prepare to count.

        Args:
            count: From a text to its tokens.
            count_definitions: The same for tools as JSON.
            context_length: The most tokens of an example.
        """
        self._count = count
        self._count_definitions = count_definitions
        self._most = NOT_GOOD - 1 if context_length is None else context_length
        self._sequences = RoleSequences(TEXT_ROLES | {"tool"})

    def tokens(self, example: dict[str, Any], tools: KnownTools | None) -> int:
        """Return the tokens of an example, 0 if it is not plainly good.

        Args:
            example: An example in which no key is null or doubled.
            tools: What is known of its tools, if they are known to be good.
        """
        messages = example.get("messages")
        if type(messages) is not list or len(example) != (1 if tools is None else 2):
            return 0
        count, tokens = self._count, 0
        roles: list[Any] = []
        special: _SpecialMessages | None = None
        for message in messages:
            if type(message) is not dict:
                return 0
            role, content = message.get("role"), message.get("content")
            roles.append(role)
            if special is None and len(message) == 2 and role != "tool" and is_good_text(content):
                tokens += count(content)
                continue
            if special is None:
                special = _SpecialMessages(tools, count)
            tokens += special.tokens(message, role, content)
        if special is not None and special.silent == roles.count("assistant"):
            return 0
        try:
            tokens += self._sequences[tuple(roles)]
        except TypeError:  # a role may be a list, which has no hash
            return 0
        if tools is not None:
            tokens += self._count_definitions(tools.text)
        return tokens if tokens <= self._most else 0


class _SpecialMessages:
    """Counts the messages of one example from the first one on that has more than a text.

    Attributes:
        silent: How many messages of the assistant have weight 0.
    """

    def __init__(self, tools: KnownTools | None, count: Callable[[str], int]) -> None:
        self.silent = 0
        self._defined = (tools and tools.defined) or {}
        self._count = count
        self._ids: set[str] = set()
        self._unanswered: set[str] = set()

    def tokens(self, message: dict[str, Any], role: object, content: object) -> int:
        """Return the tokens of the next message, or `NOT_GOOD`."""
        tokens, known = 0, 2
        if is_good_text(content):
            tokens = self._count(content)
        elif "tool_calls" not in message or content not in (None, ""):
            return NOT_GOOD
        elif "content" not in message:
            known = 1
        if role == "tool":
            answered = message.get("tool_call_id")
            if len(message) != 3 or type(answered) is not str or answered not in self._unanswered:
                return NOT_GOOD
            self._unanswered.remove(answered)
            return tokens
        if self._unanswered:
            return NOT_GOOD
        if "weight" in message:
            weight = message["weight"]
            if type(weight) is not int or not 0 <= weight <= 1 or role != "assistant":
                return NOT_GOOD
            known += 1
            self.silent += not weight
        if "tool_calls" in message and role == "assistant":
            known += 1
            tokens += self._calls(message["tool_calls"])
        return tokens if len(message) == known else NOT_GOOD

    def _calls(self, calls: object) -> int:
        if type(calls) is not list or not calls:
            return NOT_GOOD
        tokens = 0
        for call in calls:
            if type(call) is not dict or len(call) != 3 or call.get("type") != "function":
                return NOT_GOOD
            id_, function = call.get("id"), call.get("function")
            if type(id_) is not str or id_ in self._ids:
                return NOT_GOOD
            self._ids.add(id_)
            self._unanswered.add(id_)
            tokens += self._function(function)
        return tokens

    def _function(self, function: object) -> int:
        if type(function) is not dict or len(function) != 2:
            return NOT_GOOD
        name, arguments = function.get("name"), function.get("arguments")
        if type(name) is not str or type(arguments) is not str:
            return NOT_GOOD
        defined = self._defined.get(name)
        if defined is None:
            return NOT_GOOD
        given = read_arguments(arguments)
        if type(given) is not dict or not given.keys() >= defined.required.keys():
            return NOT_GOOD
        for parameter, value in given.items():
            expected = expected_types(defined.properties.get(parameter))
            if expected and not any(is_of_type(value, type_) for type_ in expected):
                return NOT_GOOD
        return self._count(name) + self._count(arguments)
