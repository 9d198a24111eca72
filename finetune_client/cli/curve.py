"""Training curves as text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import plotille

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Series = Mapping[str, Sequence[tuple[int, float]]]

__all__ = ["draw", "summarise"]

_COLOURS = ("bright_blue", "bright_yellow", "bright_green", "bright_magenta")
_MARKERS = (None, "o", "x", "+")
_MARKER_COUNT = 10


def draw(series: Series, *, width: int, height: int = 12, colour: bool) -> str:
    """Draw the series over their steps, with axes and a legend, in braille dots.

    Args:
        series: Name -> pairs of step and value.
        width: Of the plot without its axes, in characters.
        height: Likewise.
        colour: Use colours; markers tell the curves apart in any case.
    """
    figure = plotille.Figure()
    figure.width, figure.height = width, height
    figure.x_label, figure.y_label = "step", "loss"
    figure.with_colors = colour
    figure.register_label_formatter(float, _label)
    figure.register_label_formatter(int, _label)
    steps = [step for points in series.values() for step, _ in points]
    figure.set_x_limits(min_=min(steps), max_=max(*steps, min(steps) + 1))
    for number, points in enumerate(series.values()):
        _add(figure, points, number % len(_COLOURS), colour=colour)
    return f"{figure.show()}\n\n{_legend(series, colour=colour)}"


def _legend(series: Series, *, colour: bool) -> str:
    styles = zip(series, itertools.cycle(_COLOURS), itertools.cycle(_MARKERS), strict=False)
    return "   ".join(
        plotille.color(f"⠤{marker or '⠤'}⠤ {name}", fg=paint if colour else None)
        for name, paint, marker in styles
    )


def _add(
    figure: plotille.Figure,
    points: Sequence[tuple[int, float]],
    style: int,
    *,
    colour: bool,
) -> None:
    """Add one curve; all but the first get a few markers, to be told apart without colours."""
    steps, values = zip(*points, strict=True)
    paint = _COLOURS[style] if colour else None
    figure.plot(steps, values, lc=paint)
    if _MARKERS[style] is not None:
        every = max(1, len(points) // _MARKER_COUNT)
        figure.scatter(steps[::every], values[::every], lc=paint, marker=_MARKERS[style])


def summarise(series: Series) -> list[str]:
    """Return a line for each series: its first and its last value."""
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
