"""Tools, functions, and the calls of them."""

from __future__ import annotations

import itertools
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from finetune_client.training_data.checking.arguments import (
    expected_types,
    is_of_type,
    read_arguments,
    read_twice,
)
from finetune_client.training_data.checking.tool_answers import AnswerCheck
from finetune_client.training_data.problems import kind, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["CallCheck", "Definitions", "defined_functions", "defined_tools"]

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
SHOWN = 10
"""Names of tools that a message lists."""
_MOST_DEFINITIONS = 128
"""Functions or tools of one line, by the specification."""


class Parameters(NamedTuple):
    """What a call may give and what it must give.

    Attributes:
        properties: Name -> JSON Schema of a parameter.
        required: The names that must be there, each once.
    """

    properties: Mapping[str, Any]
    required: Mapping[str, None]


Definitions: TypeAlias = "Mapping[str, Parameters] | None"
"""Name -> parameters of what may be called; None where the definitions cannot be read."""


def defined_tools(tools: object, path: str, report_problem: ProblemCollector) -> Definitions:
    """Check the tools at `path` and return their names and parameters."""
    if not isinstance(tools, list):
        report_problem("invalid_tools", path, reason=f"it is {kind(tools)} and not a list of tools")
        return None
    _check_number(tools, path, report_problem)
    before = report_problem.counts["invalid_tools"]
    defined: dict[str, Parameters] = {}
    for index, tool in enumerate(tools):
        where = f"{path}[{index}]"
        function = _function_of(tool, where, report_problem)
        if function is not None:
            defined.update(
                _definition(function, f"{where}.function", "invalid_tools", report_problem)
            )
    return defined if report_problem.counts["invalid_tools"] == before else None


def _function_of(
    tool: object, path: str, report_problem: ProblemCollector
) -> dict[str, Any] | None:
    if not isinstance(tool, dict):
        report_problem("invalid_tools", path, reason=f"it is {kind(tool)}")
    elif tool.get("type") != "function":
        report_problem("invalid_tools", path, reason='its type is not "function"')
    elif not isinstance(tool.get("function"), dict):
        report_problem("invalid_tools", path, reason="it has no function")
    else:
        report_problem.unknown_keys(tool, ("type", "function"), path)
        function: dict[str, Any] = tool["function"]
        report_problem.unknown_keys(
            function, ("name", "description", "parameters", "strict"), f"{path}.function"
        )
        if not isinstance(function.get("strict"), (bool, type(None))):
            report_problem(
                "invalid_tools", f"{path}.function", reason="its strict is not true or false"
            )
        return function
    return None


def defined_functions(functions: object, report_problem: ProblemCollector) -> Definitions:
    """Check the functions of a line, which tools have replaced, in the same way."""
    if not isinstance(functions, list) or not functions:
        what = "an empty list" if isinstance(functions, list) else kind(functions)
        report_problem("invalid_functions", "functions", reason=f"it is {what}")
        return None
    _check_number(functions, "functions", report_problem)
    before = report_problem.counts["invalid_functions"]
    defined: dict[str, Parameters] = {}
    for index, function in enumerate(functions):
        path = f"functions[{index}]"
        if not isinstance(function, dict):
            report_problem("invalid_functions", path, reason=f"it is {kind(function)}")
            continue
        report_problem.unknown_keys(function, ("name", "description", "parameters"), path)
        defined.update(_definition(function, path, "invalid_functions", report_problem))
    return defined if report_problem.counts["invalid_functions"] == before else None


def _check_number(definitions: list[Any], path: str, report_problem: ProblemCollector) -> None:
    if len(definitions) > _MOST_DEFINITIONS:
        facts = {"found": len(definitions), "most": _MOST_DEFINITIONS}
        report_problem("too_many_tools", path, **facts)


def _definition(
    function: dict[str, Any], path: str, code: str, report_problem: ProblemCollector
) -> dict[str, Parameters]:
    name = function.get("name")
    if not isinstance(name, str):
        report_problem(code, path, reason="it has no name")
        return {}
    if not NAME.fullmatch(name):
        reason = f"its name {quoted(name)} is not 1 to 64 letters, digits, _ or -"
        report_problem(code, path, reason=reason)
    if not isinstance(function.get("description", ""), (str, type(None))):
        report_problem(code, path, reason="its description is not text")
    parameters = function.get("parameters", {})
    if not isinstance(parameters, dict):
        report_problem(
            code, path, reason=f"its parameters are {kind(parameters)} and not a JSON Schema"
        )
        return {}
    return {name: _parameters(parameters)}


def _parameters(schema: dict[str, Any]) -> Parameters:
    properties, required = schema.get("properties"), schema.get("required")
    names = required if isinstance(required, list) else []
    return Parameters(
        properties=properties if isinstance(properties, dict) else {},
        required=dict.fromkeys(name for name in names if isinstance(name, str)),
    )


