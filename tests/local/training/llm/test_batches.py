from __future__ import annotations

import pytest

from finetune_client.local.training.llm.batches import Batches


def make(
    count: int = 10, *, rank: int = 0, processes: int = 1, passes: int = 1, seed: int = 3
) -> Batches:
    lengths = [[7 * number % 11 + 1] for number in range(count)]
    return Batches(lengths, passes=passes, processes=processes, rank=rank, batch_size=4, seed=seed)


def steps_of(*ranks: Batches, passes: int, epoch: int = 0) -> list[list[int]]:
    """The rows that count in each step, over all passes of all processes."""
    every = []
    for one in ranks:
        one.set_epoch(epoch)
        every.append([[row for row, counts in part if counts] for part in one])
    steps = len(every[0]) // passes
    return [
        sorted(
            row
            for parts in every
            for part in parts[passes * step : passes * (step + 1)]
            for row in part
        )
        for step in range(steps)
    ]


def test_batches__use_every_example_once_in_an_epoch() -> None:
    steps = steps_of(make(), passes=1)
    assert sorted(map(len, steps)) == [2, 4, 4]
    assert sorted(row for step in steps for row in step) == list(range(10))


@pytest.mark.parametrize(("processes", "passes"), [(1, 2), (1, 4), (2, 1), (2, 2), (4, 1)])
def test_batches__are_the_same_for_any_number_of_processes(processes: int, passes: int) -> None:
    ranks = [make(rank=rank, processes=processes, passes=passes) for rank in range(processes)]
    assert {len(one) for one in ranks} == {3 * passes}
    for epoch in (0, 1):
        expected = steps_of(make(), passes=1, epoch=epoch)
        assert steps_of(*ranks, passes=passes, epoch=epoch) == expected


def test_batches__depend_on_the_seed_and_the_epoch() -> None:
    first = steps_of(make(), passes=1)
    assert steps_of(make(), passes=1) == first
    assert steps_of(make(), passes=1, epoch=1) != first
    assert steps_of(make(seed=4), passes=1) != first


def test_batches__give_a_process_without_a_share_a_row_that_does_not_count() -> None:
    ranks = [make(5, rank=rank, processes=4) for rank in range(4)]
    parts = [part for one in ranks for part in one]
    assert all(parts)
    assert sum(counts for part in parts for _, counts in part) == 5
    assert any(not counts for part in parts for _, counts in part)


def test_batches__put_similar_lengths_into_one_batch() -> None:
    batches = Batches(
        [[number % 8 + 1] for number in range(32)],
        batch_size=4,
        passes=1,
        processes=1,
        rank=0,
        seed=0,
    )
    spans = [{row % 8 for row, _ in part} for part in batches]
    assert all(len(span) == 1 for span in spans)


def test_batches__may_leave_out_the_last() -> None:
    batches = Batches(
        [[1]] * 10, batch_size=4, passes=2, processes=1, rank=0, seed=0, drop_last=True
    )
    assert batches.steps == 2
    assert [len(part) for part in batches] == [2, 2, 2, 2]


def test_batches__keep_the_rows_of_an_example_together() -> None:
    batches = Batches([[1, 2], [3], [4]], batch_size=1, passes=1, processes=1, rank=0, seed=0)
    assert sorted(sorted(row for row, _ in part) for part in batches) == [[0, 1], [2], [3]]


def test_batches__keep_their_order_from_one_version_to_the_next() -> None:
    """A job that was cut short by an upgrade resumes in the middle of an epoch."""
    lengths = [[number % 9 + 1] for number in range(18)]
    batches = Batches(lengths, batch_size=2, passes=1, processes=1, rank=0, seed=7)
    assert [[row for row, _ in part] for part in batches] == [
        *([2, 10], [0, 9], [8, 17], [5, 14], [7, 16], [3, 12], [4, 13], [11, 1], [6, 15])
    ]
