from __future__ import annotations

from finetune_client.clock import backoff


def test_backoff__doubles_up_to_the_longest() -> None:
    waits = [backoff(number, first=0.5, longest=8.0) for number in range(1, 8)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_backoff__grows_as_told_and_never_overflows() -> None:
    waits = [backoff(number, first=2.0, longest=4.0, growth=1.5) for number in (1, 2, 3, 10**6)]
    assert waits == [2.0, 3.0, 4.0, 4.0]
    assert backoff(10**6, first=0.5, longest=8.0) == 8.0
