"""The messages of one example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.training_data.problems import kind, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.training_data.checking.content import ContentCheck
    from finetune_client.training_data.checking.tools import CallCheck
    from finetune_client.training_data.formats import Format
    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["MessageCheck"]

_ASSISTANT_KEYS = (
    "role",
    "content",
    "name",
    "refusal",
    "audio",
    "tool_calls",
    "function_call",
    "weight",
)
_KEYS: Mapping[str, tuple[str, ...]] = {
    "system": ("role", "content", "name"),
    "developer": ("role", "content", "name"),
    "user": ("role", "content", "name"),
    "assistant": _ASSISTANT_KEYS,
    "tool": ("role", "content", "tool_call_id", "name"),
    "function": ("role", "content", "name"),
}
"""The keys of a message by its role; `weight` is judged apart."""
_ALL_KEYS = tuple(dict.fromkeys(key for keys in _KEYS.values() for key in keys))

_TEXT_ROLES = ("user", "assistant", "system", "developer")
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")


class MessageCheck:
    """Checks messages one by one, then what they make together."""

    def __init__(
        self,
        report_problem: ProblemCollector,
        format: Format,
        contents: ContentCheck,
        calls: CallCheck,
    ) -> None:
        self._report_problem = report_problem
        self._format = format
        self._contents = contents
        self._calls = calls

    def messages(self, messages: object, path: str) -> list[str | None]:
        """Check a list of messages and return their roles, None for what has no known one."""
        if not isinstance(messages, list):
            self._report_problem("invalid_messages", path, found=kind(messages))
            return []
        if not messages:
            self._report_problem("empty_messages", path)
        roles = [self.message(each, f"{path}[{index}]") for index, each in enumerate(messages)]
        if self._calls.has_calls or None in roles:
            self._calls.answers.messages(messages, roles, path)
        for index in range(1, len(roles)):
            role = roles[index]
            if role != roles[index - 1] or role in {None, "tool"}:
                continue
            if not any(map(_has_image, messages[index - 1 : index + 1])):
                self._report_problem("repeated_role", f"{path}[{index}].role", role=role)
        return roles

    def message(self, message: object, path: str) -> str | None:
        """Check one message and return its role, if it has a known one."""
        if not isinstance(message, dict):
            self._report_problem("invalid_message", path, found=kind(message))
            return None
        role = self._role(message, path)
        content = message.get("content")
        if len(message) == 2 and role in _TEXT_ROLES and type(content) is str and content.strip():
            return role  # nothing else to check, and most messages are like this
        known = _KEYS.get(role or "", _ALL_KEYS)
        self._report_problem.unknown_keys([key for key in message if key != "weight"], known, path)
        self._values(message, role, path)
        self._content(message, role or "user", path)
        if role == "assistant":
            self._assistant(message, path)
        elif role == "tool":
            self._calls.tool_message(message, path)
        elif role == "function":
            self._calls.function_message(message, path)
        return role

    def _role(self, message: dict[str, Any], path: str) -> str | None:
        roles = self._format.roles
        if "role" not in message:
            self._report_problem("missing_role", path, roles=", ".join(roles))
            return None
        role = message["role"]
        if isinstance(role, str) and role in roles:
            return role
        self._report_problem(
            "unknown_role",
            f"{path}.role",
            found=quoted(role),
            format=self._format.example,
            roles=", ".join(roles),
        )
        return None

    def _values(self, message: dict[str, Any], role: str | None, path: str) -> None:
        for key, types, expected in (
            ("name", (str,), "text"),
            ("refusal", (str, type(None)), "text or null"),
            ("audio", (dict, type(None)), "an object or null"),
        ):
            if key in message and not isinstance(message[key], types):
                if key == "name" and role == "function":
                    continue
                facts = {"found": kind(message[key]), "expected": expected}
                self._report_problem("invalid_value", f"{path}.{key}", **facts)
        if "weight" in message:
            self._weight(message["weight"], role, f"{path}.weight")

    def _weight(self, weight: object, role: str | None, path: str) -> None:
        if role not in {"assistant", None}:
            self._report_problem("misplaced_weight", path, place=f"on a message of the {role}")
        elif (
            isinstance(weight, bool) or not isinstance(weight, (int, float)) or weight not in {0, 1}
        ):
            self._report_problem("invalid_weight", path, found=quoted(weight))

    def _content(self, message: dict[str, Any], role: str, path: str) -> None:
        instead = role == "assistant" and any(message.get(key) for key in _INSTEAD_OF_CONTENT)
        content = message.get("content")
        refuses_null_text = self._contents.rules.refuses_null_text
        if refuses_null_text and content == "null" and message.get("tool_calls"):
            self._report_problem("null_text_with_calls", f"{path}.content")
        if instead and not content and isinstance(content, (str, type(None))):
            return
        if content is not None:
            self._contents.check(content, role, f"{path}.content")
        elif not (role == "function" and "content" in message) and message.get("tool_calls") != []:
            self._report_problem("missing_content", path)

    def _assistant(self, message: dict[str, Any], path: str) -> None:
        if message.get("tool_calls") is not None:
            self._calls.tool_calls(message["tool_calls"], f"{path}.tool_calls")
        if message.get("function_call") is not None:
            self._calls.function_call(message["function_call"], f"{path}.function_call")


def _has_image(message: dict[str, Any]) -> bool:
    """Return whether a message shows an image, which the guide puts into one of its own."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)
