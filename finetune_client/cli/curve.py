"""Training curves as text."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import plotille

from finetune_client.svg import COLOURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Series = Mapping[str, Sequence[tuple[int, float]]]

__all__ = ["draw", "summarise"]

_MARKERS = (None, "o", "x", "+")
_MARKER_COUNT = 10
_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
"""What a round number begins with."""
_TICK_COLUMNS = 10
"""Columns between two numbers of plotille's axis below a curve; beside it each row has one."""


def draw(series: Series, *, width: int, height: int = 12, colour: bool) -> str:
    """Draw the series over their steps, with axes and a legend, in braille dots.

    Args:
        series: Name -> pairs of step and value.
        width: Of the plot without its axes, in characters.
        height: Likewise.
        colour: Use colours, of 24 bits each; markers tell the curves apart in any case.
    """
    steps = [step for points in series.values() for step, _ in points]
    values = [value for points in series.values() for _, value in points]
    figure = plotille.Figure()
    figure.width, figure.height = width, height
    figure.x_label, figure.y_label = "step", "loss"
    figure.origin = False  # the axes are drawn in any case; these would be lines of dots at zero
    figure.with_colors, figure.color_mode = colour, "rgb"
    first, last, _ = _axis(min(steps), max(steps), width / _TICK_COLUMNS, whole=True)
    low, high, digits = _axis(min(values), max(values), height)
    figure.set_x_limits(min_=first, max_=last)
    figure.set_y_limits(min_=low, max_=high)

    def label(value: float, chars: int, delta: float, left: bool = False) -> str:  # noqa: ARG001
        # plotille calls it with these four; only the numbers below the curve are aligned left.
        if left:
            return f"{value:.0f}".ljust(chars) if _is_whole(value) else " " * chars
        is_plain = digits < 6 and abs(value) < 1e7
        return (f"{value:.{digits}f}" if is_plain else f"{value:.3g}").rjust(chars)

    figure.register_label_formatter(float, label)
    figure.register_label_formatter(int, label)
    paints = itertools.cycle(paint.removeprefix("#") for paint in COLOURS)
    styles = list(zip(series, paints, itertools.cycle(_MARKERS), strict=False))
    # The first curve is drawn last: where curves meet it is seen, and the others by their markers.
    for name, paint, _ in reversed(styles):
        figure.plot(*zip(*series[name], strict=True), lc=paint)
    for name, paint, marker in styles:
        if marker is not None:
            every = max(1, len(series[name]) // _MARKER_COUNT)
            figure.scatter(*zip(*series[name][::every], strict=True), lc=paint, marker=marker)
    legend = "   ".join(
        plotille.color(f"⠤{marker or '⠤'}⠤ {name}", fg=paint, mode="rgb", no_color=not colour)
        for name, paint, marker in styles
    )
    return f"{figure.show()}\n\n{legend}"


def _axis(
    low: float, high: float, ticks: float, *, whole: bool = False
) -> tuple[float, float, int]:
    """Return the ends of an axis whose ticks are round numbers, and the decimals of these.

    Args:
        low: The lowest value.
        high: The highest value.
        ticks: How many ticks the axis is long, which its end need not meet.
        whole: Whether only whole numbers are written: there must be some among the ticks.
    """
    if high - low <= max(1e-9 * max(abs(low), abs(high)), 1e-300):
        room = abs(low) * 0.1 or 1.0
        low, high = low - room, high + room
    power = 10.0 ** math.floor(math.log10((high - low) / ticks))
    for step in (power * number for number in (*_ROUND, *(10 * n for n in _ROUND))):
        start = math.floor(low / step + 1e-9) * step
        has_whole = not whole or step >= 1 or _is_whole(1 / step)
        if has_whole and start + step * ticks >= high - 1e-9 * step:
            break
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return start, start + step * ticks, places + (not _is_whole(step * 10**places))


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6


def summarise(series: Series) -> list[str]:
    """Return a line for each series: its first and its last value, which may be the same."""
    ends = {name: [points[0], *points[1:][-1:]] for name, points in series.items() if points}
    return [
        f"{name}: " + ", ".join(f"{value:.4f} at step {step}" for step, value in points)
        for name, points in ends.items()
    ]
