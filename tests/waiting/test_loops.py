from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import (
    APIError,
    APITimeoutError,
    BadRequestError,
    InternalServerError,
    JobFailedError,
    JobStalledError,
    RequestError,
    WaitTimeoutError,
)
from finetune_client.models import FineTuningJob, FineTuningJobEvent, Page
from finetune_client.waiting import Outage, Pace, Watcher, follow, wait, wait_all
from tests.support.event_list import EventList, event
from tests.support.fake_time import FakeTime

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED = {
    "id": "ftjob-1",
    "status": "failed",
    "error": {
        "code": "invalid_n_examples",
        "message": "Training file has 3 examples, but must have at least 10.",
        "param": "training_file",
    },
}


class Job:
    """A job whose states, or errors, come one a look; the last stays."""

    def __init__(self, *states: str | dict[str, Any] | APIError, id: str = "ftjob-1") -> None:
        self.id = id
        self.states = list(states)
        self.looks = 0

    def fetch(self) -> FineTuningJob:
        state = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        if isinstance(state, APIError):
            raise state
        sent = {"id": self.id, "status": state} if isinstance(state, str) else state
        return FineTuningJob.from_dict(sent)

    def watcher(self, time: FakeTime, max_outage: float = 600.0) -> Watcher:
        outage = Outage(time.clock, max_outage)
        return Watcher(self.id, fetch=self.fetch, clock=time.clock, outage=outage)


def _wait(
    job: Job, time: FakeTime | None = None, *, pace: Pace | None = None, **options: Any
) -> FineTuningJob:
    fake = time or FakeTime()
    return wait(job.watcher(fake), pace or fake.pace(), **options)


def test_wait__returns_the_job_when_it_has_succeeded() -> None:
    job = Job("validating_files", "queued", "running", "succeeded")
    assert _wait(job).status == "succeeded"
    assert job.looks == 4


def test_wait__grows_its_pauses_from_2_to_30_seconds() -> None:
    time = FakeTime()
    _wait(Job(*["running"] * 10, "succeeded"), time)
    assert [round(pause, 2) for pause in time.sleeps] == [
        2.0,
        3.0,
        4.5,
        6.75,
        10.12,
        15.19,
        22.78,
        30.0,
        30.0,
        30.0,
    ]


def test_wait__shortens_its_pauses_at_random_but_not_below_the_first() -> None:
    time = FakeTime(chance=0.999999)
    _wait(Job(*["running"] * 10, "succeeded"), time)
    assert time.sleeps[0] == 2.0
    assert round(time.sleeps[-1], 2) == 24.0
    assert min(time.sleeps) >= 2.0


def test_wait__keeps_the_pause_that_is_given() -> None:
    time = FakeTime()
    _wait(Job(*["running"] * 4, "succeeded"), time, pace=time.pace(poll_interval=7))
    assert time.sleeps == [7, 7, 7, 7]


def test_wait__cuts_the_last_pause_and_looks_once_more() -> None:
    time = FakeTime()
    job = Job("running", "running", "succeeded")
    pace = time.pace(timeout=10, poll_interval=8)
    assert _wait(job, time, pace=pace).is_succeeded
    assert time.sleeps == [8, 2]


def test_wait__says_when_the_time_is_over() -> None:
    time = FakeTime()
    with pytest.raises(WaitTimeoutError) as caught:
        _wait(Job("queued"), time, pace=time.pace(timeout=0))
    assert caught.value.message == (
        "The time to wait is over and not everything is done: ftjob-1 (queued). Nothing was "
        "cancelled. To continue waiting, call client.jobs.wait('ftjob-1')."
    )
    assert caught.value.job.status == "queued"
    assert isinstance(caught.value, TimeoutError)
    assert time.sleeps == []


def test_wait__is_not_misled_by_a_wall_clock_that_jumps() -> None:
    time = FakeTime()
    job = Job("running", "running", "succeeded")
    time.wall -= 86_400
    pace = time.pace(timeout=100)
    time.wall += 2 * 86_400
    assert _wait(job, time, pace=pace).is_succeeded


def test_wait__raises_what_the_job_failed_with() -> None:
    with pytest.raises(JobFailedError) as caught:
        _wait(Job("running", FAILED))
    assert caught.value.message == (
        "Job ftjob-1 failed: Training file has 3 examples, but must have at least 10. "
        "(code: invalid_n_examples, param: training_file)"
    )
    assert (caught.value.code, caught.value.param) == ("invalid_n_examples", "training_file")
    assert caught.value.job.id == "ftjob-1"


def test_wait__raises_for_a_cancelled_job() -> None:
    with pytest.raises(JobFailedError, match=r"^Job ftjob-1 ended as cancelled\.$"):
        _wait(Job("cancelled"))


