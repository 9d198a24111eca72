"""The picture of the layers in the docs, made from the table that tests/test_layers.py holds.

``python -m tests.support.layer_picture`` writes it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

from tests.test_layers import LAYERS, MODULES, NAME, VALUES, layer

__all__ = ["PICTURE", "layer_picture"]

PICTURE = Path(__file__).parents[2] / "docs" / "layers.svg"

_WIDTH = 960
_BOX_HEIGHT = 52
_GAP = 14
_LINE = 16
_LEAST_LENGTH = 20
_FONT = 'role="img" font-family="sans-serif" font-size="13" text-anchor="middle"'
_BOX = 'rx="6" fill="#eef3f8" stroke="#5b7a99"'


def layer_picture() -> str:
    """Return the picture: a row imports only from the rows above it."""
    known = {name: used & set(LAYERS) - VALUES for name, used in LAYERS.items()}
    inner = [name for name in LAYERS if name not in VALUES | {NAME}]
    outer = sorted({layer(module) for module in MODULES} - set(LAYERS))

    @cache
    def depth(name: str) -> int:
        return 1 + max((depth(other) for other in known[name]), default=-1)

    rows = [
        [(name, _uses(name, known)) for name in inner if depth(name) == row]
        for row in range(max(map(depth, inner)) + 1)
    ]
    above = [(", ".join(sorted(VALUES)), "small modules that every layer may import")]
    below = [(", ".join(outer), "built on a client")]
    return _drawing([above, *rows, below])


def _uses(name: str, known: dict[str, frozenset[str]]) -> str:
    """Return what a layer imports, without what that imports itself."""
    direct = known[name]
    indirect = {far for near in direct for far in known[near]}
    return f"uses {', '.join(sorted(direct - indirect))}" if direct else "stands alone"


def _drawing(rows: list[list[tuple[str, str]]]) -> str:
    height = len(rows) * (_BOX_HEIGHT + _GAP) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
        "<title>The layers of finetune_client: a row imports only from the rows above it</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, row in enumerate(rows):
        top = _GAP + number * (_BOX_HEIGHT + _GAP)
        lengths = [max(len(note), _LEAST_LENGTH) for _, note in row]
        room = _WIDTH - _GAP * (len(row) + 1)
        left = float(_GAP)
        for (name, note), length in zip(row, lengths, strict=True):
            width = room * length / sum(lengths)
            middle, baseline = left + width / 2, top + 22
            parts += [
                f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BOX_HEIGHT}" {_BOX}/>',
                f'<text x="{middle:.1f}" y="{baseline}" font-weight="bold">{escape(name)}</text>',
                f'<text x="{middle:.1f}" y="{baseline + _LINE}" font-size="11">{escape(note)}</text>',
            ]
            left += width + _GAP
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(layer_picture(), encoding="utf-8")
