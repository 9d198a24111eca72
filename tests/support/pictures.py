"""The pictures of the docs, made by the commands that they show.

``python -m tests.support.pictures [NAME ...]`` writes them into docs/images: all, or those of some functions
of `PICTURES`. Beside the extra ``dev`` it needs the dependency group ``pictures``
(``pip install --group pictures``), Chromium and chromedriver; ``evaluation`` needs the extra ``llm`` too, and
trains for some minutes. Look at what it has made before you commit it.

The terminals are SVG: sharp at any size, a few kilobytes, and dark or light as the reader's system is. What a browser
shows, and matplotlib draws, is PNG.
"""

from __future__ import annotations

import argparse
import copy
import io
import os
import re
import shlex
import sys
import tempfile
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyte
from PIL import Image

from tests.support.browser import Browser, open_browser
from tests.support.terminal import in_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PICTURES", "main"]

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
COLUMNS, ROWS = 80, 100
SCALE = 2
"""Pixels of a picture for each pixel of a page, so that it is sharp on every screen."""

Cells = list[list[pyte.screens.Char]]
"""A terminal's characters, row by row."""


class Studio:
    """A browser, and a home that nobody has used before.

    Args:
        browser: What pages are shown in.
        home: The home of the user who runs the commands.
        base_model: The real model that is trained.
    """

    def __init__(self, browser: Browser, home: Path, base_model: str) -> None:
        self.browser = browser
        self.home = home
        self.base_model = base_model
        self.env = {"HOME": str(home), "PYTHONPATH": str(ROOT)}

    def run(self, command: str, *, during: str = "") -> tuple[Cells, Cells]:
        """Run a command in a terminal; return what it shows in the middle and at the end.

        Args:
            command: As the docs have it.
            during: The middle is when this pattern is first found on the screen.
        """
        screen = pyte.Screen(COLUMNS, ROWS)
        stream = pyte.ByteStream(screen)
        stream.feed(f"$ {command}\r\n".encode())
        middle: list[Cells] = []

        def show(block: bytes) -> None:
            stream.feed(block)
            if during and not middle and re.search(during, "\n".join(screen.display)):
                middle.append(cells(screen))

        arguments = shlex.split(command)[1:]
        status, _ = in_terminal(*arguments, env=self.env, seconds=1800, on_output=show)
        assert status == 0, "\n".join(screen.display)
        assert middle or not during, f"{during!r} was never there"
        return (middle or [[]])[0], cells(screen)

    def shoot(
        self, page: str, name: str, *, width: int, dark: bool = False, down_to: str = "html"
    ) -> None:
        """Write a picture of a page of HTML.

        Args:
            page: The HTML.
            name: Of the file.
            width: In CSS pixels.
            dark: Whether the reader prefers dark pages.
            down_to: The selector of the element that the picture ends with.
        """
        file = self.home / "page.html"
        file.write_text(page, encoding="utf-8")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.devtools("Emulation.setEmulatedMedia", features=[scheme])
        self.browser.devtools("Emulation.setScrollbarsHidden", hidden=True)
        self.browser.resize(width, 200, scale=SCALE)
        self.browser.go(file.as_uri())
        height = self.browser.run(
            "return Math.ceil(document.querySelector(arguments[0]).getBoundingClientRect().bottom)",
            down_to,
        )
        self.browser.resize(width, height, scale=SCALE)
        self.browser.screenshot(file.with_suffix(".png"))
        save_small(file.with_suffix(".png"), IMAGES / name)


def save_small(source: Path, target: Path) -> None:
    """Save a picture with a palette of its own, in a third of the bytes."""
    with Image.open(source) as picture:
        few = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    saved = io.BytesIO()
    few.save(saved, "png", optimize=True)
    write(target, saved.getvalue())


def cells(screen: pyte.Screen) -> Cells:
    """Return the rows of a screen down to the last that is not empty."""
    rows = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
    while rows and not "".join(cell.data for cell in rows[-1]).strip():
        rows.pop()
    return copy.deepcopy(rows)


def text_of(rows: Cells) -> str:
    """Return what stands on a screen; a line that is wider than it continues in the next."""
    lines = ["".join(cell.data for cell in row) for row in rows]
    return "".join(
        line if len(line.rstrip()) == COLUMNS else f"{line.rstrip()}\n" for line in lines
    )


CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.43, 18.0, 16.0
"""Pixels of a character of 14 pixels, and around the screen."""

COLOURS = {  # name of pyte -> on dark, on light: those of Visual Studio Code's terminal
    "background": ("#1e1e1e", "#ffffff"),
    "default": ("#d4d4d4", "#333333"),
    "red": ("#cd3131", "#cd3131"),
    "green": ("#0dbc79", "#107c10"),
    "brown": ("#e5e510", "#949800"),
    "blue": ("#2472c8", "#0451a5"),
    "magenta": ("#bc3fbc", "#bc05bc"),
    "cyan": ("#11a8cd", "#0598bc"),
}

_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""The column and line of each dot of a braille character, from its lowest bit to its highest."""


def terminal_svg(rows: Cells, title: str) -> str:
    """Return a drawing of a terminal's screen, dark or light as the reader's system is."""
    width = round(COLUMNS * CELL_WIDTH + 2 * MARGIN)
    height = round(len(rows) * CELL_HEIGHT + 2 * MARGIN)
    parts = [part for y, row in enumerate(rows) for part in _row(row, MARGIN + y * CELL_HEIGHT)]
    used = [name for name in COLOURS if any(f'"{name}"' in part for part in parts)]
    dark, light = (
        "".join(f".{name}{{color:{COLOURS[name][number]}}}" for name in ["background", *used])
        for number in (0, 1)
    )
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}" '
                'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">'
            ),
            (
                "<style>text{fill:currentColor;white-space:pre}"
                "path{stroke:currentColor;stroke-width:3;stroke-linecap:round}"
                f"{dark}@media(prefers-color-scheme:light){{{light}}}</style>"
            ),
            (
                f'<rect class="background" width="{width}" height="{height}" rx="6" '
                'fill="currentColor"/>'
            ),
            *parts,
            "</svg>\n",
        ]
    )


def _row(row: list[pyte.screens.Char], top: float) -> Iterator[str]:
    """Yield the texts of a row; braille, which few fonts have, as dots."""

    def style(one: tuple[int, pyte.screens.Char]) -> tuple[str, bool, bool]:
        return one[1].fg, one[1].bold, "\u2800" <= one[1].data <= "\u28ff"

    for (fg, bold, is_braille), run in groupby(enumerate(row), key=style):
        places = list(run)
        colour = f'class="{fg}"' if fg in COLOURS else f'color="#{fg}"'
        if is_braille:
            dots = "".join(
                f"M{MARGIN + (x + column / 2 + 0.25) * CELL_WIDTH:.1f} "
                f"{top + (line + 0.5) * CELL_HEIGHT / 4:.1f}h0"
                for x, cell in places
                for bit, (column, line) in enumerate(_DOTS)
                if ord(cell.data) - 0x2800 >> bit & 1
            )
            if dots:
                yield f'<path {colour} d="{dots}"/>'
            continue
        while places and places[-1][1].data == " ":
            places.pop()
        while places and places[0][1].data == " ":
            del places[0]
        if places:
            text = escape("".join(cell.data for _, cell in places), quote=False)
            weight = ' font-weight="bold"' if bold else ""
            yield (
                f'<text {colour}{weight} x="{MARGIN + places[0][0] * CELL_WIDTH:.1f}" '
                f'y="{top + 13:.0f}" textLength="{len(places) * CELL_WIDTH:.1f}">{text}</text>'
            )


def terminal(studio: Studio) -> None:
    """README's first command, in the middle of training and at the end."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert block is not None
    command = block[1].strip().rpartition("&& .venv/bin/")[2]
    middle, end = studio.run(command, during=r"training .* [3-9]\d/105")
    for rows, name, title in (
        (middle, "terminal-training", "finetune run, while it trains"),
        (end, "terminal", "finetune run, when it has ended"),
    ):
        write(IMAGES / f"{name}.svg", terminal_svg(rows, title).encode())


def write(path: Path, content: bytes) -> None:
    """Write a picture, and say how large it is."""
    path.write_bytes(content)
    sys.stdout.write(f"{path.name}: {len(content) / 1000:.0f} kB\n")


