"""Which events of a poll are new, and in which order they happened.

The API lists a job's events newest first; other servers list them oldest first. No field says
which, and several events share a second, so the order is found out from the list:

- the times of the first and the last row show the order; where they are equal, the side of the
  known rows on which new ones appear shows it; until then steps or ids that count up or down do,
  or else newest first is assumed;
- rows are put oldest first, then sorted by time, rows of one second staying as listed;
- a row with an id is known by it. Rows without one are counted: two equal rows are two events.

A walk can stop early only where that loses nothing: on a list that is newest first beyond
doubt, at a page that ends with a known event of an earlier second than the newest known one.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finetune_client.models import FineTuningJobEvent

__all__ = ["History"]

_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)

_log = logging.getLogger("finetune_client")


class History:
    """The events of a job that were returned already.

    Args:
        after: The id of the last event known from an earlier run: it and the events before it
            are not returned.
    """

    def __init__(self, after: str | None = None) -> None:
        self._after = after
        self._ids: set[str] = set()
        self._skipped: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._newest: float | None = None
        self._last_id: str | None = None
        self._newest_first: bool | None = None
        self._orderly = True

    def cursor(self) -> str | None:
        """Return the cursor after which a walk finds all new events; `None` for the beginning."""
        oldest_first = self._newest_first is False and self._orderly and not self._counts
        return self._last_id if oldest_first else None

    def has_all_new(self, rows: Sequence[FineTuningJobEvent]) -> bool:
        """Return whether no row after ``rows``, the pages so far, can be new."""
        self._orient(rows)
        if not (self._newest_first and self._orderly) or self._has_unnamed(rows):
            return False
        last, last_time = rows[-1], _time(rows[-1])
        if last_time is None or self._newest is None or last_time >= self._newest:
            return False
        return last.id in self._ids or self.has_start(rows)

    def has_start(self, rows: Sequence[FineTuningJobEvent]) -> bool:
        """Return whether ``rows``, newest first, reach back to the event ``after``."""
        return bool(self._newest_first) and any(row.id == self._after for row in rows if row.id)

    def add(
        self, rows: Sequence[FineTuningJobEvent], *, complete: bool
    ) -> list[FineTuningJobEvent]:
        """Return the new ones of ``rows``, oldest first, and remember them.

        Args:
            rows: The rows of pages that follow one another, in the server's order.
            complete: Whether they are all events that there are.
        """
        self._orient(rows)
        self._orient_by_place(rows)
        new = self._unknown(self._later(self._oldest_first(rows), complete=complete))
        self._remember(new)
        return new

    def _has_unnamed(self, rows: Sequence[FineTuningJobEvent]) -> bool:
        return bool(self._counts) or not all(row.id for row in rows)

    def _orient(self, rows: Sequence[FineTuningJobEvent]) -> None:
        times = [time for row in rows if (time := _time(row)) is not None]
        if not times or times[0] == times[-1]:
            self._orderly = self._orderly and len(set(times)) <= 1
            return
        self._newest_first = times[0] > times[-1]
        ordered = sorted(times, reverse=self._newest_first)
        self._orderly = self._orderly and times == ordered

    def _orient_by_place(self, rows: Sequence[FineTuningJobEvent]) -> None:
        if self._newest_first is not None or not rows:
            return
        first, last = self._is_known(rows[0]), self._is_known(rows[-1])
        if first != last:
            self._newest_first = last

    def _is_known(self, row: FineTuningJobEvent) -> bool:
        name = row.id or _as_text(row)
        return name in self._ids or name in self._counts or name in self._skipped

    def _oldest_first(self, rows: Sequence[FineTuningJobEvent]) -> list[FineTuningJobEvent]:
        down = _counts_down(rows) if self._newest_first is None else self._newest_first
        listed = list(rows) if down is False else list(reversed(rows))
        times, time = [], float("-inf")
        for row in listed:
            own = _time(row)
            time = time if own is None else own
            times.append(time)
        order = sorted(range(len(listed)), key=times.__getitem__)
        return [listed[i] for i in order]

    def _later(self, rows: list[FineTuningJobEvent], *, complete: bool) -> list[FineTuningJobEvent]:
        if self._after is None:
            return rows
        for i, row in enumerate(rows):
            if row.id == self._after:
                self._skipped.update(row.id or _as_text(row) for row in rows[: i + 1])
                return rows[i + 1 :]
        if complete and rows and self._last_id is None:
            _log.warning("the job has no event %r: all its events are returned", self._after)
            self._after = None
        return rows

    def _unknown(self, rows: list[FineTuningJobEvent]) -> list[FineTuningJobEvent]:
        counts: Counter[str] = Counter()
        new: list[FineTuningJobEvent] = []
        for row in rows:
            if row.id:
                if row.id not in self._ids:
                    self._ids.add(row.id)
                    new.append(row)
                continue
            text = _as_text(row)
            counts[text] += 1
            if counts[text] > self._counts[text]:
                self._counts[text] = counts[text]
                new.append(row)
        return new

    def _remember(self, new: list[FineTuningJobEvent]) -> None:
        times = [time for row in new if (time := _time(row)) is not None]
        if times:
            self._newest = max(times) if self._newest is None else max(self._newest, *times)
        named = [row.id for row in new if row.id]
        if named:
            self._last_id = named[-1]


def _time(row: FineTuningJobEvent) -> float | None:
    if row.created_at is not None:
        return float(row.created_at)
    created = row.created
    return None if created is None else created.timestamp()


def _counts_down(rows: Sequence[FineTuningJobEvent]) -> bool | None:
    """Return whether the steps of ``rows``, or else the numbers their ids end with, count down.

    It is only a hint: `None` where they do not all go one way.
    """
    steps = [step for row in rows if isinstance(step := (row.data or {}).get("step"), (int, float))]
    for numbers in (steps, _numbers([row.id for row in rows if row.id])):
        down = bool(numbers) and numbers[0] > numbers[-1]
        if len(set(numbers)) > 1 and numbers == sorted(numbers, reverse=down):
            return down
    return None


def _numbers(ids: Sequence[str]) -> list[float]:
    """Return the numbers that ids end with, if they differ in nothing else; else an empty list."""
    found = [match for name in ids if (match := _NUMBERED.fullmatch(name))]
    alike = len(found) == len(ids) and len({match[1] for match in found}) == 1
    return [float(match[2]) for match in found] if alike else []


def _as_text(row: FineTuningJobEvent) -> str:
    return json.dumps(row.to_dict(), sort_keys=True, default=repr)
