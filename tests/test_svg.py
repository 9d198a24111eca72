from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.svg import Chart, draw

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


def titles(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}title")]


def curve_paths(picture: str, name: str) -> list[str]:
    groups = ET.fromstring(picture).iter(f"{SVG}g")
    group = next(one for one in groups if one.findtext(f"{SVG}title") == name)
    return [path.attrib["d"] for path in group.iter(f"{SVG}path")]


def test_draw__names_axes_and_curves() -> None:
    picture = draw({"train_loss": [(1, 2.0), (2, 1.0)]}, Chart(title="A job"))
    assert {"A job", "train_loss", "step", "loss", "1", "2"} <= set(texts(picture))
    assert titles(picture) == ["A job", "train_loss"]
    assert ET.fromstring(picture).attrib["aria-label"] == "A job"


def test_draw__without_a_title_says_what_it_shows() -> None:
    assert titles(draw({"a": [(1, 1.0)], "b": [(1, 2.0)]}))[0] == "a, b by step"


def test_draw__puts_the_lowest_value_below_and_the_last_step_at_the_right() -> None:
    picture = draw({"a": [(0, 1.0), (5, 3.0), (10, 2.0)]}, Chart(width=400, height=300))
    (path,) = curve_paths(picture, "a")
    (x0, y0), (x1, y1), (x2, y2) = (map(float, p.split(" ")) for p in path[1:].split("L"))
    assert x0 < x1 < x2 == 400 - 16
    assert y1 < y2 < y0 < 300


def test_draw__interrupts_a_curve_where_a_value_is_not_finite() -> None:
    points = [(1, 1.0), (2, 2.0), (3, math.nan), (4, 2.0), (5, 1.0), (6, math.inf), (7, 1.5)]
    picture = draw({"a": points})
    (path,) = curve_paths(picture, "a")
    assert path.count("M") == 2
    assert len(list(ET.fromstring(picture).iter(f"{SVG}circle"))) == 1


@pytest.mark.parametrize("curves", [{}, {"a": []}, {"a": [(1, math.nan)]}])
def test_draw__of_nothing_says_so(curves: dict[str, list[tuple[float, float]]]) -> None:
    assert texts(draw(curves)) == ["No values yet"]


def test_draw__escapes_every_text() -> None:
    evil = '"><script>alert(1)</script>'
    chart = Chart(title=evil, x_label=evil, y_label=evil, marks={1: evil}, best=(1, 1.0))
    picture = draw({evil: [(1, 1.0), (2, 2.0)]}, chart)
    assert "<script" not in picture
    assert texts(picture).count(evil) == 4


def test_draw__has_no_style_and_no_script() -> None:
    picture = draw({"a": [(1, 1.0), (2, 2.0)]}, Chart(epochs=2, marks={1: "x"}, best=(2, 2.0)))
    assert "style" not in picture
    assert "script" not in picture


def test_draw__thins_a_long_curve_but_keeps_its_peaks() -> None:
    points: list[tuple[float, float]] = [(n, 1.0) for n in range(100_000)]
    points[50_001] = (50_001, 9.0)
    points[70_001] = (70_001, -9.0)
    (path,) = curve_paths(draw({"a": points}), "a")
    heights = [float(p.split(" ")[1]) for p in path[1:].split("L")]
    assert len(heights) < 500
    assert len({max(heights), min(heights), heights[0]}) == 3


def test_draw__a_faint_curve_takes_the_colour_of_the_next_and_no_place_in_the_legend() -> None:
    curves = {"raw": [(1, 1.0), (2, 3.0)], "smooth": [(1, 1.0), (2, 2.0)]}
    picture = draw(curves, Chart(faint=frozenset({"raw"})))
    groups = {
        group.findtext(f"{SVG}title"): group.attrib
        for group in ET.fromstring(picture).iter(f"{SVG}g")
    }
    assert groups["raw"]["color"] == groups["smooth"]["color"]
    assert groups["raw"]["opacity"] == "0.3"
    assert "raw" not in texts(picture)


def test_draw__counts_epochs_on_a_second_axis() -> None:
    said = texts(draw({"a": [(1, 1.0), (30, 2.0)]}, Chart(epochs=3)))
    epochs = said[said.index("epoch") + 1 :]
    assert epochs[:3] == ["1", "2", "3"]


def test_draw__rings_the_best_point_and_marks_checkpoints() -> None:
    chart = Chart(best=(2, 1.5), marks={1: "ckpt-1", 99: "outside"})
    assert titles(draw({"a": [(1, 2.0), (2, 1.5)]}, chart))[1:] == [
        "ckpt-1",
        "a",
        "best: 1.5 at step 2",
    ]


def test_draw__a_legend_with_many_names_stays_inside() -> None:
    names = [f"a_long_name_of_a_curve_{n}" for n in range(9)]
    picture = draw({name: [(1, 1.0), (2, 2.0)] for name in names}, Chart(width=480))
    elements = [e for e in ET.fromstring(picture).iter(f"{SVG}text") if e.text in names]
    assert len(elements) == 9
    assert all(float(e.attrib["x"]) + 7 * len(e.text or "") < 480 for e in elements)
    assert len({e.attrib["y"] for e in elements}) > 3


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.0, 4.0, ["0", "1", "2", "3", "4"]),
        (2.25, 2.5, ["2.25", "2.30", "2.35", "2.40", "2.45", "2.50"]),
        (0.0, 1e-7, ["0", "2e-08", "4e-08", "6e-08", "8e-08", "1e-07"]),
        (0.0, 4e9, ["0", "1e+09", "2e+09", "3e+09", "4e+09"]),
    ],
)
def test_draw__writes_round_numbers(low: float, high: float, said: list[str]) -> None:
    picture = ET.fromstring(draw({"a": [(1, low), (2, high)]}))
    at_the_left = [e.text for e in picture.iter(f"{SVG}text") if e.attrib["text-anchor"] == "end"]
    assert at_the_left == said


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=20),
        st.lists(st.tuples(st.integers(0, 10**9), st.floats(width=32)), max_size=30),
        max_size=4,
    )
)
def test_draw__whatever_the_numbers_it_is_well_formed(
    curves: dict[str, list[tuple[int, float]]],
) -> None:
    ET.fromstring(draw(curves))
