"""Keys that are null because other lines have them.

Libraries for data sets keep a table: every row gets every column, and every object every key that
any of them has.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from finetune_client.training_data.formats import FORMATS, format_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from finetune_client.training_data.formats import FormatName

__all__ = ["NullKeys", "may_have_null_keys", "without_null_keys"]

_NO_NULL_KEY = (b'"role": "assistant", "content": null', b'"role":"assistant","content":null')
"""How nearly all messages with calls begin; their null is as it should be."""

_NULLABLE = ("refusal", "audio", "function_call")
"""Keys of a message of the assistant that OpenAI's schema of a training line lets be null."""
_VALUES = ("default", "const", "enum", "examples")
"""Keywords of JSON Schema that hold values, among which null is one."""


def may_have_null_keys(raw: bytes) -> bool:
    """Return whether a line is to be gone through, which takes as long as reading its JSON."""
    return b"null" in raw and raw.count(b"null") > sum(map(raw.count, _NO_NULL_KEY))


class NullKeys:
    """Takes the keys away that are null where null says no more than no key.

    Attributes:
        found: The places of those for which OpenAI's schema of a training line does not allow
            null, such as ``messages[].name``, each once.
    """

    def __init__(self) -> None:
        self.found: dict[str, None] = {}

    def removed(self, example: dict[str, Any], format: FormatName) -> dict[str, Any]:
        """Return an example without them; in a file of `format`, which decides what is data.

        A key stays where its null is a problem of its own: it is required, or it is the content of
        a message.
        """
        if FORMATS[format].open:
            example = self._object(example, "", example.keys() - {"tools"})
            return self._conversation(example, "")
        example = self._object(example, "", _required(example))
        for key in filter(FORMATS["preference"].keys.__contains__, list(example)):
            value = example[key]
            if key != "input":
                example[key] = self._each(value, f"{key}[].", self._message)
            elif isinstance(value, dict):
                value = self._object(value, "input.", ("messages",))
                example[key] = self._conversation(value, "input.")
        return self._conversation(example, "")

    def _conversation(self, example: dict[str, Any], path: str) -> dict[str, Any]:
        for key, clean in (
            ("messages", self._message),
            ("tools", self._tool),
            ("functions", self._function),
        ):
            if key in example:
                example[key] = self._each(example[key], f"{path}{key}[].", clean)
        return example

    def _each(self, values: object, path: str, clean: Any) -> object:
        if not isinstance(values, list):
            return values
        return [clean(value, path) if isinstance(value, dict) else value for value in values]

    def _object(
        self,
        value: dict[str, Any],
        path: str,
        kept: Collection[str],
        nullable: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return an object without the keys that are null, unless they are to be `kept`."""
        rest = {}
        for key, item in value.items():
            if item is not None or key in kept:
                rest[key] = item
            elif key not in nullable:
                self.found[f"{path}{key}"] = None
        return rest

    def _message(self, message: dict[str, Any], path: str) -> dict[str, Any]:
        nullable = _NULLABLE if message.get("role") == "assistant" else ()
        message = self._object(message, path, ("role", "content"), nullable)
        if "content" in message:
            message["content"] = self._each(message["content"], f"{path}content[].", self._part)
        if "tool_calls" in message:
            message["tool_calls"] = self._each(
                message["tool_calls"], f"{path}tool_calls[].", self._call
            )
        return message

    def _part(self, part: dict[str, Any], path: str) -> dict[str, Any]:
        part = self._object(part, path, ("type",))
        if isinstance(part.get("image_url"), dict):
            part["image_url"] = self._object(part["image_url"], f"{path}image_url.", ("url",))
        return part

    def _call(self, call: dict[str, Any], path: str) -> dict[str, Any]:
        call = self._object(call, path, ("id", "type", "function"))
        if isinstance(call.get("function"), dict):
            path = f"{path}function."
            call["function"] = self._object(call["function"], path, ("name", "arguments"))
        return call

    def _tool(self, tool: dict[str, Any], path: str) -> dict[str, Any]:
        tool = self._object(tool, path, ("type", "function"))
        if isinstance(tool.get("function"), dict):
            tool["function"] = self._function(tool["function"], f"{path}function.")
        return tool

    def _function(self, function: dict[str, Any], path: str) -> dict[str, Any]:
        function = self._object(function, path, ("name",), ("strict",))
        if "parameters" in function:
            function["parameters"] = self._schema(function["parameters"], f"{path}parameters.")
        return function

    def _schema(self, schema: Any, path: str) -> Any:
        if isinstance(schema, list):
            return [self._schema(item, path) for item in schema]
        if not isinstance(schema, dict):
            return schema
        rest = self._object(schema, path, _VALUES)
        for key, item in rest.items():
            if key not in _VALUES:
                rest[key] = self._schema(item, f"{path}{key}.")
        return rest


def without_null_keys(raw: bytes, format: FormatName) -> bytes:
    """Return a line without its keys that are null; it stays as it is where it has none.

    It also stays where it would not be the same otherwise: it is not JSON, has a key twice, or
    holds a number that Python cannot keep.
    """
    if not may_have_null_keys(raw):
        return raw
    try:
        example = _EXACT.decode(raw.decode())
        nulls = NullKeys()
        rest = nulls.removed(example, format) if isinstance(example, dict) else example
        if not nulls.found:
            return raw
        separators = (", ", ": ") if b'": ' in raw else (",", ":")
        return json.dumps(rest, ensure_ascii=raw.isascii(), separators=separators).encode()
    except (ValueError, RecursionError):
        return raw


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key is there more than once")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refuse(digits)


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} cannot be written again")


_EXACT = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_refuse)


def _required(example: dict[str, Any]) -> Collection[str]:
    """Return the keys whose null is a problem of the line and not of a table."""
    found = format_of(example)
    if found == "completions":
        return ("prompt", "completion")
    return example.keys() if found is None else ()
