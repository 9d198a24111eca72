from __future__ import annotations

import threading
import time

import pytest

from finetune_client.testing import VirtualClock


def test_sleep__moves_the_clock_and_takes_no_time() -> None:
    clock = VirtualClock(1000.0)
    before = time.monotonic()
    clock.sleep(3 * 3600)
    assert clock.now() == 1000 + 3 * 3600
    assert clock.to_clock().monotonic() == 3 * 3600
    assert time.monotonic() - before < 5


def test_advance__cannot_go_back() -> None:
    with pytest.raises(ValueError, match=r"The clock cannot go back, by -1 seconds\."):
        VirtualClock().advance(-1)


def test_wait__ends_in_the_order_of_the_times() -> None:
    clock = VirtualClock(
        0.0, is_settled=lambda waiting: waiting == sum(t.is_alive() for t in threads)
    )
    woken: list[tuple[str, float]] = []

    def worker(name: str, span: float) -> None:
        for _ in range(3):
            clock.wait(threading.Event(), span)
            woken.append((name, clock.now()))

    threads = [threading.Thread(target=worker, args=pair) for pair in (("a", 10.0), ("b", 16.0))]
    for thread in threads:
        thread.start()
    clock.advance(33)
    assert woken == [("a", 10), ("b", 16), ("a", 20), ("a", 30), ("b", 32)]
    clock.advance(100)
    for thread in threads:
        thread.join(10)
    assert woken[5:] == [("b", 48)]
    assert clock.now() == 133


def test_wait__ends_when_the_event_is_set() -> None:
    clock, event, results = VirtualClock(), threading.Event(), []
    thread = threading.Thread(target=lambda: results.append(clock.wait(event, 60)))
    thread.start()
    event.set()
    thread.join(10)
    assert results == [True]
    assert clock.wait(threading.Event(), 0) is False
