from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from finetune_client.resources.files.parallel import Stop, Stopped, run_in_threads


def test_together__results_are_handed_on_in_the_calling_thread() -> None:
    found: list[tuple[int, bool]] = []
    here = threading.get_ident()

    def arrived(number: int) -> None:
        found.append((number, threading.get_ident() == here))

    tasks = [(lambda number=number: number, arrived) for number in range(20)]
    run_in_threads(tasks, 3, Stop(), beside=[(lambda: -1, arrived)])
    assert sorted(found) == [(number, True) for number in range(-1, 20)]


def test_together__the_failure_is_raised_and_not_what_it_did_to_the_others() -> None:
    stop, begun = Stop(), threading.Event()
    found: list[object] = []

    def fail() -> None:
        begun.wait(5)
        raise ValueError("this one")

    def go_on() -> None:
        begun.set()
        while True:
            stop.check()
            time.sleep(0.001)

    for _ in range(20):
        stop, begun = Stop(), threading.Event()
        tasks = [(go_on, found.append), (fail, found.append), (go_on, found.append)]
        with pytest.raises(ValueError, match="this one"):
            run_in_threads(tasks * 3, 3, stop)
    assert found == []
    assert not [each for each in threading.enumerate() if each.name.startswith("finetune-upload")]


def test_together__what_arrived_before_the_failure_is_handed_on() -> None:
    stop, others = Stop(), threading.Barrier(3)
    found: list[object] = []

    def succeed() -> str:
        others.wait(5)
        return "arrived"

    def fail() -> None:
        others.wait(5)
        raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        run_in_threads([(fail, found.append), *[(succeed, found.append)] * 2], 3, stop)
    assert found == ["arrived"] * 2


def test_together__a_failure_to_hand_on_stops_all() -> None:
    def full(_result: object) -> None:
        raise OSError(28, "No space left on device")

    stop = Stop()
    with pytest.raises(OSError, match="No space left"):
        run_in_threads([(lambda: 1, full), (lambda: 2, lambda _: None)], 1, stop)
    with pytest.raises(Stopped):
        stop.check()


def test_together__ctrl_c_while_tasks_are_handed_out_starts_no_more_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submit, begun = ThreadPoolExecutor.submit, threading.Event()
    submitted: list[object] = []
    ran: list[object] = []
    stop = Stop()

    def work() -> None:
        begun.set()
        ran.append(stop._event.wait(5))

    def interrupted(pool: Any, *args: Any) -> Any:
        submitted.append(args)
        if len(submitted) == 6:
            begun.wait(5)
            raise KeyboardInterrupt
        return submit(pool, *args)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_in_threads([(work, lambda _: None)] * 8, 1, stop, beside=[(work, lambda _: None)])
    assert set(ran) == {True}
    assert len(ran) <= 2


def test_stop__ends_a_wait_soon() -> None:
    stop, naps = Stop(), []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            stop.set()

    stop.sleep(0.05, naps.append)
    assert naps == [0.05]
    naps.clear()
    with pytest.raises(Stopped):
        stop.sleep(60, nap)
    assert naps == [0.1, 0.1, 0.1]
