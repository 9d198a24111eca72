"""A drawing of curves as SVG: the one that metrics, notebooks, reports and the server's page show.

It has no styles and no scripts, so that it may stand in a page that forbids both; its text and
axes take the colour of the text around it (``currentColor``), so that it is legible on a light and
on a dark page alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape as html_escape
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["COLOURS", "Chart", "Curve", "draw"]

Curve: TypeAlias = "Sequence[tuple[float, float]]"
"""``(x, y)`` points from left to right. A value that is not finite interrupts the curve."""

COLOURS = ("#3b82f6", "#f97316", "#10b981", "#a855f7", "#ef4444", "#0891b2", "#ca8a04", "#db2777")
"""Each has a contrast of at least 2.5 to 1 both on white and on near-black."""

_DASHES = ("", "7 3", "2 3", "9 3 2 3")
"""So that curves can be told apart without colours."""

_MOST_POINTS = 400
"""Of one curve: more would lie closer than a pixel."""

_FONT = 'font-family="system-ui, sans-serif" font-size="12"'
_LEFT, _RIGHT, _BOTTOM = 64, 16, 44
_LINE = 18
_TICKS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """What is drawn around the curves.

    Attributes:
        x_label, y_label: The names of the axes.
        title: A line above; also what a screen reader says.
        faint: The names of curves that are drawn pale, such as the raw values behind smooth ones;
            each takes the colour of the next curve.
        marks: Vertical lines: x -> what stands there, such as a checkpoint. A screen reader and
            the pointer get the text.
        best: The point that is ringed.
        epochs: How many epochs the whole width of the curves is; they become an axis above.
        width, height: Of the whole drawing, in pixels.
    """

    x_label: str = "step"
    y_label: str = "loss"
    title: str = ""
    faint: frozenset[str] = frozenset()
    marks: Mapping[float, str] | None = None
    best: tuple[float, float] | None = None
    epochs: float | None = None
    width: int = 640
    height: int = 320


def draw(curves: Mapping[str, Curve], chart: Chart | None = None) -> str:
    """Return an ``<svg>`` element with axes, a legend and one line for each curve.

    Args:
        curves: Name -> points. One without a finite point is left out.
        chart: What is drawn around them.
    """
    chart = chart or Chart()
    finite = {
        name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for name, points in curves.items()
    }
    shown = {name: points for name, points in finite.items() if points}
    title = chart.title or f"{', '.join(shown) or 'No curves'} by {chart.x_label}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {chart.width} {chart.height}" '
        f'width="{chart.width}" height="{chart.height}" role="img" '
        f'fill="currentColor" {_FONT} aria-label="{_escape(title)}"><title>{_escape(title)}</title>'
    )
    if shown:
        parts = _Drawing(curves, shown, chart).parts()
    else:
        parts = [_text(chart.width / 2, chart.height / 2, "No values yet")]
    return "\n".join([head, *parts, "</svg>"])


class _Drawing:
    """The scales of one drawing, and what is drawn with them."""

    def __init__(
        self,
        curves: Mapping[str, Curve],
        shown: Mapping[str, Sequence[tuple[float, float]]],
        chart: Chart,
    ) -> None:
        self._curves = {name: curves[name] for name in shown}
        self._chart = chart
        self._legend = _legend_rows([n for n in shown if n not in chart.faint], chart.width)
        above = bool(chart.title) + len(self._legend) + (2 if chart.epochs else 0)
        self._top = 10 + _LINE * above
        self._right = chart.width - _RIGHT
        self._floor = chart.height - _BOTTOM
        xs = [x for points in shown.values() for x, _ in points]
        ys = [y for points in shown.values() for _, y in points]
        self._x = _span(min(xs), max(xs), margin=0.0)
        self._y = _span(min(ys), max(ys), margin=0.05)

    def parts(self) -> list[str]:
        """Return the elements, from the back to the front."""
        return [
            *self._axes(),
            *self._epochs(),
            *self._marks(),
            *self._lines(),
            *self._best(),
            *self._legend_and_title(),
        ]

    def _at_x(self, value: float) -> float:
        low, high = self._x
        return _LEFT + (value - low) / (high - low) * (self._right - _LEFT)

    def _at_y(self, value: float) -> float:
        low, high = self._y
        return self._floor - (value - low) / (high - low) * (self._floor - self._top)

    def _axes(self) -> list[str]:
        parts = []
        for value, text in _ticks(*self._y):
            y = self._at_y(value)
            parts.append(_line(f"M{_LEFT} {y:.1f}H{self._right}", opacity=0.15))
            parts.append(_text(_LEFT - 6, y + 4, text, anchor="end"))
        for value, text in _ticks(*self._x, whole=True):
            x = self._at_x(value)
            parts.append(_line(f"M{x:.1f} {self._floor}v5"))
            parts.append(_text(x, self._floor + 18, text))
        parts.append(_line(f"M{_LEFT} {self._top}V{self._floor}H{self._right}"))
        centre, middle = (_LEFT + self._right) / 2, (self._top + self._floor) / 2
        parts.append(_text(centre, self._chart.height - 8, self._chart.x_label))
        parts.append(_text(0, 0, self._chart.y_label, f"translate(14 {middle:g}) rotate(-90)"))
        return parts

    def _epochs(self) -> list[str]:
        epochs = self._chart.epochs
        if not epochs:
            return []
        last = self._x[1]
        parts = [
            _line(f"M{_LEFT} {self._top}H{self._right}", opacity=0.5),
            _text((_LEFT + self._right) / 2, self._top - 22, "epoch"),
        ]
        for value, text in _ticks(0, epochs, whole=True):
            step = value / epochs * last
            if self._x[0] <= step <= last:
                x = self._at_x(step)
                parts.append(_line(f"M{x:.1f} {self._top}v-5"))
                parts.append(_text(x, self._top - 8, text))
        return parts

    def _marks(self) -> list[str]:
        return [
            _line(
                f"M{self._at_x(x):.1f} {self._top}V{self._floor}",
                dashes="2 4",
                opacity=0.6,
                title=text,
            )
            for x, text in (self._chart.marks or {}).items()
            if self._x[0] <= x <= self._x[1]
        ]

    def _lines(self) -> list[str]:
        parts, number = [], 0
        for name, points in self._curves.items():
            faint = name in self._chart.faint
            dashes = "" if faint else _DASHES[number % len(_DASHES)]
            parts.append(
                f'<g color="{COLOURS[number % len(COLOURS)]}" opacity="{0.3 if faint else 1}">'
                f"<title>{_escape(name)}</title>{self._path(_thinned(points), dashes)}</g>"
            )
            number += not faint
        return parts

    def _path(self, points: Iterable[tuple[float, float]], dashes: str) -> str:
        """Return the curve's lines, and a dot for each point that has no neighbour."""
        stretches: list[list[str]] = [[]]
        for x, y in points:
            if math.isfinite(x) and math.isfinite(y):
                stretches[-1].append(f"{self._at_x(x):.1f} {self._at_y(y):.1f}")
            else:
                stretches.append([])
        lines = "".join(f"M{'L'.join(stretch)}" for stretch in stretches if len(stretch) > 1)
        path = _line(lines, width=2, dashes=dashes)
        dots = (stretch[0].split(" ") for stretch in stretches if len(stretch) == 1)
        circles = [f'<circle cx="{x}" cy="{y}" r="2.5" fill="currentColor"/>' for x, y in dots]
        return (path if lines else "") + "".join(circles)

    def _best(self) -> list[str]:
        if self._chart.best is None:
            return []
        x, y = self._chart.best
        title = _escape(f"best: {y:.4g} at {self._chart.x_label} {x:g}")
        ring = f'<circle cx="{self._at_x(x):.1f}" cy="{self._at_y(y):.1f}" r="6" fill="none"'
        return [f'{ring} stroke="currentColor" stroke-width="2"><title>{title}</title></circle>']

    def _legend_and_title(self) -> list[str]:
        parts, y, number = [], 16, 0
        if self._chart.title:
            parts.append(
                f'<g font-weight="bold">{_text(_LEFT, y, self._chart.title, anchor="start")}</g>'
            )
            y += _LINE
        for row in self._legend:
            x = float(_LEFT)
            for name in row:
                dashes = _DASHES[number % len(_DASHES)]
                sample = _line(f"M{x:.0f} {y - 4}h22", width=2, dashes=dashes)
                parts.append(f'<g color="{COLOURS[number % len(COLOURS)]}">{sample}</g>')
                parts.append(_text(x + 28, y, name, anchor="start"))
                x += _entry_width(name)
                number += 1
            y += _LINE
        return parts


