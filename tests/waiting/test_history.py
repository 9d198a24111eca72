from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import (
    APIConnectionError,
    APIError,
    APIResponseError,
    AuthenticationError,
    InternalServerError,
    NotFoundError,
    PaginationError,
    RateLimitError,
    WaitTimeoutError,
)
from finetune_client.models import FineTuningJobEvent
from finetune_client.waiting import Outage, Watcher, follow
from finetune_client.waiting.history import History
from tests.support.event_list import EventList, event
from tests.support.fake_time import FakeTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client.models import FineTuningJob


def _follow(
    server: EventList,
    time: FakeTime | None = None,
    *,
    after: str | None = None,
    linger: float = 0.0,
    timeout: float | None = None,
    poll_interval: float | None = None,
    max_outage: float = 600.0,
) -> Iterator[FineTuningJobEvent]:
    time = time or FakeTime()
    watcher = Watcher(
        "ftjob-1",
        fetch=server.fetch,
        walk=server.walk,
        clock=time.clock,
        outage=Outage(time.clock, max_outage),
        after=after,
        linger=linger,
    )
    return follow(watcher, time.pace(timeout=timeout, poll_interval=poll_interval))


def _told(events: Iterator[FineTuningJobEvent]) -> list[str]:
    return [str(event.message).removeprefix("step ") for event in events]


def _steps(*counts: int, at: int | None = 7) -> list[list[dict[str, Any]]]:
    numbers = iter(range(sum(counts)))
    return [[event(next(numbers), at=at) for _ in range(count)] for count in counts]


def _passing() -> list[APIError]:
    return [
        APIConnectionError("cut", outcome="ambiguous"),
        APIResponseError("not JSON", outcome="bad_answer"),
        RateLimitError("slow down", status_code=429),
        InternalServerError("oh", status_code=502, outcome="ambiguous"),
        PaginationError("round and round", outcome="bad_answer"),
    ]


def test_follow__gives_events_of_one_second_oldest_first() -> None:
    assert _told(_follow(EventList(_steps(3, 0, 2, 1)))) == ["0", "1", "2", "3", "4", "5"]


def test_follow__pages_back_only_until_a_known_event_of_an_earlier_second() -> None:
    old = [event(number, at=number) for number in range(100)]
    server = EventList([old, [event(100, at=100)], []], page_size=10)
    events = _follow(server)
    for _ in range(101):
        next(events)
    walks = [request for request in server.requests if request != "job"]
    assert len(walks) == 11


def test_follow__looks_once_more_after_the_end() -> None:
    class Late(EventList):
        def _page(self, after: str | None) -> Any:
            page = super()._page(after)
            if self.looks == 2 and len(self.rows) == 2:
                self.rows.append(event(2, at=9))
            return page

    assert _told(_follow(Late(_steps(1, 1)))) == ["0", "1", "2"]


def test_follow__lingers_for_what_comes_later() -> None:
    time = FakeTime()

    class Late(EventList):
        def _page(self, after: str | None) -> Any:
            if time.at > 100 and len(self.rows) == 2:
                self.rows.append(event(2, at=9))
            return super()._page(after)

    assert _told(_follow(Late(_steps(1, 1)), time, linger=200)) == ["0", "1", "2"]
    assert 200 <= time.at < 240


def test_follow__goes_on_after_a_known_event() -> None:
    server = EventList(_steps(3, 2, 1))
    assert _told(_follow(server, after="ev-2")) == ["3", "4", "5"]


def test_follow__goes_on_after_a_known_event_where_the_oldest_come_first() -> None:
    steps = [[event(0, at=1), event(1, at=2), event(2, at=2)], [event(3, at=2)], []]
    server = EventList(steps, newest_first=False)
    assert _told(_follow(server, after="ev-1")) == ["2", "3"]


def test_follow__gives_everything_after_an_event_that_is_not_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "finetune_client"):
        assert _told(_follow(EventList(_steps(2, 1)), after="ev-9")) == ["0", "1", "2"]
    said = "the job has no event 'ev-9': all its events are returned"
    assert caplog.record_tuples == [("finetune_client", logging.WARNING, said)]