class CallCheck:
    """Checks the calls in the messages of one example; `answers` checks what answers them.

    `has_calls` says whether there is a call of a tool, or an answer to one, so far.
    """

    def __init__(
        self, report_problem: ProblemCollector, tools: Definitions, functions: Definitions
    ) -> None:
        self._report_problem = report_problem
        self._tools = tools
        self._functions = functions
        self.has_calls = False
        self._called: set[str] = set()

    @cached_property
    def answers(self) -> AnswerCheck:
        return AnswerCheck(self._report_problem)

    def tool_calls(self, calls: object, path: str) -> None:
        """Check the ``tool_calls`` of a message."""
        self.has_calls = True
        if not isinstance(calls, list) or not calls:
            what = "an empty list" if isinstance(calls, list) else kind(calls)
            self._report_problem(
                "invalid_tool_call", path, reason=f"it is {what} and not a list of calls"
            )
            return
        for index, call in enumerate(calls):
            self._tool_call(call, f"{path}[{index}]")

    def _tool_call(self, call: object, path: str) -> None:
        reason = _wrong_call(call)
        if reason or not isinstance(call, dict):
            self._report_problem("invalid_tool_call", path, reason=reason)
            return
        self._report_problem.unknown_keys(call, ("id", "type", "function"), path)
        function = call["function"]
        path = f"{path}.function"
        self._report_problem.unknown_keys(function, ("name", "arguments"), path)
        if self._tools is not None and function["name"] not in self._tools:
            self._unknown("unknown_tool", function["name"], "tool", self._tools, path)
        self._arguments(function, self._tools, path)

    def function_call(self, call: object, path: str) -> None:
        """Check the ``function_call`` of a message, which tool calls have replaced."""
        if not isinstance(call, dict):
            self._report_problem("invalid_function_call", path, reason=f"it is {kind(call)}")
        elif not isinstance(call.get("name"), str) or "arguments" not in call:
            missing = "arguments" if isinstance(call.get("name"), str) else "name"
            self._report_problem("invalid_function_call", path, reason=f"it has no {missing}")
        else:
            self._report_problem.unknown_keys(call, ("name", "arguments"), path)
            self._called.add(call["name"])
            if self._functions is not None and call["name"] not in self._functions:
                self._unknown("unknown_function", call["name"], "function", self._functions, path)
            self._arguments(call, self._functions, path)

    def _unknown(
        self, code: str, name: str, what: str, defined: Mapping[str, Any], path: str
    ) -> None:
        names = ", ".join(map(quoted, itertools.islice(defined, SHOWN)))
        more = f" and {len(defined) - SHOWN} more" if len(defined) > SHOWN else ""
        known = f"the line defines {names}{more}" if defined else f"the line defines no {what}"
        self._report_problem(code, f"{path}.name", found=quoted(name), defined=known)

    def _arguments(self, call: dict[str, Any], defined: Definitions, path: str) -> None:
        path = f"{path}.arguments"
        arguments = read_arguments(call["arguments"])
        if isinstance(arguments, str) and (inner := read_twice(call["arguments"])) is not None:
            self._report_problem("doubly_encoded_arguments", path)
            arguments = inner
        if isinstance(arguments, str):
            self._report_problem("invalid_arguments", path, reason=arguments)
            return
        tool = call["name"]
        if defined and tool in defined:
            self._missing(tool, arguments, defined[tool].required, path)
            self._types(tool, arguments, defined[tool].properties, path)

    def _missing(
        self, tool: str, arguments: dict[str, Any], required: Mapping[str, None], path: str
    ) -> None:
        """Report what is missing; many calls may each lack many, so most are only counted."""
        number = len(required) - sum(name in required for name in arguments)
        if not number:
            return
        missing = (name for name in required if name not in arguments)
        reported = list(
            itertools.islice(missing, self._report_problem.remaining("missing_argument"))
        )
        for name in reported:
            self._report_problem("missing_argument", path, name=quoted(name), tool=quoted(tool))
        self._report_problem.count("missing_argument", number - len(reported))

    def _types(
        self, tool: str, arguments: dict[str, Any], properties: Mapping[str, Any], path: str
    ) -> None:
        for name, value in arguments.items():
            expected = expected_types(properties.get(name))
            if expected and not any(is_of_type(value, type_) for type_ in expected):
                facts = {"name": quoted(name), "tool": quoted(tool), "found": kind(value)}
                self._report_problem(
                    "wrong_argument_type", path, expected=" or ".join(expected), **facts
                )

    def tool_message(self, message: dict[str, Any], path: str) -> None:
        """Check that a message of a tool names a call; `answers` checks that it is there."""
        self.has_calls = True
        if not isinstance(message.get("tool_call_id"), str):
            self._report_problem("missing_tool_call_id", path)

    def function_message(self, message: dict[str, Any], path: str) -> None:
        """Check that a message of a function answers a call before it."""
        name = message.get("name")
        if not isinstance(name, str):
            self._report_problem("missing_function_name", path)
        elif name not in self._called:
            self._report_problem("orphan_function_message", f"{path}.name", found=quoted(name))


def _wrong_call(call: object) -> str | None:
    if not isinstance(call, dict):
        return f"it is {kind(call)}"
    if not isinstance(call.get("id"), str):
        return "it has no id"
    if call.get("type") != "function":
        return 'its type is not "function"'
    function = call.get("function")
    if not isinstance(function, dict):
        return "it has no function"
    if not isinstance(function.get("name"), str):
        return "its function has no name"
    return None if "arguments" in function else "its function has no arguments"