def _escape(text: str) -> str:
    """Return a text as XML; what cannot be printed, such as NUL, has no place in XML."""
    return html_escape("".join(one if one.isprintable() else "\ufffd" for one in text))


def _text(x: float, y: float, text: str, transform: str = "", *, anchor: str = "middle") -> str:
    place = f'transform="{transform}"' if transform else f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {place} text-anchor="{anchor}">{_escape(text)}</text>'


def _line(
    path: str, *, width: float = 1, dashes: str = "", opacity: float = 1, title: str = ""
) -> str:
    parts = [f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="{width}"']
    parts += [f'stroke-dasharray="{dashes}"'] if dashes else []
    parts += [f'opacity="{opacity}"'] if opacity != 1 else []
    inside = f"<title>{_escape(title)}</title>" if title else ""
    return f'{" ".join(parts)} stroke-linejoin="round">{inside}</path>'


def _entry_width(name: str) -> float:
    return 44 + 7.0 * len(name)


def _legend_rows(names: Iterable[str], width: int) -> list[list[str]]:
    """Divide the names among lines, so that none runs out of the drawing."""
    rows: list[list[str]] = [[]]
    used = 0.0
    for name in names:
        if rows[-1] and used + _entry_width(name) > width - _LEFT:
            rows.append([])
            used = 0.0
        rows[-1].append(name)
        used += _entry_width(name)
    return rows


def _span(low: float, high: float, *, margin: float) -> tuple[float, float]:
    """Return the ends of an axis; never the same number twice."""
    if low == high:
        room = abs(low) * 0.1 or 1.0
        return (low - room, high + room) if margin else (low, low + 1)
    room = (high - low) * margin
    return low - room, high + room


def _ticks(low: float, high: float, *, whole: bool = False) -> list[tuple[float, str]]:
    """Return round numbers between two ends, and how they are written."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough)
    if whole:
        step = max(1.0, step if step < 1 or step == int(step) else math.ceil(step))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9) + (f"{step / power:.1f}" == "2.5"))
    largest = max(abs(low), abs(high))
    plain = largest < 1e7 and digits <= 5
    return [
        (index * step, f"{index * step:.{digits}f}" if plain else f"{index * step:.3g}")
        for index in range(first, last + 1)
    ]


def _thinned(points: Curve) -> Curve:
    """Return at most about `_MOST_POINTS` points: of each stretch its lowest and its highest."""
    if len(points) <= _MOST_POINTS:
        return points
    size = math.ceil(2 * len(points) / _MOST_POINTS)
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        if any(not math.isfinite(y) for _, y in stretch):
            kept += stretch
            continue
        ends = {stretch.index(extreme(stretch, key=_height)) for extreme in (min, max)}
        kept += [stretch[index] for index in sorted(ends)]
    return kept


def _height(point: tuple[float, float]) -> float:
    return point[1]
