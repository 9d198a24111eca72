"""The tables of docs/what-happens-when.md, made from the table of faults that the tests follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["call_table", "fault_table"]

_TABLE = json.loads(
    (Path(__file__).parents[1] / "payloads" / "faults.json").read_text(encoding="utf-8")
)

_COLUMNS = {
    "idempotent": "idempotent",
    "not idempotent": "not idempotent",
    "create": "create",
    "create unmarked": "create, no key in metadata",
    "create unseen": "create, metadata lost",
}
"""A column of the table of faults -> its heading in the docs."""


def call_table() -> str:
    """Return which call is in which column, as a table in Markdown."""
    rows = [["column", "calls"], ["---", "---"]]
    for column, heading in _COLUMNS.items():
        calls = [name for name, each in _TABLE["operations"].items() if each["column"] == column]
        rows.append([heading, ", ".join(calls)])
    return _markdown(rows)


def fault_table() -> str:
    """Return how each kind of call ends with each fault, as a table in Markdown."""
    rows = [["what happens", "times", *_COLUMNS.values()], ["---"] * (len(_COLUMNS) + 2)]
    for entry in _TABLE["matrix"]:
        what = f"{entry['what']}: {', '.join(entry['faults'])}"
        if "only" in entry:
            what += f" (only {entry['only']})"
        ends = [_ending(entry.get(column, entry.get("each"))) for column in _COLUMNS]
        rows.append([what, str(entry.get("times", 1)), *ends])
    return _markdown(rows)


def _ending(cell: dict[str, Any] | None) -> str:
    """Return how a call ends; a cell that is missing is not a row of the tests."""
    if cell is None:
        return ""
    ends = "answer" if cell["ends"] == "answer" else f"`{cell['ends']}`"
    return f"{ends}, {cell['tries']} sent, {cell['done']} done"


def _markdown(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
