from __future__ import annotations

import sys

from finetune_client.training_data.line_hashes import LineHashes


def hashes(*values: int) -> LineHashes:
    made = LineHashes()
    made.add(list(values), list(range(1, len(values) + 1)))
    return made


def test_repeated__each_later_line_with_the_first() -> None:
    assert sorted(hashes(5, -7, 5, 300, 5, -7).repeated()) == [(3, 1), (5, 1), (6, 2)]
    assert list(hashes(1, 2, 257).repeated()) == []


def test_absorb__lines_go_on() -> None:
    first = hashes(5, 6)
    first.add_part(hashes(6, 7, 6), 10)
    assert sorted(first.repeated()) == [(11, 2), (13, 2)]


def test_shared__with_the_first_line_there() -> None:
    assert sorted(hashes(5, 6, 5).shared(hashes(9, 5, 5))) == [(1, 2), (3, 2)]


def test_digests__take_at_most_17_bytes_a_line() -> None:
    made = hashes(*range(200_000))
    held = sum(sys.getsizeof(part) for bucket in made._buckets for part in bucket)
    empty = sum(sys.getsizeof(part) for bucket in LineHashes()._buckets for part in bucket)
    assert (held - empty) / 200_000 < 17.5