def test_follow__a_list_that_is_empty_for_now_does_not_say_that_an_event_is_not_there() -> None:
    class Lagging(EventList):
        def _page(self, after: str | None) -> Any:
            page = super()._page(after)
            if self.requests.count("job") == 1:
                page.data.clear()
            return page

    assert _told(_follow(Lagging(_steps(2, 1, 1)), after="ev-1")) == ["2", "3"]


def test_follow__counts_equal_events_without_ids() -> None:
    same = event(0, at=3, named=False)
    server = EventList([[same], [dict(same)], [], [dict(same), dict(same)]])
    assert _told(_follow(server)) == ["0", "0", "0", "0"]


def test_follow__knows_an_event_without_an_id_in_whatever_order_its_keys_come() -> None:
    class Turning(EventList):
        def fetch(self) -> FineTuningJob:
            job = super().fetch()
            self.rows[0]["data"] = dict(reversed(self.rows[0]["data"].items()))
            return job

    turned = {**event(0, at=3, named=False), "data": {"a": 1, "b": 2}}
    assert _told(_follow(Turning([[turned], [], [event(1, at=4)]]))) == ["0", "1"]


def test_follow__puts_times_of_any_form_in_order() -> None:
    odd = {**event(1), "created_at": "1970-01-01T00:00:05Z"}
    steps = [[event(0, at=4), odd, event(2)], [event(3, at=6)], []]
    assert _told(_follow(EventList(steps))) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("newest_first", [True, False])
def test_follow__sees_the_order_from_times_that_are_text(newest_first: bool) -> None:
    rows = [
        {**event(number), "id": name, "created_at": f"2026-01-01T00:00:0{number}Z"}
        for number, name in enumerate("qam")
    ]
    assert _told(_follow(EventList([rows, []], newest_first=newest_first))) == ["0", "1", "2"]


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("known", ["by its id", "by its text", "from an earlier run"])
def test_follow__sees_the_order_of_one_second_from_where_the_new_ones_stand(
    known: str, newest_first: bool
) -> None:
    names = "xqam"  # neither these ids nor a step count up or down
    rows = [{**event(number, at=7), "id": name} for number, name in enumerate(names)]
    after = None
    if known == "by its text":
        rows = [event(number, at=7, named=False) for number in range(len(names))]
    elif known == "from an earlier run":
        after = "x"
    server = EventList([rows[:1], rows[1:], []], newest_first=newest_first)
    assert _told(_follow(server, after=after)) == ["0", "1", "2", "3"][1 if after else 0 :]


def _history(*times: int, after: str | None = None) -> History:
    """A history of events that were listed in this order; the ids say their times."""
    history = History(after)
    history.add(_rows(*times), complete=after is None)
    return history


def _rows(*times: int) -> list[FineTuningJobEvent]:
    return [FineTuningJobEvent(id=f"e{time}", created_at=time) for time in times]


def test_has_all_new__where_a_page_ends_with_a_known_event_of_an_earlier_second() -> None:
    history = _history(30, 20, 10)
    assert history.has_all_new(_rows(40, 30, 20))
    assert not history.has_all_new(_rows(40, 30))  # its second may have had more events since
    assert not history.has_all_new(_rows(40, 35, 25))


def test_has_all_new__never_where_the_page_is_out_of_order() -> None:
    assert not _history(30, 20, 10).has_all_new(_rows(5, 40, 10))
    assert not _history(30, 20, 10).has_all_new(_rows(40, 50, 10))
    assert not _history(30, 20, 10).has_all_new(_rows(20, 40, 20))


def test_has_start__where_the_event_after_which_it_begins_is_there() -> None:
    history = _history(30, 20, after="e10")
    assert not history.has_start(_rows(30, 20))
    assert history.has_start(_rows(30, 20, 10))
    assert not _history(10, 20, after="e10").has_start(_rows(10, 20))  # oldest first


def test_cursor__is_the_last_event_of_a_list_in_the_order_of_time() -> None:
    assert _history(10, 20, 20).cursor() == "e20"
    assert _history(20, 10).cursor() is None
    assert _history(10, 30, 20).cursor() is None
    history = _history(10, 20)
    history.add(_rows(30, 40, 30), complete=False)
    assert history.cursor() is None


