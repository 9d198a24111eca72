"""What a call gives to a function, and the types that the function takes."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from finetune_client.training_data.problems import json_reason, kind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["expected_types", "is_of_type", "read_arguments", "read_twice"]

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
"""A type of JSON Schema and what Python reads it as."""


def _refused(name: str) -> NoReturn:
    raise ValueError(f"it has {name}, which is not JSON")


ARGUMENTS = json.JSONDecoder(parse_int=float, parse_constant=_refused)


def read_arguments(text: object) -> dict[str, Any] | str:
    """Return the arguments, or the reason why they cannot be read."""
    if not isinstance(text, str):
        return f"it is {kind(text)}"
    try:
        arguments = ARGUMENTS.decode(text)
    except json.JSONDecodeError as wrong:
        return f"{json_reason(wrong)} at column {wrong.colno}"
    except ValueError as wrong:
        return str(wrong)
    except RecursionError:
        return "it is nested too deep"
    return arguments if isinstance(arguments, dict) else f"it holds {kind(arguments)}"


def read_twice(text: Any) -> dict[str, Any] | None:
    """Return the arguments of a text that is JSON for their JSON, if it is that."""
    with suppress(TypeError, ValueError, RecursionError):
        arguments = read_arguments(ARGUMENTS.decode(text))
        return arguments if isinstance(arguments, dict) else None
    return None


def expected_types(schema: object) -> list[str]:
    """Return the types that a parameter may have, or none where the schema does not say."""
    type_: object = schema.get("type") if isinstance(schema, dict) else None
    types: list[object] = type_ if isinstance(type_, list) else [type_]
    if len(types) > len(TYPES):
        return []
    known = [name for name in types if isinstance(name, str) and name in TYPES]
    return known if len(known) == len(types) else []


def is_of_type(value: object, type_: str) -> bool:
    if isinstance(value, bool):
        return type_ == "boolean"
    if type_ == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[type_])
