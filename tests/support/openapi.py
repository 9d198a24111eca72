"""OpenAI's OpenAPI document as a judge of requests and a source of answers."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from openapi_schema_validator import OAS31Validator

__all__ = ["answer", "check_body", "check_request", "operations"]

PAYLOADS = Path(__file__).parents[1] / "payloads"


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / name).read_text(encoding="utf-8"))
    return loaded


@cache
def operations() -> dict[str, dict[str, Any]]:
    """Return the operations by id: method, path, query, body and answer."""
    return cast("dict[str, dict[str, Any]]", _load("operations.json")["operations"])


@cache
def _schemas() -> dict[str, Any]:
    schemas = {**_load("schemas.json"), **_load("operations.json")["components"]["schemas"]}
    graders = schemas["GraderMulti"]["properties"]["graders"]
    # The document says one grader; the service wants, and its guide shows, a map of them.
    schemas["GraderMulti"]["properties"]["graders"] = {
        "type": "object",
        "additionalProperties": graders,
    }
    return schemas


def check_body(schema: dict[str, Any], body: object) -> None:
    """Hold a value against a schema."""
    OAS31Validator({**schema, "components": {"schemas": _schemas()}}).validate(body)


def check_request(operation_id: str, method: str, url: str, body: object) -> None:
    """Hold a request against its operation: method, path, query and body."""
    operation = operations()[operation_id]
    parts = urlsplit(url)
    template = re.sub(r"\{\w+\}", "([^/]+)", operation["path"])
    assert method == operation["method"]
    assert re.fullmatch("/v1" + template, parts.path), unquote(parts.path)
    query = _query(parse_qsl(parts.query, keep_blank_values=True), operation["query"])
    assert query.keys() <= operation["query"].keys()
    for name, value in query.items():
        check_body(operation["query"][name], value)
    assert (body is None) == (operation["body"] is None)
    if body is not None:
        check_body({"$ref": f"#/components/schemas/{operation['body']}"}, body)


def _query(pairs: list[tuple[str, str]], schemas: dict[str, Any]) -> dict[str, Any]:
    """Read a query as its parameters' schemas say: deep objects, null, whole numbers."""
    query: dict[str, Any] = {}
    for name, value in pairs:
        head, _, rest = name.partition("[")
        if rest:
            query.setdefault(head, {})[rest.removesuffix("]")] = value
        elif schemas.get(head, {}).get("type") == "integer":
            query[head] = int(value)
        else:
            query[head] = None if value == "null" else value
    return query


def answer(operation_id: str, seed: int) -> Any:
    """Make an answer of an operation: another one for each seed, the same for the same."""
    schema = {"$ref": f"#/components/schemas/{operations()[operation_id]['answer']}"}
    return _value(schema, Random(seed))


def _value(schema: dict[str, Any], dice: Random) -> Any:
    if "$ref" in schema:
        return _value(_schemas()[schema["$ref"].rpartition("/")[2]], dice)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return _value(dice.choice(schema[key]), dice)
    if "enum" in schema:
        return dice.choice(schema["enum"])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        return _value({**schema, "type": dice.choice(kind)}, dice)
    if kind == "object":
        return _object(schema, dice)
    if kind == "array":
        rows = range(dice.randint(schema.get("minItems", 0), min(schema.get("maxItems", 3), 3)))
        return [_value(schema.get("items", {}), dice) for _ in rows]
    return dice.choice([value for value in _PLAIN[kind] if _fits(value, schema)])


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    return (
        value is None
        or isinstance(value, str)
        or (
            schema.get("minimum", value) <= value <= schema.get("maximum", value)
            and value > schema.get("exclusiveMinimum", -1)
        )
    )


_PLAIN: dict[str, tuple[Any, ...]] = {
    "string": ("", "x", "step 1", "\u00e9\u4e16", "\U0001f680", "a" * 300, "null", "0"),
    "integer": (1, 2, 7, 256, 2**31),
    "number": (1, 0.5, 1e-4, 2**31),
    "boolean": (True, False),
    "null": (None,),
}


def _object(schema: dict[str, Any], dice: Random) -> dict[str, Any]:
    properties, required = schema.get("properties", {}), schema.get("required", ())
    chosen = {
        name: one for name, one in properties.items() if name in required or dice.random() < 0.5
    }
    made = {name: _value(one, dice) for name, one in chosen.items()}
    if made.get("id") == "":  # the document allows it, but it names nothing
        made["id"] = "x"
    more = schema.get("additionalProperties")
    if isinstance(more, dict) and not properties:
        made.update({text: _value(more, dice) for text in ("a", "\u00e9")[: dice.randint(0, 2)]})
    return made
