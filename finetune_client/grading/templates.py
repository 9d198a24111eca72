"""What graders see: ``{{item.answer}}`` and ``{{sample.output_text}}`` in a text, or objects."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UnknownVariableError", "fill", "sample_values"]

# Neither brace inside, so that a template of a million spaces is read once, not a million times.
_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")


class UnknownVariableError(LookupError):
    """A template names a variable that has no value."""


def fill(template: str, sample: str, item: Mapping[str, Any]) -> str:
    """Replace each ``{{...}}`` by the value that it names; what is not a string becomes JSON.

    Raises:
        UnknownVariableError: A variable has no value.
        ValueError: The template asks for ``sample.output_json``, and the sample is not JSON.
        RecursionError: That JSON is nested too deep.
    """
    variables = {"item": item, "sample": _Sample(sample)}
    return _VARIABLE.sub(lambda found: _to_text(_look_up(found[1].strip(), variables)), template)


def sample_values(sample: str) -> dict[str, Any]:
    """Return what a grader's code is given as ``sample``, of an answer that is a text alone.

    ``output_json`` is `None` if the text is not JSON.
    """
    try:
        value = json.loads(sample)
    except (ValueError, RecursionError):
        value = None
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": sample}}],
        "output_text": sample,
        "output_json": value,
        "output_tools": [],
        "output_audio": None,
    }


class _Sample:
    """The namespace ``sample``; its JSON is read only when asked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get(self, name: str) -> Any:
        if name == "output_json":
            return json.loads(self._text)
        return {"output_text": self._text}.get(name)


def _look_up(path: str, variables: Mapping[str, Any]) -> Any:
    value: Any = variables
    for name in path.split("."):
        if isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 9:
            value = dict(enumerate(value)).get(int(name))
        elif isinstance(value, dict | _Sample):
            value = value.get(name)
        else:
            value = None
        if value is None:
            raise UnknownVariableError(path)
    return value


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
