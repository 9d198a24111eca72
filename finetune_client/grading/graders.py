"""Every type of grader: how it is checked, and how it is run if it needs no model.

A new type is one class here and its entry in `_TYPES`. Graders are plain dicts, as in requests:
https://developers.openai.com/api/reference
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from finetune_client.grading.formulas import FormulaError, calculate, names_in
from finetune_client.grading.python_graders import PythonGraderError
from finetune_client.grading.similarity import METRICS, similarity
from finetune_client.grading.templates import UnknownVariableError, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from finetune_client.grading.python_graders import PythonGraders

__all__ = [
    "GRADER_TYPES",
    "Grade",
    "GraderError",
    "check_grader",
    "check_runnable",
    "load_grader",
    "run_grader",
]

_LARGEST_SOURCE = 256_000
_LONGEST_COMPARED = 10_000
_SERVICE_METRICS = (
    *("cosine", "fuzzy_match", "bleu", "gleu", "meteor", "rouge_l"),
    *(f"rouge_{size}" for size in range(1, 6)),
)
_OPERATIONS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda output, reference: output == reference,
    "ne": lambda output, reference: output != reference,
    "like": lambda output, reference: reference in output,
    "ilike": lambda output, reference: reference.lower() in output.lower(),
}


class GraderError(ValueError):
    """A grader that is not valid, or that cannot be run.

    Attributes:
        message: What is wrong, in a sentence.
        param: The path of the grader, or of the field of it that is wrong.
        code: ``missing_required_parameter``, ``invalid_value``, ``invalid_grader`` or
            ``unsupported_grader``.
    """

    def __init__(self, message: str, param: str, *, code: str = "invalid_grader") -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


@dataclass(slots=True)
class Grade:
    """The result of a grader.

    Attributes:
        reward: The reward.
        children: The reward of each child, by name.
        errors: The errors there were, by the API's names.
        details: More about them, by the names that the API has for that.
    """

    reward: float
    children: dict[str, float] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)
    details: dict[str, str] = field(default_factory=dict)


def check_grader(grader: object, where: str = "grader", *, nested: bool = False) -> dict[str, Any]:
    """Check that a value is a grader, and return it.

    Args:
        grader: Any JSON value.
        where: Its path, for the message.
        nested: It is a child of a multi grader: ``label_model`` is allowed, ``multi`` is not.

    Raises:
        GraderError: It is not a valid grader.
    """
    if not isinstance(grader, dict):
        got = "nothing" if grader is None else f"a {_JSON_TYPES.get(type(grader), 'number')}"
        raise GraderError(
            f"Invalid type for '{where}': expected an object, but got {got} instead.", where
        )
    _check_choice(grader, where, "type", _NESTED_TYPES if nested else GRADER_TYPES)
    if grader.get("name") is not None:
        _check_texts(grader, where, "name")
    _TYPES[grader["type"]].check(grader, where)
    return grader


def check_runnable(
    grader: Mapping[str, Any], where: str = "grader", *, allow_python: bool = False
) -> None:
    """Check that a valid grader can be run here.

    Args:
        grader: The grader.
        where: Its path, for the error.
        allow_python: Whether the code of python graders may be run.

    Raises:
        GraderError: It cannot: it would need a model, or would run code, which is not allowed.
    """
    reason = _TYPES[grader["type"]].unsupported(grader, allow_python)
    if reason is not None:
        raise GraderError(reason, where, code="unsupported_grader")


def load_grader(grader: Mapping[str, Any], where: str, python: PythonGraders | None) -> None:
    """Run the source of each python grader, without a sample to grade.

    Args:
        grader: The grader.
        where: Its path, for the error.
        python: Runs the sources; `None` if that is not allowed.

    Raises:
        GraderError: One cannot be run, may not be, or defines no ``grade``.
    """
    _TYPES[grader["type"]].load(grader, where, python)


def run_grader(
    grader: Mapping[str, Any],
    sample: str,
    item: Mapping[str, Any],
    python: PythonGraders | None = None,
) -> Grade:
    """Run a grader that `check_runnable` accepts. An error gives a reward of 0.

    Args:
        grader: The grader.
        sample: What the model answered.
        item: The row of the training file.
        python: Runs the code of python graders; needed if they were allowed.
    """
    return _TYPES[grader["type"]].run(grader, sample, item, python)


class _GraderType:
    """A type of grader; unless a subclass says otherwise, it cannot be run here."""

    name: ClassVar[str]
    top_level: ClassVar[bool] = True
    nested: ClassVar[bool] = True

    def check(self, grader: Mapping[str, Any], where: str) -> None:
        """Check the fields that the type needs."""
        raise NotImplementedError

    def unsupported(self, grader: Mapping[str, Any], _allow_python: bool) -> str | None:
        """Return why the grader cannot be run here; `None` if it can."""
        return (
            f"A grader of type '{grader['type']}' is not run by the local server: it would need a "
            "model. Use string_check, text_similarity or a multi grader of them."
        )

    def load(self, grader: Mapping[str, Any], where: str, python: PythonGraders | None) -> None:
        """Run the code that the grader has, if it has any."""

    def run(
        self,
        grader: Mapping[str, Any],
        sample: str,
        item: Mapping[str, Any],
        python: PythonGraders | None,
    ) -> Grade:
        """Return the grade of a sample."""
        raise NotImplementedError


class _TextType(_GraderType):
    """A type that compares a text with a reference; both are templates."""

    def check(self, grader: Mapping[str, Any], where: str) -> None:
        _check_texts(grader, where, "name")
        for name in ("input", "reference"):
            if not isinstance(grader.get(name), str):
                raise GraderError(f"'{where}.{name}' must be a string.", f"{where}.{name}")

    def run(
        self,
        grader: Mapping[str, Any],
        sample: str,
        item: Mapping[str, Any],
        _python: PythonGraders | None,
    ) -> Grade:
        try:
            output, reference = (
                fill(grader[name], sample, item) for name in ("input", "reference")
            )
        except UnknownVariableError:
            return Grade(0.0, errors={"invalid_variable_error"})
        except (ValueError, RecursionError):
            return Grade(0.0, errors={"sample_parse_error"})
        return self.compare(grader, output, reference)

    def compare(self, grader: Mapping[str, Any], output: str, reference: str) -> Grade:
        """Return the grade of a text against its reference."""
        raise NotImplementedError


class _StringCheck(_TextType):
    name = "string_check"

    def check(self, grader: Mapping[str, Any], where: str) -> None:
        super().check(grader, where)
        _check_choice(grader, where, "operation", tuple(_OPERATIONS))

    def unsupported(self, _grader: Mapping[str, Any], _allow_python: bool) -> None:
        return None

    def compare(self, grader: Mapping[str, Any], output: str, reference: str) -> Grade:
        return Grade(float(_OPERATIONS[grader["operation"]](output, reference)))


class _TextSimilarity(_TextType):
    name = "text_similarity"

    def check(self, grader: Mapping[str, Any], where: str) -> None:
        super().check(grader, where)
        _check_choice(grader, where, "evaluation_metric", _SERVICE_METRICS)

    def unsupported(self, grader: Mapping[str, Any], _allow_python: bool) -> str | None:
        metric = grader["evaluation_metric"]
        if metric in METRICS:
            return None
        return f"The metric '{metric}' is not available on the local server."

    def compare(self, grader: Mapping[str, Any], output: str, reference: str) -> Grade:
        # Only the beginnings: the time that a comparison takes grows with the square.
        cut = max(len(output), len(reference)) > _LONGEST_COMPARED
        reward = similarity(
            grader["evaluation_metric"], output[:_LONGEST_COMPARED], reference[:_LONGEST_COMPARED]
        )
        return Grade(reward, errors={"truncated_observation_error"} if cut else set())


class _Python(_GraderType):
    name = "python"

    def check(self, grader: Mapping[str, Any], where: str) -> None:
        _check_texts(grader, where, "source")
        if len(grader["source"].encode("utf-8", "surrogatepass")) > _LARGEST_SOURCE:
            path = f"{where}.source"
            raise GraderError(f"'{path}' is larger than {_LARGEST_SOURCE} bytes.", path)

    def unsupported(self, _grader: Mapping[str, Any], allow_python: bool) -> str | None:
        if allow_python:
            return None
        return (
            "A grader of type 'python' is not run by this server: its code would have the rights of "
            "whoever runs the server. To allow it, start the server with allow_python_graders=True, "
            "on the command line with --allow-python-graders (of finetune serve, if it is that which "
            "answers). Otherwise use string_check, "
            "text_similarity or a multi grader of them."
        )

    def load(self, grader: Mapping[str, Any], where: str, python: PythonGraders | None) -> None:
        if python is None:
            check_runnable(grader, where)
            return
        try:
            python.load(grader["source"])
        except PythonGraderError as error:
            path = f"{where}.source"
            raise GraderError(f"'{path}' cannot be run: {error}", path) from None

    def run(
        self,
        grader: Mapping[str, Any],
        sample: str,
        item: Mapping[str, Any],
        python: PythonGraders | None,
    ) -> Grade:
        if python is None:
            raise ValueError("A python grader needs what runs it.")
        try:
            return Grade(python.grade(grader["source"], sample, item))
        except PythonGraderError as error:
            if error.server_error_type is None:
                details = {"python_grader_runtime_error_details": str(error)}
                return Grade(0.0, errors={"python_grader_runtime_error"}, details=details)
            details = {"python_grader_server_error_type": error.server_error_type}
            return Grade(0.0, errors={"python_grader_server_error"}, details=details)


class _ScoreModel(_GraderType):
    name = "score_model"

    def check(self, grader: Mapping[str, Any], where: str) -> None:
        _check_texts(grader, where, "name", "model")
        messages = grader.get("input")
        if not isinstance(messages, list) or not all(_is_message(one) for one in messages):
            raise GraderError(
                f"'{where}.input' must be a list of messages, each with a role and a content.",
                f"{where}.input",
            )


class _LabelModel(_ScoreModel):
    name = "label_model"
    top_level = False

    def check(self, grader: Mapping[str, Any], where: str) -> None:
        super().check(grader, where)
        labels, passing = grader.get("labels"), grader.get("passing_labels")
        if not isinstance(labels, list) or not isinstance(passing, list):
            raise GraderError(f"'{where}' needs the lists 'labels' and 'passing_labels'.", where)
        if not all(label in labels for label in passing):
            path = f"{where}.passing_labels"
            raise GraderError(f"'{path}' must be among 'labels'.", path)


class _Multi(_GraderType):
    """A formula over the rewards of other graders."""

    name = "multi"
    nested = False

    def check(self, grader: Mapping[str, Any], where: str) -> None:
        children = _children(grader)
        if not children:
            path = f"{where}.graders"
            message = f"Invalid type for '{path}': expected an object of named graders."
            raise GraderError(message, path)
        for name, child in children.items():
            check_grader(child, f"{where}.graders.{name}", nested=True)
        _check_texts(grader, where, "calculate_output")
        path = f"{where}.calculate_output"
        try:
            unknown = names_in(grader["calculate_output"]) - set(children)
        except FormulaError as error:
            raise GraderError(str(error), path) from None
        if unknown:
            raise GraderError(
                f"'{path}' names {', '.join(sorted(unknown))}, "
                "which is neither one of its graders nor a function.",
                path,
            )

    def unsupported(self, grader: Mapping[str, Any], allow_python: bool) -> str | None:
        children = _children(grader).values()
        reasons = (_TYPES[child["type"]].unsupported(child, allow_python) for child in children)
        return next((reason for reason in reasons if reason is not None), None)

    def load(self, grader: Mapping[str, Any], where: str, python: PythonGraders | None) -> None:
        for name, child in _children(grader).items():
            load_grader(child, f"{where}.graders.{name}", python)

    def run(
        self,
        grader: Mapping[str, Any],
        sample: str,
        item: Mapping[str, Any],
        python: PythonGraders | None,
    ) -> Grade:
        grades = {
            name: run_grader(child, sample, item, python)
            for name, child in _children(grader).items()
        }
        rewards = {name: grade.reward for name, grade in grades.items()}
        errors = {error for grade in grades.values() for error in grade.errors}
        details: dict[str, str] = {}
        for name, grade in grades.items():
            for key, detail in grade.details.items():
                before = f"{details[key]}; " if key in details else ""
                details[key] = f"{before}{name}: {detail}"
        try:
            reward = calculate(grader["calculate_output"], rewards)
        except FormulaError:
            return Grade(0.0, rewards, errors | {"formula_parse_error"}, details)
        return Grade(reward, rewards, errors, details)


def _children(grader: Mapping[str, Any]) -> dict[str, Any]:
    """Return a multi grader's children by name; a list and a single grader are taken too."""
    given = grader.get("graders")
    if isinstance(given, dict) and isinstance(given.get("type"), str):
        given = [given]
    if isinstance(given, list):
        given = {_name_of(child, position): child for position, child in enumerate(given)}
    return given if isinstance(given, dict) else {}


