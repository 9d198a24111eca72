"""What the template variables of a grader ask of the lines of a reinforcement file."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from finetune_client.training_data.problems import Found

__all__ = ["Items", "item_variables"]

VARIABLE = re.compile(r"\{\{\s*item\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")


def item_variables(grader: object) -> tuple[str, ...]:
    """Give what follows ``item.`` in the templates of a grader, each once, sorted.

    Args:
        grader: A grader of `finetune_client.models`, or its dict.
    """
    to_dict = getattr(grader, "to_dict", None)
    plain = to_dict() if callable(to_dict) else grader
    return tuple(sorted({name for text in _strings(plain) for name in VARIABLE.findall(text)}))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


class Items:
    """Counts the lines that have what each variable names."""

    def __init__(self, variables: Sequence[str]) -> None:
        self._paths = {variable: variable.split(".") for variable in variables}
        self.present: Counter[str] = Counter()
        self.examples = 0

    def add(self, example: Mapping[str, Any]) -> None:
        self.examples += 1
        for variable, path in self._paths.items():
            if _has(example, path):
                self.present[variable] += 1

    def absorb(self, later: Items) -> None:
        self.examples += later.examples
        self.present.update(later.present)

    def report(self, found: Found) -> None:
        """Report the variables that no line has, and warn of those that some lines lack."""
        for variable in self._paths if self.examples else ():
            lacking = self.examples - self.present[variable]
            facts = {"variable": f"{{{{item.{variable}}}}}", "key": variable}
            if lacking == self.examples:
                found("unknown_item_variable", **facts)
            elif lacking:
                found("incomplete_item_variable", found=lacking, examples=self.examples, **facts)


def _has(value: object, path: list[str]) -> bool:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
