from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.training_data.making.splitting import split

if TYPE_CHECKING:
    from pathlib import Path


def lines(numbers: list[int]) -> bytes:
    return b"".join(b'{"n": %d}\n' % number for number in numbers)


def source_of(folder: Path, numbers: list[int]) -> Path:
    path = folder / "data.jsonl"
    path.write_bytes(lines(numbers))
    return path


def numbers_of(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_bytes().splitlines()]


def test_split__a_tenth_by_default(tmp_path: Path) -> None:
    done = split(source_of(tmp_path, list(range(200))))
    assert (done.training, done.validation) == (
        tmp_path / "data.train.jsonl",
        tmp_path / "data.valid.jsonl",
    )
    assert (done.n_training, done.n_validation) == (180, 20)
    assert len(numbers_of(done.training)) == 180
    assert len(numbers_of(done.validation)) == 20
    assert str(done) == (
        f"{done.training}: 180 examples to train on; {done.validation}: 20 to validate on."
    )


@pytest.mark.parametrize(
    ("validation", "n_validation"), [(0.5, 50), (0.001, 1), (0.999, 99), (7, 7), (99, 99)]
)
def test_split__share_or_number(validation: float, n_validation: int, tmp_path: Path) -> None:
    assert split(source_of(tmp_path, list(range(100))), validation).n_validation == n_validation


def test_split__another_seed_another_choice(tmp_path: Path) -> None:
    source = source_of(tmp_path, list(range(100)))
    chosen = [
        numbers_of(split(source, seed=seed, overwrite=True).validation) for seed in (0, 0, 1, 2)
    ]
    assert chosen[0] == chosen[1]
    assert len({tuple(numbers) for numbers in chosen}) == 3


def test_split__the_choice_is_the_same_on_every_machine(tmp_path: Path) -> None:
    assert numbers_of(split(source_of(tmp_path, list(range(20))), 4, seed=7).validation) == [
        2,
        3,
        15,
        16,
    ]


def test_split__what_is_taken_from_the_lines(tmp_path: Path) -> None:
    source = tmp_path / "data.jsonl"
    source.write_bytes(b'\xef\xbb\xbf{"n": 1}\r\n\n{"n":  2}\n  \nno JSON')
    done = split(source, 1)
    both = done.training.read_bytes() + done.validation.read_bytes()
    assert sorted(both.splitlines()) == [b"no JSON", b'{"n":  2}', b'{"n": 1}']


def test_split__named_files(tmp_path: Path) -> None:
    source = source_of(tmp_path, list(range(10)))
    done = split(source, training_path=tmp_path / "a", validation_path=tmp_path / "b")
    assert (done.training.name, done.validation.name) == ("a", "b")
    with pytest.raises(RequestError) as caught:
        split(source, training_path=tmp_path / "c", validation_path=str(tmp_path / "c"))
    assert caught.value.message == (
        f"The two parts of {source} cannot both be written to {tmp_path / 'c'}."
    )


def test_split__refuses_two_names_of_one_file(tmp_path: Path) -> None:
    source = source_of(tmp_path, list(range(10)))
    (tmp_path / "folder").mkdir()
    with pytest.raises(RequestError, match="cannot both be written to"):
        split(source, training_path=tmp_path / "c", validation_path=tmp_path / "folder/../c")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", ["data.train.jsonl", "data.valid.jsonl", "data.jsonl"])
def test_split__does_not_overwrite_unasked(name: str, tmp_path: Path) -> None:
    source = source_of(tmp_path, list(range(10)))
    target = tmp_path / name
    if name == "data.jsonl":
        with pytest.raises(FileExistsError):
            split(source, training_path=source)
        assert numbers_of(source) == list(range(10))
        return
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        split(source)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data.jsonl", name]
    assert target.read_text() == "mine"


@pytest.mark.parametrize("validation", [0, -1, 0.0, 1.0, 1.5, True, "0.1", None, float("nan")])
def test_split__neither_share_nor_number(validation: object, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        split(source_of(tmp_path, [1, 2]), validation)  # type: ignore[arg-type]  # what it must refuse
    assert caught.value.message == (
        "validation must be a share above 0 and below 1, or a whole number of examples above 0, "
        f"got {validation!r}."
    )


@pytest.mark.parametrize(
    ("numbers", "validation", "found", "wanted"),
    [([], 0.1, "0 examples", 1), ([1], 0.1, "1 example", 1), ([1, 2], 2, "2 examples", 2)],
)
def test_split__too_few(
    numbers: list[int], validation: float, found: str, wanted: int, tmp_path: Path
) -> None:
    source = source_of(tmp_path, numbers)
    with pytest.raises(TrainingDataError) as caught:
        split(source, validation)
    assert caught.value.message == (
        f"{source} has {found}, too few to validate on {wanted} and train on the rest."
    )
    assert list(tmp_path.iterdir()) == [source]


def test_split__all_the_same(tmp_path: Path) -> None:
    source = source_of(tmp_path, [1] * 20)
    with pytest.raises(TrainingDataError) as caught:
        split(source)
    assert caught.value.message == (
        f"All examples of {source} are the same, so that none can be held back to validate on."
    )


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=2, max_size=40).filter(lambda n: len(set(n)) > 1),
    st.floats(0.01, 0.99),
    st.integers(),
)
def test_split__is_a_partition_without_a_leak(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], validation: float, seed: int
) -> None:
    source = source_of(tmp_path_factory.mktemp("s"), numbers)
    done = split(source, validation, seed)
    training, held_back = numbers_of(done.training), numbers_of(done.validation)
    assert Counter(training) + Counter(held_back) == Counter(numbers)
    assert training == [number for number in numbers if number in training]
    assert held_back == [number for number in numbers if number in held_back]
    assert not set(training) & set(held_back)
    assert training
    assert held_back
    again = split(source, validation, seed, overwrite=True)
    assert again == done
    assert (numbers_of(again.training), numbers_of(again.validation)) == (training, held_back)


def test_split__order_of_keys_makes_no_other_example(tmp_path: Path) -> None:
    source = tmp_path / "data.jsonl"
    pairs = b"".join(b'{"n": %d, "m": 1}\n{"m":1,"n":%d}\n' % (n, n) for n in range(50))
    source.write_bytes(pairs)
    done = split(source, 0.3)
    assert not set(numbers_of(done.training)) & set(numbers_of(done.validation))
    assert 30 <= done.n_validation <= 31
