from __future__ import annotations

import pytest

from finetune_client.cli.curve import draw, summarise


def test_summarise__says_first_and_last() -> None:
    series = {"train_loss": [(1, 5.5), (2, 4.25)], "valid_loss": []}
    assert summarise(series) == ["train_loss: 5.5000 at step 1, 4.2500 at step 2"]
    assert summarise({"reward": [(12, 0.5)]}) == ["reward: 0.5000 at step 12"]


def test_draw__has_axes_legend_and_dots() -> None:
    text = draw(
        {"train_loss": [(1, 5.0), (50, 2.0)], "valid_loss": [(50, 3.0)]}, width=60, colour=False
    )
    assert "(step)" in text
    assert "train_loss" in text
    assert "valid_loss" in text
    assert any("\u2801" <= mark <= "\u28ff" for mark in text)


def numbers(drawn: str) -> tuple[list[str], list[str]]:
    """What stands beside the rows, and below the columns."""
    lines = drawn.splitlines()
    end = next(number for number, line in enumerate(lines) if line.endswith("> (step)"))
    return [line.partition("|")[0].strip() for line in lines[1:end]], lines[end + 1].split()[1:]


@pytest.mark.parametrize(
    ("steps", "written"),
    [
        ((1, 105), "0 20 40 60 80 100"),
        ((1, 72), "0 15 30 45 60 75"),
        ((5000, 9000), "4800 5600 6400 7200 8000 8800"),
        ((1, 3), "1 2 3"),
        ((1, 2), "1 2"),
        ((3, 3), "3"),
    ],
)
def test_draw__steps_are_whole_numbers(steps: tuple[int, int], written: str) -> None:
    drawn = draw({"loss": [(step, 1.0 / step) for step in steps]}, width=57, colour=False)
    assert numbers(drawn)[1] == written.split()


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ((5.55, 2.51), "6.0 5.7 5.4 5.1 4.8 4.5 4.2 3.9 3.6 3.3 3.0 2.7 2.4"),
        ((0.693, 0.69), "0.69300 0.69275 0.69250 0.69225 0.69200 0.69175 0.69150"),
        ((4000, 120), "4800 4400 4000 3600 3200 2800 2400 2000 1600 1200 800 400 0"),
        ((2e-7, 1e-7), "2.2e-07 2.1e-07 2e-07 1.9e-07 1.8e-07 1.7e-07 1.6e-07"),
        ((3.0, 3.0), "3.30 3.25 3.20 3.15 3.10 3.05 3.00 2.95 2.90 2.85 2.80 2.75 2.70"),
        ((0.0, 0.0), "1.4 1.2 1.0 0.8 0.6 0.4 0.2 0.0 -0.2 -0.4 -0.6 -0.8 -1.0"),
    ],
)
def test_draw__values_beside_the_rows_are_round(values: tuple[float, float], written: str) -> None:
    drawn = draw({"loss": list(enumerate(values, 1))}, width=57, colour=False)
    wanted = written.split()
    assert [one.replace("-0.0", "0.0") for one in numbers(drawn)[0][: len(wanted)]] == wanted


def test_draw__the_first_curve_is_seen_where_another_meets_it() -> None:
    same = [(step, 5.0 / step) for step in range(1, 100)]
    one = draw({"train_loss": same}, width=57, colour=False).partition("\n\n")[0]
    both = draw({"train_loss": same, "valid_loss": same}, width=57, colour=False)
    drawn = both.partition("\n\n")[0]
    assert drawn.count("o") == one.count("o") + 11
    assert len(drawn) == len(one)


def test_draw__one_point_is_enough() -> None:
    assert "train_loss" in draw({"train_loss": [(3, 1.0)]}, width=60, colour=False)


def test_draw__without_colour_has_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in draw({"train_loss": [(1, 5.0), (2, 2.0)]}, width=60, colour=False)
    assert "\x1b" in draw({"train_loss": [(1, 5.0), (2, 2.0)]}, width=60, colour=True)
