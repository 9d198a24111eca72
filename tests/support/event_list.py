"""A list of events as servers keep it, that grows and fails while it is walked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_client.models import FineTuningJob, FineTuningJobEvent, Page
from finetune_client.resources import Pager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client.errors import APIError

__all__ = ["EventList", "event"]


def event(number: int, *, at: int | None = None, named: bool = True) -> dict[str, Any]:
    """Make an event; without a name it is told from others by its text alone."""
    sent: dict[str, Any] = {"object": "fine_tuning.job.event", "message": f"step {number}"}
    if named:
        sent["id"] = f"ev-{number}"
    return sent if at is None else {**sent, "created_at": at}


@dataclass
class EventList:
    """A job that goes on by one step of `steps` with each look.

    Attributes:
        steps: The events that each look finds added.
        newest_first: The order of the list.
        page_size: Rows of a page.
        says_more: Whether the server sends ``has_more``.
        overlap: Rows that each page repeats of the one before.
        faults: Errors by the number of the request that ends with them.
    """

    steps: list[list[dict[str, Any]]]
    newest_first: bool = True
    page_size: int = 20
    says_more: bool = True
    overlap: int = 0
    faults: dict[int, APIError] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    looks: int = 0

    def fetch(self) -> FineTuningJob:
        """Answer with the job; each answer lets the job go on."""
        self._request("job")
        if self.looks < len(self.steps):
            self.rows.extend(self.steps[self.looks])
        self.looks += 1
        ended = self.looks >= len(self.steps)
        return FineTuningJob(id="ftjob-1", status="succeeded" if ended else "running")

    def walk(self, start: str | None) -> Iterator[Page[FineTuningJobEvent]]:
        """Walk the pages as `client.jobs.list_events` does."""
        return Pager(self._page, name="GET /events", after=start).pages()

    def _page(self, after: str | None) -> Page[FineTuningJobEvent]:
        self._request(f"events after {after}")
        listed = [*reversed(self.rows)] if self.newest_first else [*self.rows]
        ids = [row.get("id") for row in listed]
        begin = ids.index(after) + 1 if after and after in ids else 0
        first = max(0, begin - self.overlap) if after is not None else 0
        end = begin + self.page_size
        body: dict[str, Any] = {"object": "list", "data": listed[first:end]}
        if self.says_more:
            body["has_more"] = end < len(listed)
        return Page.from_dict(body, FineTuningJobEvent)

    def _request(self, what: str) -> None:
        self.requests.append(what)
        fault = self.faults.pop(len(self.requests), None)
        if fault is not None:
            raise fault