def test_wait__returns_a_failed_job_if_asked() -> None:
    assert _wait(Job(FAILED), raise_on_failure=False).is_failed


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_wait__ends_on_each_terminal_status(status: str) -> None:
    assert _wait(Job(status), raise_on_failure=False).status == status


def test_wait__waits_on_while_the_job_is_paused() -> None:
    assert _wait(Job("running", "pausing", "paused", "running", "succeeded")).is_succeeded


def test_wait__returns_a_paused_job_if_asked() -> None:
    assert _wait(Job("pausing", "paused"), on_paused="return").status == "paused"


def test_wait__raises_at_a_paused_job_if_asked() -> None:
    with pytest.raises(JobFailedError) as caught:
        _wait(Job("paused"), on_paused="raise")
    assert caught.value.message == (
        "Job ftjob-1 is paused. It continues after client.jobs.resume('ftjob-1')."
    )
    assert caught.value.job.status == "paused"


def test_wait__takes_only_its_words_for_a_paused_job() -> None:
    job = Job("paused")
    with pytest.raises(RequestError) as caught:
        _wait(job, on_paused="stop")
    assert caught.value.message == "on_paused must be 'wait', 'return' or 'raise', not 'stop'."
    assert job.looks == 0


def test_wait__tells_an_unknown_status_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "finetune_client"):
        _wait(Job("napping", "napping", "running", "napping", "succeeded"))
    assert caplog.messages == [
        "job ftjob-1 has a status that is not known: 'napping'; still waiting"
    ]


def test_wait__gives_each_event_once() -> None:
    time = FakeTime()
    steps = [[event(0, at=1)], [event(1, at=1), event(2, at=2)], []]
    server = EventList(steps)
    outage = Outage(time.clock, 600)
    watcher = Watcher(
        "ftjob-1", fetch=server.fetch, walk=server.walk, clock=time.clock, outage=outage
    )
    told: list[FineTuningJobEvent] = []
    assert wait(watcher, time.pace(), on_event=told.append).is_succeeded
    assert [one.id for one in told] == ["ev-0", "ev-1", "ev-2"]


def test_wait__endures_a_bad_night_but_not_a_bad_request() -> None:
    down = InternalServerError("down", status_code=503, outcome="ambiguous")
    slow = APITimeoutError("slow", outcome="ambiguous")
    assert _wait(Job("running", down, slow, down, "running", "succeeded")).is_succeeded
    with pytest.raises(BadRequestError):
        _wait(Job("running", BadRequestError("bad", status_code=400)))


def test_wait__counts_an_outage_from_its_first_failure() -> None:
    time = FakeTime()
    down = InternalServerError("down", status_code=500, outcome="ambiguous")
    job = Job("running", down, down, down, "running", down, down, down, "succeeded")
    pace = time.pace(poll_interval=100)
    assert wait(job.watcher(time, max_outage=250), pace).is_succeeded
    with pytest.raises(InternalServerError):
        wait(Job(down).watcher(time, max_outage=0), pace)


def test_wait__says_how_to_go_on_after_ctrl_c() -> None:
    class Interrupted(Job):
        def fetch(self) -> FineTuningJob:
            if self.looks:
                raise KeyboardInterrupt
            return super().fetch()

    with pytest.raises(KeyboardInterrupt) as caught:
        _wait(Interrupted("running"))
    assert str(caught.value) == (
        "Nothing was cancelled, and the server continues: ftjob-1 (running). To continue waiting, "
        "call client.jobs.wait('ftjob-1'); to stop a job, call client.jobs.cancel(id)."
    )


def _watchers(time: FakeTime, *jobs: Job) -> Sequence[Watcher]:
    return [job.watcher(time) for job in jobs]


def test_wait_all__returns_all_in_their_order() -> None:
    time = FakeTime()
    first = Job("running", "running", "succeeded", id="ftjob-1")
    second = Job("succeeded", id="ftjob-2")
    third = Job("running", FAILED | {"id": "ftjob-3"}, id="ftjob-3")
    ended: list[str] = []
    jobs = wait_all(
        _watchers(time, first, second, third),
        time.pace(),
        on_job=lambda job: ended.append(job.id),
    )
    assert [job.status for job in jobs] == ["succeeded", "succeeded", "failed"]
    assert ended == ["ftjob-2", "ftjob-3", "ftjob-1"]
    assert (first.looks, second.looks, third.looks) == (3, 1, 2)
    assert len(time.sleeps) == 2


def test_wait_all__raises_for_a_failed_one_when_all_have_ended() -> None:
    time = FakeTime()
    slow = Job("running", "running", "succeeded", id="ftjob-2")
    with pytest.raises(JobFailedError):
        wait_all(_watchers(time, Job(FAILED), slow), time.pace(), raise_on_failure=True)
    assert slow.looks == 3


