"""One example of each format, checked completely."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from finetune_client.training_data.checking.content import ContentCheck
from finetune_client.training_data.checking.counts import Endings, GraderVariables
from finetune_client.training_data.checking.decoding import MOST_REMEMBERED
from finetune_client.training_data.checking.messages import MessageCheck
from finetune_client.training_data.checking.tools import CallCheck, defined_functions, defined_tools
from finetune_client.training_data.formats import FORMATS
from finetune_client.training_data.problems import kind, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finetune_client.providers.training_rules import TrainingRules
    from finetune_client.training_data.checking.tools import Definitions
    from finetune_client.training_data.formats import FormatName
    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["ExampleCheck", "KnownTools", "Measure"]

OUTPUTS = (
    ("preferred_output", "preferred_completion"),
    ("non_preferred_output", "non_preferred_completion"),
)
"""The keys of the outputs, each with its spelling until 2025."""

AS_TEXT = json.JSONEncoder(ensure_ascii=False)
INPUT_KEYS = ("messages", "tools", "parallel_tool_calls")


class Measure(NamedTuple):
    """What an example counts for in the statistics.

    Attributes:
        messages: Its messages, the outputs of a preference example included.
        texts: What a model reads or writes of it beside the messages.
        images: How many images it has.
    """

    messages: list[dict[str, Any]]
    texts: list[str]
    images: int = 0


class KnownTools(NamedTuple):
    """Tools with which nothing is wrong, as a line had them.

    Attributes:
        tools: The tools themselves; `LineDecoder` gives lines that share them the same object.
        text: They as JSON.
        defined: Their names and parameters.
    """

    tools: object
    text: str
    defined: Definitions


class ExampleCheck:
    """Checks examples of one format; `endings` and `variables` gather what the whole file shows."""

    def __init__(
        self,
        report_problem: ProblemCollector,
        format: FormatName,
        rules: TrainingRules,
        variables: Sequence[str] = (),
    ) -> None:
        self._report_problem = report_problem
        self._format = FORMATS[format]
        self._outputs = rules.outputs
        self._contents = ContentCheck(report_problem, rules, _imageless(format, rules))
        self._checks = {
            "chat": self._chat,
            "completions": self._pair,
            "preference": self._preference,
            "reinforcement": self._reinforcement,
        }
        self._known_tools: dict[int, KnownTools] = {}
        self._definitions: list[str] = []
        self.endings = Endings()
        self.variables = GraderVariables(variables)

    def check(self, example: dict[str, Any]) -> Measure:
        """Report all that is wrong with an example, and measure it."""
        if not self._format.open:
            self._keys(example)
        self._contents.images = 0
        self._definitions = []
        return self._checks[self._format.name](example)

    def _keys(self, example: dict[str, Any]) -> None:
        if "weight" in example and "messages" in self._format.keys:
            self._report_problem("misplaced_weight", "weight", place="beside the messages")
            example = {key: value for key, value in example.items() if key != "weight"}
        self._report_problem.unknown_keys(example, self._format.keys, "")

    def _chat(self, example: dict[str, Any]) -> Measure:
        calls = self._calls(example, "")
        roles = self._conversation(example, calls, "")
        if calls.has_calls:
            calls.answers.end()
        if "assistant" not in roles:
            if roles and None not in roles:
                self._report_problem("missing_assistant_message", "messages")
        elif roles[-1] not in {"assistant", None}:
            self._report_problem("last_message_not_assistant", "messages", role=roles[-1])
        if _weightless(example.get("messages")):
            self._report_problem("all_weights_zero", "messages")
        return self._measure(example)

    def _reinforcement(self, example: dict[str, Any]) -> Measure:
        calls = self._calls(example, "")
        roles = self._conversation(example, calls, "")
        if calls.has_calls:
            calls.answers.end()
        if roles and roles[-1] not in {"user", None}:
            path = f"messages[{len(roles) - 1}].role"
            self._report_problem("last_message_not_user", path, role=roles[-1])
        self.variables.add(example)
        return self._measure(example)

    def _preference(self, example: dict[str, Any]) -> Measure:
        given = example.get("input")
        calls = CallCheck(self._report_problem, {}, {})
        if "input" not in example:
            self._report_problem("missing_input")
        elif not isinstance(given, dict):
            self._report_problem("invalid_input", "input", found=kind(given))
        else:
            self._report_problem.unknown_keys(given, INPUT_KEYS, "input")
            calls = self._calls(given, "input")
            self._conversation(given, calls, "input")
        outputs = [self._output(example, keys, calls) for keys in OUTPUTS]
        if outputs[0] and outputs[0] == outputs[1]:
            self._report_problem("equal_outputs", _spelling(example, OUTPUTS[1]))
        prompt = given if isinstance(given, dict) else {}
        return self._measure(prompt, *(message for output in outputs for message in output))

    def _output(
        self, example: dict[str, Any], keys: tuple[str, str], calls: CallCheck
    ) -> list[Any]:
        if example.keys() >= set(keys):
            self._report_problem("two_spellings", keys[1], key=keys[0])
        key = _spelling(example, keys)
        output = example.get(key)
        if key not in example:
            self._report_problem("missing_output", key=key)
            return []
        if not isinstance(output, list) or not output:
            what = "an empty list" if isinstance(output, list) else kind(output)
            self._report_problem("invalid_output", key, found=what)
            return []
        if self._outputs is not None and len(output) > self._outputs:
            facts = {"found": len(output), "most": self._outputs}
            self._report_problem("too_many_output_messages", key, **facts)
        check = self._message_check(calls)
        roles = [check.message(each, f"{key}[{index}]") for index, each in enumerate(output)]
        if calls.has_calls:
            answers = calls.answers.branch()
            answers.messages(output, roles, key)
            answers.end()
        if "assistant" not in roles and None not in roles:
            self._report_problem("output_not_assistant", f"{key}[0].role", found=quoted(roles[0]))
        return output

    def _pair(self, example: dict[str, Any]) -> Measure:
        texts = [self._text(example, key) for key in ("prompt", "completion")]
        if texts[1] == "":
            self._report_problem("empty_completion", "completion")
        elif texts[1] and not texts[1][0].isspace():
            self._report_problem("completion_leading_space", "completion")
        if texts[0] is not None and texts[1]:
            self.endings.add(texts[0], texts[1])
        return Measure([], [text for text in texts if text])

    def _text(self, example: dict[str, Any], key: str) -> str | None:
        text = example.get(key)
        if isinstance(text, str):
            return text
        if key in example:
            self._report_problem(f"invalid_{key}", key, found=kind(text))
        else:
            self._report_problem(f"missing_{key}")
        return None

    def _conversation(
        self, example: dict[str, Any], calls: CallCheck, path: str
    ) -> list[str | None]:
        """Check the messages of an example, or of its input, and return their roles."""
        if "messages" not in example:
            self._report_problem("missing_messages", path)
            return []
        where = f"{path}.messages" if path else "messages"
        roles = self._message_check(calls).messages(example["messages"], where)
        self._contents.count(where)
        return roles

    def _message_check(self, calls: CallCheck) -> MessageCheck:
        return MessageCheck(self._report_problem, self._format, self._contents, calls)

    def _calls(self, example: dict[str, Any], path: str) -> CallCheck:
        """Check what an example says of calls, apart from the calls themselves."""
        prefix = f"{path}." if path else ""
        tools: Definitions = {}
        if example.get("tools") is not None:
            tools = self._defined_tools(example["tools"], f"{prefix}tools")
        if "parallel_tool_calls" in example and not self._format.open:
            value = example["parallel_tool_calls"]
            if not isinstance(value, bool):
                facts = {"found": kind(value), "expected": "true or false"}
                self._report_problem("invalid_value", f"{prefix}parallel_tool_calls", **facts)
        functions: Definitions = {}
        if "functions" in example and "functions" in self._format.keys:
            if example["functions"]:
                self._definitions.append(AS_TEXT.encode(example["functions"]))
            functions = defined_functions(example["functions"], self._report_problem)
        return CallCheck(self._report_problem, tools, functions)

    def known_tools(self, tools: object) -> KnownTools | None:
        """Return what is known of the tools of an example, if they are those of one before."""
        known = self._known_tools.get(id(tools))
        return known if known is not None and known.tools is tools else None

    def _defined_tools(self, tools: object, path: str) -> Definitions:
        """Check the tools of an example, which are often the very ones of lines before it."""
        known = self.known_tools(tools)
        if known is not None:
            self._definitions.append(known.text)
            return known.defined
        text = AS_TEXT.encode(tools)
        if tools:
            self._definitions.append(text)
        before = self._report_problem.counts.total()
        defined = defined_tools(tools, path, self._report_problem)
        if tools and self._report_problem.counts.total() == before:
            if len(self._known_tools) >= MOST_REMEMBERED:
                self._known_tools.clear()
            self._known_tools[id(tools)] = KnownTools(tools, text, defined)
        return defined

    def _measure(self, example: dict[str, Any], *outputs: Any) -> Measure:
        given = example.get("messages")
        messages = [*(given if isinstance(given, list) else []), *outputs]
        known = [message for message in messages if isinstance(message, dict)]
        return Measure(known, self._definitions, self._contents.images)


def _imageless(format: FormatName, rules: TrainingRules) -> str | None:
    """Return where no image may stand, if the format takes none."""
    if format == "preference" or (format == "reinforcement" and not rules.reinforcement_images):
        return FORMATS[format].example
    return None


def _spelling(example: dict[str, Any], keys: tuple[str, str]) -> str:
    return keys[1] if keys[1] in example and keys[0] not in example else keys[0]


def _weightless(messages: object) -> bool:
    """Return whether every message of the assistant has weight 0, and there is one."""
    if not isinstance(messages, list):
        return False
    spoken = [m for m in messages if isinstance(m, dict) and m.get("role") == "assistant"]
    weights = [message["weight"] for message in spoken if "weight" in message]
    return 0 < len(weights) == len(spoken) and all(
        weight == 0 and weight is not False for weight in weights
    )