def test_follow__reads_only_what_is_new_where_the_oldest_come_first() -> None:
    steps = [[event(n, at=n) for n in range(50)], [event(50, at=50)], [event(51, at=51)], []]
    server = EventList(steps, newest_first=False, page_size=10)
    assert len(_told(_follow(server))) == 52
    assert server.requests.count("events after None") == 2, "the first look and the last"
    assert server.requests[6:10] == ["job", "events after ev-49", "job", "events after ev-50"]


@pytest.mark.parametrize("error", _passing(), ids=lambda error: type(error).__name__)
def test_follow__endures(error: APIError) -> None:
    server = EventList(_steps(2, 1, 1), page_size=1, faults=dict.fromkeys(range(2, 9), error))
    assert _told(_follow(server)) == ["0", "1", "2", "3"]


def test_follow__endures_three_404s_in_a_row_but_not_four() -> None:
    missing = NotFoundError("not yet", status_code=404)
    server = EventList(_steps(1, 1), faults=dict.fromkeys((1, 2, 3), missing))
    assert _told(_follow(server)) == ["0", "1"]
    server = EventList(_steps(1, 1), faults=dict.fromkeys((1, 2, 3, 4), missing))
    with pytest.raises(NotFoundError):
        _told(_follow(server))


def test_follow__raises_at_once_what_will_not_pass() -> None:
    server = EventList(_steps(1, 1), faults={3: AuthenticationError("no", status_code=401)})
    events = _follow(server)
    assert next(events).id == "ev-0"
    with pytest.raises(AuthenticationError):
        next(events)


def test_follow__raises_the_last_error_of_an_outage_that_lasts() -> None:
    time = FakeTime()
    faults: dict[int, APIError] = {
        number: InternalServerError(f"oh {number}", status_code=500) for number in range(1, 99)
    }
    with pytest.raises(InternalServerError) as caught:
        _told(_follow(EventList(_steps(1), faults=faults), time, max_outage=60, poll_interval=25))
    assert caught.value.message == "oh 4 (while waiting for job ftjob-1, last seen: never)"
    assert caught.value.args == (caught.value.message,)
    assert vars(caught.value)["job_id"] == "ftjob-1"
    assert time.sleeps == [25, 25, 25]


def test_follow__waits_as_long_as_the_server_asks() -> None:
    time = FakeTime()
    slow = RateLimitError("later", status_code=429, retry_after=90.0)
    _told(_follow(EventList(_steps(1), faults={1: slow}), time, poll_interval=5))
    assert time.sleeps == [90.0]


@pytest.mark.parametrize("asked", [3600.0, 999_999_999_999.0])
def test_follow__waits_no_longer_than_an_outage_may_last(asked: float) -> None:
    time = FakeTime()
    slow = RateLimitError("later", status_code=429, retry_after=asked)
    assert _told(_follow(EventList(_steps(1), faults={1: slow}), time, max_outage=60)) == ["0"]
    assert time.sleeps == [60.0]


def test_follow__says_when_the_time_is_over() -> None:
    server = EventList(_steps(1, *[0] * 50))
    events = _follow(server, timeout=10, poll_interval=4)
    with pytest.raises(WaitTimeoutError) as caught:
        _told(events)
    assert caught.value.message == (
        "The time to wait is over and not everything is done: ftjob-1 (running). Nothing was "
        "cancelled. To continue waiting, call client.jobs.follow('ftjob-1', after='ev-0')."
    )
    assert caught.value.job.status == "running"
    assert server.looks == 4


def test_follow__ends_in_time_with_a_job_that_has_ended_however_long_it_should_linger() -> None:
    time = FakeTime()
    events = _follow(EventList(_steps(1, 1)), time, linger=1000, timeout=30, poll_interval=20)
    assert _told(events) == ["0", "1"]
    assert time.at == 30


def test_follow__reads_the_events_once_more_when_the_time_is_over() -> None:
    time = FakeTime()

    class Late(EventList):
        def _page(self, after: str | None) -> Any:
            if time.at >= 30 and len(self.rows) == 2:
                self.rows.append(event(2, at=9))
            return super()._page(after)

    events = _follow(Late(_steps(1, 1)), time, linger=1000, timeout=30, poll_interval=15)
    assert _told(events) == ["0", "1", "2"]


