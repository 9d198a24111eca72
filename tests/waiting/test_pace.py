from __future__ import annotations

from typing import Any

import pytest

from finetune_client.errors import RequestError
from tests.support.fake_time import FakeTime


def _pauses(time: FakeTime, count: int, **options: Any) -> list[float]:
    pace = time.pace(**options)
    assert all(pace.pause() for _ in range(count))
    return [round(pause, 2) for pause in time.sleeps]


def test_pace__grows_from_the_first_poll_to_the_longest() -> None:
    assert _pauses(FakeTime(), 5, first_poll=4, longest_poll=10) == [4, 6, 9, 10, 10]


def test_pace__of_a_first_poll_above_the_longest_does_not_grow() -> None:
    assert _pauses(FakeTime(), 2, first_poll=9, longest_poll=1) == [9, 9]


def test_pace__of_an_interval_that_is_given_stays_as_it_is_to_the_end() -> None:
    time = FakeTime()
    pace = time.pace(poll_interval=0.25, timeout=0.6)
    assert [pace.pause() for _ in range(4)] == [True, True, True, False]
    assert time.sleeps == pytest.approx([0.25, 0.25, 0.1])


def test_pace__waits_at_least_as_long_as_asked_but_not_beyond_the_end() -> None:
    time = FakeTime()
    pace = time.pace(timeout=15)
    assert pace.pause(at_least=10)
    assert pace.remaining() == 5
    assert pace.pause(at_least=10)
    assert not pace.pause()
    assert time.sleeps == [10, 5]


@pytest.mark.parametrize("name", ["timeout", "poll_interval"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "5", True])
def test_pace__takes_only_seconds(name: str, value: Any) -> None:
    with pytest.raises(RequestError, match=rf"^{name} must be a number of seconds"):
        FakeTime().pace(**{name: value})
