"""Training curves as text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import plotille

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Series = Mapping[str, Sequence[tuple[int, float]]]

__all__ = ["draw", "loss_series", "summarise"]

COLOURS = ("bright_blue", "bright_yellow", "bright_green", "bright_magenta")
MARKERS = (None, "o", "x", "+")
MARKS = 10


def loss_series(names: Iterable[str]) -> list[str]:
    """Pick the names of losses; without any, of rewards, which is what reinforcement jobs have."""
    known = list(names)
    return [n for n in known if n.endswith("loss")] or [n for n in known if "reward" in n]


def draw(series: Series, *, width: int = 60, height: int = 12, colour: bool = True) -> str:
    """Draw the series over their steps, with axes and a legend, in braille dots."""
    figure = plotille.Figure()
    figure.width, figure.height = width, height
    figure.x_label, figure.y_label = "step", "loss"
    figure.with_colors = colour
    figure.register_label_formatter(float, _label)
    figure.register_label_formatter(int, _label)
    steps = [step for points in series.values() for step, _ in points]
    figure.set_x_limits(min_=min(steps), max_=max(*steps, min(steps) + 1))
    for number, points in enumerate(series.values()):
        _add(figure, points, number % len(COLOURS), colour=colour)
    return f"{figure.show()}\n\n{_legend(series, colour=colour)}"


def _legend(series: Series, *, colour: bool) -> str:
    looks = zip(series, itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False)
    return "   ".join(
        plotille.color(f"⠤{marker or '⠤'}⠤ {name}", fg=paint if colour else None)
        for name, paint, marker in looks
    )


def _add(
    figure: plotille.Figure,
    points: Sequence[tuple[int, float]],
    look: int,
    *,
    colour: bool,
) -> None:
    """Add one curve; all but the first bear a few marks, to be told apart without colours."""
    steps, values = zip(*points, strict=True)
    paint = COLOURS[look] if colour else None
    figure.plot(steps, values, lc=paint)
    if MARKERS[look] is not None:
        apart = max(1, len(points) // MARKS)
        figure.scatter(steps[::apart], values[::apart], lc=paint, marker=MARKERS[look])


def summarise(series: Series) -> list[str]:
    """Say in a line a series where it began and where it ended."""
    return [
        f"{name}: {points[0][1]:.4f} at step {points[0][0]}, "
        f"{points[-1][1]:.4f} at step {points[-1][0]}"
        for name, points in series.items()
        if points
    ]


def _label(value: float, chars: int, delta: float, left: bool = False) -> str:  # noqa: ARG001
    # plotille calls it with these four; an axis needs only the value and its side.
    text = f"{value:.4g}"
    return text.ljust(chars) if left else text.rjust(chars)
