"""Tables as HTML, for notebooks and reports.

They have no styles, so that they take the colours of the page around them, light or dark.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from html import escape
from typing import Any

__all__ = ["html_facts", "html_table"]

_LONGEST = 300
"""Characters of a cell; what is longer is cut."""

_LATEST = 253402300799
"""The last second of the year 9999, which a time in seconds cannot be after."""


def html_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; every text in it is escaped, and `None` is an empty cell.

    Times in seconds below a heading that ends in ``_at`` are written in UTC.
    """
    head = "".join(f"<th>{_cell(heading)}</th>" for heading in headings)
    body = ""
    for row in rows:
        cells = (_cell(_readable(name, value)) for name, value in zip(headings, row, strict=True))
        body += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_facts(name: str, facts: Mapping[str, Any]) -> str:
    """Return a table of what is known of one thing: a row a fact, times in UTC.

    Args:
        name: What it is; the heading.
        facts: The names and values; an object in them is taken apart, as ``metrics.step``.
    """
    rows = "".join(
        f"<tr><th>{_cell(key)}</th><td>{_cell(value)}</td></tr>" for key, value in _flat(facts, "")
    )
    return (
        f'<table><thead><tr><th colspan="2">{_cell(name)}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _flat(facts: Mapping[str, Any], prefix: str, depth: int = 3) -> Iterator[tuple[str, object]]:
    for key, value in facts.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and depth:
            yield from _flat(value, f"{name}.", depth - 1)
        elif value not in (None, {}, []):
            yield name, _readable(name, value)


def _readable(name: str, value: object) -> object:
    """Return a time in seconds as people read it, and anything else as it is."""
    if name.endswith("_at") and isinstance(value, int) and 0 <= value <= _LATEST:
        return f"{datetime.fromtimestamp(value, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    return value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, list | tuple | dict):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    return escape(text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …")