def test_wait_all__says_which_have_not_ended() -> None:
    time = FakeTime()
    jobs = [Job("running", id="a"), Job("succeeded", id="b"), Job("queued", id="c")]
    with pytest.raises(WaitTimeoutError) as caught:
        wait_all(_watchers(time, *jobs), time.pace(timeout=5))
    assert caught.value.message == (
        "The time to wait is over and not everything is done: a (running), c (queued). Nothing was "
        "cancelled. To continue waiting, call client.jobs.wait_all(['a', 'c'])."
    )
    assert [job.id for job in caught.value.jobs] == ["a", "c"]


def test_wait_all__does_not_name_a_paused_one_that_is_returned() -> None:
    time = FakeTime()
    jobs = [Job("paused", id="a"), Job("running", id="b")]
    with pytest.raises(WaitTimeoutError, match=r"not everything is done: b \(running\)\."):
        wait_all(_watchers(time, *jobs), time.pace(timeout=5), on_paused="return")


def test_wait_all__of_none_is_nothing() -> None:
    assert wait_all([], FakeTime().pace()) == []


# Jobs that stall


def _stalling(
    time: FakeTime, *statuses: str | APIError, after: float, events: dict[float, int] | None = None
) -> Watcher:
    """Watch a job whose events come at times of the clock, so many by then."""
    job = Job(*statuses)

    def walk(_: str | None) -> Any:
        there = max((n for at, n in (events or {}).items() if at <= time.at), default=0)
        rows = [event(number, at=number) for number in reversed(range(there))]
        yield Page.from_dict({"object": "list", "data": rows}, FineTuningJobEvent)

    return Watcher(
        job.id,
        fetch=job.fetch,
        walk=walk,
        clock=time.clock,
        outage=Outage(time.clock, 600),
        stalled_after=after,
    )


def test_wait__ends_when_nothing_has_happened_for_so_long() -> None:
    time = FakeTime()
    watcher = _stalling(time, "queued", "running", after=100)
    with pytest.raises(JobStalledError) as caught:
        wait(watcher, time.pace(poll_interval=10))
    assert time.at == 110  # 100 after the change to "running"
    assert caught.value.message == (
        "Job ftjob-1 (running) has had no event and no change of status for 100 seconds. Nothing "
        "was cancelled. To continue waiting, call client.jobs.wait('ftjob-1'); to stop the job, "
        "call client.jobs.cancel('ftjob-1')."
    )
    assert caught.value.job.status == "running"
    assert caught.value.jobs == [caught.value.job]
    assert isinstance(caught.value, WaitTimeoutError)


def test_wait__counts_from_the_last_event() -> None:
    time = FakeTime()
    watcher = _stalling(time, "running", after=100, events={0: 1, 70: 2, 160: 5})
    with pytest.raises(JobStalledError):
        wait(watcher, time.pace(poll_interval=10))
    assert time.at == 260


def test_follow__says_after_which_event_it_stalled() -> None:
    time = FakeTime()
    watcher = _stalling(time, "running", after=50, events={0: 1, 20: 3})
    seen: list[FineTuningJobEvent] = []
    with pytest.raises(JobStalledError) as caught:
        seen.extend(follow(watcher, time.pace(poll_interval=10)))
    assert "To continue waiting, call client.jobs.follow('ftjob-1', after='ev-2');" in str(
        caught.value
    )
    assert time.at == 70


def test_wait__calls_on_stalled_after_each_such_span_and_goes_on() -> None:
    time = FakeTime()
    stalls: list[tuple[float, str | None]] = []
    watcher = _stalling(time, *["running"] * 26, "succeeded", after=100)
    job = wait(
        watcher,
        time.pace(poll_interval=10),
        on_stalled=lambda job: stalls.append((time.at, job.status)),
    )
    assert job.status == "succeeded"
    assert stalls == [(100, "running"), (200, "running")]


def test_wait__does_not_take_an_outage_or_a_pause_for_a_stall() -> None:
    time = FakeTime()
    down = APITimeoutError("cut", outcome="ambiguous")
    states: list[str | APIError] = [
        "running",
        *[down] * 20,
        "paused",
        *["paused"] * 20,
        "running",
        "succeeded",
    ]
    assert wait(_stalling(time, *states, after=100), time.pace(poll_interval=10)).is_succeeded


def test_wait_all__names_all_that_have_not_ended() -> None:
    time = FakeTime()
    moving = Job(*["queued", "running"] * 20, id="ftjob-2")
    ended = Job("succeeded", id="ftjob-3")
    watchers = [_stalling(time, "running", after=50), moving.watcher(time), ended.watcher(time)]
    with pytest.raises(JobStalledError) as caught:
        wait_all(watchers, time.pace(poll_interval=10))
    assert [job.id for job in caught.value.jobs] == ["ftjob-1", "ftjob-2"]
    assert "client.jobs.wait_all(['ftjob-1', 'ftjob-2'])" in str(caught.value)
