from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from finetune_client.training_data import line_hashes
from finetune_client.training_data.line_hashes import LineHashes

if TYPE_CHECKING:
    import pytest


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
    assert held / 200_000 < 18.5


def test_divided__gives_what_one_bucket_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [5, -7, 5, 300, 5, -7, 44, 300]
    parts = (hashes(*values), hashes(9, 5, 300))
    expected = sorted(parts[0].repeated()), sorted(parts[0].shared(parts[1]))
    monkeypatch.setattr(line_hashes, "_MOST_AT_ONCE", 3)
    many, few = hashes(*values), hashes(9, 5, 300)
    assert (len(many._buckets), len(few._buckets), len(many)) == (256, 1, 8)
    assert (sorted(many.repeated()), sorted(many.shared(few))) == expected
    few = hashes(9, 5)
    few.add_part(many, 2)
    assert sorted(few.repeated()) == [(3, 2), (5, 2), (7, 2), (8, 4), (10, 6)]