def test_follow__says_how_to_go_on_after_ctrl_c() -> None:
    time = FakeTime()
    events = _follow(EventList(_steps(2, 0, 0)), time)
    assert [next(events).id, next(events).id] == ["ev-0", "ev-1"]
    with pytest.raises(KeyboardInterrupt) as caught:
        _interrupt(events, time)
    assert str(caught.value) == (
        "Nothing was cancelled, and the server continues: ftjob-1 (running). To continue waiting, "
        "call client.jobs.follow('ftjob-1', after='ev-1'); to stop a job, call "
        "client.jobs.cancel(id)."
    )


def test_follow__does_not_end_in_silence_when_the_last_events_could_not_be_had() -> None:
    broken = APIResponseError("not JSON", outcome="bad_answer")
    server = EventList(_steps(1, 1), faults=dict.fromkeys(range(4, 99), broken))
    events = _follow(server, timeout=10, poll_interval=4)
    assert next(events).message == "step 0"
    with pytest.raises(WaitTimeoutError, match=r"not everything is done: ftjob-1 \(succeeded\)\."):
        next(events)


def test_follow__that_was_gone_on_with_names_the_event_before_ctrl_c() -> None:
    time = FakeTime()
    with pytest.raises(KeyboardInterrupt, match=r"follow\('ftjob-1', after='ev-1'\)"):
        _interrupt(_follow(EventList(_steps(2, 0)), time, after="ev-1"), time)


def _interrupt(events: Iterator[FineTuningJobEvent], time: FakeTime) -> None:
    class Interrupting(list[float]):
        def append(self, value: float) -> None:
            raise KeyboardInterrupt

    time.sleeps = Interrupting()
    next(events)


@st.composite
def _servers(draw: st.DrawFn) -> tuple[EventList, list[str]]:
    """Draw a server whose list can be told apart: see `EventList`."""
    newest_first = draw(st.booleans())
    counts = draw(st.lists(st.integers(0, 7), min_size=1, max_size=8))
    page_size = draw(st.integers(2, 6))
    at, named = 0, True
    steps: list[list[dict[str, Any]]] = []
    number = 0
    for count in counts:
        step = []
        for _ in range(count):
            at += 1 if number == 1 else draw(st.integers(0, 1))
            named = not named or draw(st.booleans())
            step.append(event(number if named else -1, at=at, named=named))
            number += 1
        steps.append(step)
    requests = st.integers(1, 60)
    faults = draw(st.dictionaries(requests, st.sampled_from(_passing()), max_size=12))
    server = EventList(
        steps,
        newest_first=newest_first,
        page_size=page_size,
        says_more=draw(st.booleans()),
        overlap=draw(st.integers(0, 2)),
        faults=faults,
    )
    told = [str(row["message"]).removeprefix("step ") for step in steps for row in step]
    return server, told


@settings(max_examples=100, deadline=None)
@given(_servers())
def test_follow__gives_every_event_once_and_in_order(drawn: tuple[EventList, list[str]]) -> None:
    server, told = drawn
    assert _told(_follow(server)) == told


@pytest.mark.parametrize("at", [7, None])
def test_follow__sees_the_order_of_one_second_from_ids_that_count(at: int | None) -> None:
    for newest_first in (True, False):
        server = EventList(_steps(12, 2, at=at), newest_first=newest_first)
        assert _told(_follow(server)) == [str(number) for number in range(14)]


def test_follow__sees_the_order_of_one_second_from_steps() -> None:
    rows = [{**event(number, at=7, named=False), "data": {"step": number}} for number in range(4)]
    for newest_first in (True, False):
        server = EventList([rows, []], newest_first=newest_first)
        assert _told(_follow(server)) == ["0", "1", "2", "3"]


def test_follow__takes_ids_that_do_not_count_for_newest_first() -> None:
    rows = [{**event(number, at=7), "id": name} for number, name in enumerate(("b-1", "a-2"))]
    assert _told(_follow(EventList([rows, []], newest_first=True))) == ["0", "1"]