def curve(studio: Studio) -> None:
    """The plot of `finetune metrics`, of a job of eight epochs."""
    files = "docs/examples/python_topics_train.jsonl --validation docs/examples/python_topics_valid.jsonl"
    _, end = studio.run(f"finetune run {files} --model tiny --local --epochs 8")
    [job] = re.findall(r"^Job (ftjob-\w+):", text_of(end), re.MULTILINE)
    picture = studio.home / "curve.png"
    studio.run(f"finetune metrics {job} --plot {picture} --local")
    save_small(picture, IMAGES / "curve.png")


NOTEBOOK = """
from pathlib import Path
from finetune_client import Client
client = Client.local(step_seconds=0.1)
examples = Path("docs/examples")
job = client.jobs.create(
    model="tiny",
    training_file=examples / "python_topics_train.jsonl",
    validation_file=examples / "python_topics_valid.jsonl",
)
# ---
client.jobs.watch(job.id)
# ---
client.jobs.retrieve(job.id)
"""


def notebook(studio: Studio) -> None:
    """A job that is watched, in the middle and at the end, and a job, in a notebook that really runs."""
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(code.strip()) for code in NOTEBOOK.split("# ---")]
    book = nbformat.v4.new_notebook(cells=cells)
    middle: list[nbformat.NotebookNode] = []
    client = NotebookClient(book, resources={"metadata": {"path": str(ROOT)}})
    handle = client.process_message

    def note(message: dict[str, Any], cell: nbformat.NotebookNode, number: int) -> Any:
        """Keep the notebook as it is when half of the steps are done."""
        found = handle(message, cell, number)
        if number == 1 and not middle and re.search(r"[56]\d of 105", str(cell.outputs)):
            middle.append(copy.deepcopy(book))
        return found

    client.process_message = note
    with client.setup_kernel(env={**os.environ, **studio.env}):
        for number, cell in enumerate(book.cells):
            client.execute_cell(cell, number)
    assert middle
    for cell, name, themes in (
        (middle[0].cells[1], "watch", ("light", "dark")),
        (book.cells[2], "job", ("light",)),
    ):
        for theme in themes:
            page = notebook_page(nbformat.v4.new_notebook(cells=[cell]), theme)
            studio.shoot(page, f"notebook-{name}-{theme}.png", width=860, dark=theme == "dark")


def notebook_page(book: Any, theme: str) -> str:
    """Return a notebook as JupyterLab shows it, without what would be fetched from elsewhere."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(theme=theme, mathjax_url="", require_js_url="", jquery_url="")
    page, _ = exporter.from_notebook_node(book)
    return str(page)


def evaluation(studio: Studio) -> None:
    """The report of `finetune evaluate` on a real model, which is trained for it; and that training."""
    files = (
        "docs/examples/python_short_train.jsonl --validation docs/examples/python_short_valid.jsonl"
    )
    _, end = studio.run(f"finetune run {files} --model {studio.base_model} --local")
    shown = text_of(end)
    write(
        IMAGES / "terminal-llm.svg", terminal_svg(end, "finetune run, with a real model").encode()
    )
    [tuned] = re.findall(r"^Model: (\S+)$", shown, re.MULTILINE)
    base = tuned.split(":")[1]
    report, answers = studio.home / "report.html", studio.home / "answers.jsonl"
    studio.run(
        f"finetune evaluate docs/examples/python_short_valid.jsonl -m {base} -m {tuned} --local "
        f"--max-tokens 60 --output {answers} --html {report}"
    )
    for dark, theme in ((False, "light"), (True, "dark")):
        studio.shoot(
            report.read_text("utf-8"),
            f"evaluation-{theme}.png",
            width=1000,
            dark=dark,
            down_to=".side tbody tr:nth-child(2)",
        )


PICTURES: dict[str, Callable[[Studio], None]] = {
    "terminal": terminal,
    "curve": curve,
    "notebook": notebook,
    "evaluation": evaluation,
}


def main() -> None:
    """Make all pictures, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--home", type=Path, help="the home of the user whom the pictures show")
    parser.add_argument("--base-model", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    chosen = parser.parse_args()
    os.chdir(ROOT)
    for name in ("XDG_DATA_HOME", "FINETUNE_DIRECTORY", "NO_COLOR", "COLORTERM"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as directory:
        home = chosen.home or Path(directory) / "home"
        home.mkdir(exist_ok=True)
        with open_browser(Path(directory)) as browser:
            for name in chosen.names or PICTURES:
                PICTURES[name](Studio(browser, home, chosen.base_model))


if __name__ == "__main__":
    main()
