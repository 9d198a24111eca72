"""Points in time, in each of the forms that servers send."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

__all__ = ["moment", "moment_at"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_ISO = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?"
    r" ?([Zz]|[-+][0-9]{2}(?::?[0-9]{2})?)?)?"
)


def moment(value: Any) -> datetime | None:
    """Read seconds since 1970 (number or text) or ISO 8601; UTC where no time zone is given.

    Returns:
        `None` for what is not a time, or is one that Python's calendar does not reach.
    """
    try:
        if isinstance(value, str):
            return _from_text(value.strip())
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _EPOCH + timedelta(seconds=value)
    except (ValueError, OverflowError):
        pass
    return None


def moment_at(thing: Any, name: str) -> datetime | None:
    """Read the time in a field of a model, or in its `extra`, where one of another kind stands."""
    value = getattr(thing, name)
    return moment(thing.extra.get(name) if value is None else value)


def _from_text(value: str) -> datetime | None:
    if _NUMBER.fullmatch(value):
        return _EPOCH + timedelta(seconds=float(value))
    found = _ISO.fullmatch(value)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    return datetime(
        int(year),
        int(month),
        int(day),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        int((fraction or "0")[:6].ljust(6, "0")),
        tzinfo=_zone(zone),
    )


def _zone(name: str | None) -> timezone:
    if name is None or name in "Zz":
        return timezone.utc
    sign = -1 if name[0] == "-" else 1
    digits = name[1:].replace(":", "").ljust(4, "0")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