def _name_of(child: object, position: int) -> str:
    name = child.get("name") if isinstance(child, dict) else None
    return name if isinstance(name, str) else f"grader_{position}"


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and "content" in value


def _check_texts(grader: Mapping[str, Any], where: str, *names: str) -> None:
    for name in names:
        value = _required(grader, where, name)
        if not isinstance(value, str) or not value:
            raise _invalid(f"{where}.{name}", "a string that is not empty", value)


def _check_choice(grader: Mapping[str, Any], where: str, name: str, options: Sequence[str]) -> None:
    value = _required(grader, where, name)
    if value not in options:
        raise _invalid(f"{where}.{name}", f"one of {', '.join(options)}", value)


def _required(grader: Mapping[str, Any], where: str, name: str) -> Any:
    if grader.get(name) is None:
        path = f"{where}.{name}"
        message = f"Missing required parameter: '{path}'."
        raise GraderError(message, path, code="missing_required_parameter")
    return grader[name]


def _invalid(path: str, expected: str, value: object) -> GraderError:
    message = f"Invalid value for '{path}': expected {expected}, but got {json.dumps(value)[:80]}."
    return GraderError(message, path, code="invalid_value")


_JSON_TYPES: dict[type, str] = {str: "string", list: "list", bool: "boolean"}
_TYPES: dict[str, _GraderType] = {
    one.name: one
    for one in (
        _StringCheck(),
        _TextSimilarity(),
        _Python(),
        _ScoreModel(),
        _LabelModel(),
        _Multi(),
    )
}
GRADER_TYPES = tuple(name for name, one in _TYPES.items() if one.top_level)
"""The types that a request may hold; a multi grader may hold others."""
_NESTED_TYPES = tuple(name for name, one in _TYPES.items() if one.nested)
