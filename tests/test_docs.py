"""Every ``python`` block of the README and the docs runs, page by page, as a reader would."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python *(no-run)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(mark, code) for mark, code in BLOCK.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page__its_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, (mark, code) in enumerate(blocks(page), 1):
        compiled = compile(code, f"{page.name}, block {number}", "exec")
        if not mark:
            exec(compiled, namespace)


def test_tutorial__shows_what_its_check_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    page = ROOT / "docs" / "tutorial.md"
    namespace: dict[str, object] = {}
    for _, code in blocks(page)[:2]:
        capsys.readouterr()
        exec(code, namespace)
    assert f"```\n{capsys.readouterr().out}```\n" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page__its_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_pictures__are_small_and_each_is_shown_with_words_for_it() -> None:
    shown = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", text)
        found += [
            (words, path) for path, words in re.findall(r'<img src="([^"]+)" alt="([^"]*)"', text)
        ]
        shown.update({(page.parent / path).resolve(): words for words, path in found})
    folder = ROOT / "docs" / "images"
    assert {path for path in folder.iterdir() if not shown.get(path.resolve())} == set()
    assert {path: path.stat().st_size for path in shown if path.stat().st_size > 150_000} == {}


def test_terminals__are_80_columns_wide_and_nothing_is_fetched() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("terminal*.svg"))
    assert len(pictures) >= 2
    for path in pictures:
        drawn = ET.fromstring(path.read_text(encoding="utf-8"))
        assert float(drawn.attrib["width"]) == 706
        ends = [
            float(text.attrib["x"]) + float(text.attrib["textLength"])
            for text in drawn.iter("{http://www.w3.org/2000/svg}text")
        ]
        assert max(ends) <= 706 - 15
        assert "http" not in path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")


def test_readme__begins_with_two_commands_of_one_line() -> None:
    fences = re.findall(
        r"^```(\S[^\n]*)\n(.*?)^```$",
        PAGES[0].read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert [language for language, _ in fences[:2]] == ["sh", "sh"]
    assert [code.count("\n") for _, code in fences[:2]] == [1, 1]
    assert [language for language, _ in fences].count("sh") == 2


@pytest.mark.parametrize("folder", ["docs", "docs/reference", "docs/decisions"])
def test_index__lists_the_pages_that_are_in_its_table_of_contents(folder: str) -> None:
    text = (ROOT / folder / "index.md").read_text(encoding="utf-8")
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    entries = [line for tree in trees for line in tree.splitlines() if line and line[0] != ":"]
    listed = {target.removesuffix(".md") for target in LINK.findall(text)}
    shown = {
        str(found.relative_to(ROOT / folder).with_suffix(""))
        for entry in entries
        if entry != "providers/*"  # docs/providers.md lists them
        for found in (ROOT / folder).glob(f"{entry}.md")
    }
    assert listed == shown - {"index"}
    assert {page.stem for page in (ROOT / folder).glob("*.md")} <= shown | {"index"}


def test_contributing__names_files_and_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:finetune_client|tests|docs)/[\w/.-]+)(?:::(\w+))?`", page)
    known = [(path, test) for path, test in paths if "NAME" not in path]
    assert len(known) > 20
    for path, test in known:
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")
