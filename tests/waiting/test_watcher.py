from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import APIError, NotFoundError, RateLimitError
from finetune_client.models import FineTuningJob, FineTuningJobEvent, Page
from finetune_client.waiting import Outage
from finetune_client.waiting.watcher import Watcher
from tests.support.fake_time import FakeTime

if TYPE_CHECKING:
    from collections.abc import Iterator

DOWN = APIError("The connection was lost.", outcome="ambiguous")


class Server:
    """A job that takes the given statuses one after the other, and its events, newest first."""

    def __init__(self, *statuses: str | APIError) -> None:
        self.statuses = list(statuses)
        self.events: list[str] = []
        self.cursors: list[str | None] = []

    def fetch(self) -> FineTuningJob:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if isinstance(status, APIError):
            raise status
        return FineTuningJob(id="ftjob-1", status=status)

    def walk(self, after: str | None) -> Iterator[Page[FineTuningJobEvent]]:
        self.cursors.append(after)
        rows = [
            FineTuningJobEvent(id=name, created_at=int(name[1:]))
            for name in sorted(self.events, reverse=True)
        ]
        yield Page(data=rows, has_more=False)


def watch(server: Server, time: FakeTime, *, events: bool = False, **options: Any) -> Watcher:
    return Watcher(
        "ftjob-1",
        fetch=server.fetch,
        clock=time.clock,
        outage=Outage(time.clock, 10),
        walk=server.walk if events else None,
        **options,
    )


def ids(events: list[FineTuningJobEvent]) -> list[str | None]:
    return [event.id for event in events]


def test_watcher__knows_nothing_before_it_has_polled() -> None:
    watcher = watch(Server("running"), FakeTime(), after="e1", stalled_after=5)
    assert (watcher.job, watcher.done, watcher.failed, watcher.retry_after) == (
        None,
        *[False] * 2,
        0,
    )
    assert (watcher.has_ended, watcher.is_closing, watcher.take_stall()) == (False, False, False)
    assert (watcher.id, watcher.after, watcher.stalled_after) == ("ftjob-1", "e1", 5)


def test_poll__without_events_ends_with_the_job() -> None:
    watcher = watch(Server("running", "running", "succeeded"), FakeTime())
    seen = []
    while not watcher.done:
        assert watcher.poll() == []
        assert watcher.job is not None
        seen.append(watcher.job.status)
    assert seen == ["running", "running", "succeeded"]


def test_poll__gives_each_event_once_and_oldest_first() -> None:
    server = Server("running", "running", "succeeded")
    watcher = watch(server, FakeTime(), events=True)
    server.events = ["e1", "e2"]
    assert ids(watcher.poll()) == ["e1", "e2"]
    server.events = ["e1", "e2", "e3"]
    assert ids(watcher.poll()) == ["e3"]
    assert ids(watcher.poll()) == []
    assert (watcher.has_ended, watcher.has_last_events, watcher.done) == (True, True, False)
    assert ids(watcher.poll()) == []
    assert watcher.done


def test_poll__an_event_that_comes_with_the_end_is_not_missed() -> None:
    server = Server("running", "succeeded")
    watcher = watch(server, FakeTime(), events=True)
    server.events = ["e1"]
    watcher.poll()
    watcher.poll()
    server.events = ["e1", "e2"]
    assert ids(watcher.poll()) == ["e2"]
    assert watcher.done


def test_poll__lingers_for_as_long_as_it_was_told() -> None:
    time = FakeTime()
    time.at = 100
    server = Server("succeeded")
    watcher = watch(server, time, events=True, linger=5)
    watcher.poll()
    closing = [watcher.is_closing]
    time.at = 104
    watcher.poll()
    closing.append(watcher.is_closing)
    server.events = ["e1"]
    time.at = 105
    closing.append(watcher.is_closing)
    assert closing == [False, False, True]
    assert ids(watcher.poll()) == ["e1"]
    assert watcher.done


def test_stop_lingering__makes_the_next_poll_the_last() -> None:
    watcher = watch(Server("failed"), FakeTime(), events=True, linger=1000)
    watcher.poll()
    watcher.stop_lingering()
    assert watcher.is_closing
    watcher.poll()
    assert watcher.done


def test_poll__continues_after_an_event_that_is_known() -> None:
    server = Server("running")
    server.events = ["e1", "e2", "e3"]
    watcher = watch(server, FakeTime(), events=True, after="e1")
    assert ids(watcher.poll()) == ["e2", "e3"]


def test_poll__a_failure_that_may_pass_is_waited_out() -> None:
    time = FakeTime()
    limited = RateLimitError("slow down", status_code=429, outcome="refused", retry_after=3.0)
    watcher = watch(Server(limited, DOWN, "running"), time)
    assert watcher.poll() == []
    assert (watcher.failed, watcher.retry_after, watcher.job) == (True, 3.0, None)
    watcher.poll()
    assert (watcher.failed, watcher.retry_after) == (True, 0.0)
    watcher.poll()
    assert (watcher.failed, watcher.retry_after) == (False, 0.0)
    assert watcher.job is not None


def test_poll__never_waits_longer_than_an_outage_may_last() -> None:
    time = FakeTime()
    limited = RateLimitError("slow down", status_code=429, outcome="refused", retry_after=86400.0)
    watcher = watch(Server(limited), time)
    watcher.poll()
    assert watcher.retry_after == 10


def test_poll__a_failure_that_lasts_is_raised_and_names_the_job() -> None:
    time = FakeTime()
    watcher = watch(Server("running", DOWN), time)
    watcher.poll()
    watcher.poll()
    time.at = 10
    with pytest.raises(APIError) as caught:
        watcher.poll()
    assert caught.value.message == (
        "The connection was lost. (while waiting for job ftjob-1, last seen: running)"
    )
    assert str(caught.value) == caught.value.message
    assert vars(caught.value)["job_id"] == "ftjob-1"


def test_poll__an_error_that_will_not_pass_is_raised_at_once() -> None:
    gone = NotFoundError("no such job", status_code=410, outcome="refused")
    watcher = watch(Server(gone), FakeTime())
    with pytest.raises(NotFoundError, match=r"no such job \(while waiting .* last seen: never\)"):
        watcher.poll()


def test_poll__an_unknown_status_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="finetune_client")
    watcher = watch(Server("dreaming", "dreaming", "running", "dreaming"), FakeTime())
    for _ in range(4):
        watcher.poll()
    said = "job ftjob-1 has a status that is not known: 'dreaming'; still waiting"
    assert caplog.record_tuples == [("finetune_client", logging.WARNING, said)]
    assert not watcher.done
