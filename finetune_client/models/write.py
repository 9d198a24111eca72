"""Writers: from fields to the JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune_client.models.auto import Auto
from finetune_client.models.base import APIObject

__all__ = ["DEEPEST", "copy_of", "plain", "written"]

ATOMS = frozenset({str, int, float, bool})
DEEPEST = 64
"""Nothing in the API is half as deep; what lies deeper is handed on as it is, and not checked."""


def plain(value: Any, depth: int = DEEPEST) -> Any:
    """Give the JSON form of a model, or of dicts and lists that hold models at any place."""
    if value is None or type(value) in ATOMS:
        return value
    if isinstance(value, APIObject):
        return value.to_dict()
    if isinstance(value, Auto):
        return "auto"
    if not depth:
        return value
    if isinstance(value, (list, tuple)):
        return [plain(one, depth - 1) for one in value]
    if isinstance(value, Mapping):
        return {key: plain(one, depth - 1) for key, one in value.items()}
    return value


def copy_of(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Copy an object whose values may be anything, so that changing one leaves the other."""
    return value if value is None else dict(value)


def written(fields: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the fields that are `None`, and add the keys that no field has."""
    out = {key: value for key, value in fields.items() if value is not None}
    if extra:
        for key, value in extra.items():
            out.setdefault(key, value)
    return out
