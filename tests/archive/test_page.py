"""The page opens without a network, runs nothing, and its links lead to files of the archive."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from finetune_client import Client
from finetune_client.archive import layout, save
from finetune_client.archive.page import page
from finetune_client.local import LocalServer, running
from tests.support.account import make_account

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "br"}


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, tag: str, name: str) -> list[str]:
        return [str(attrs.get(name)) for one, attrs in self.tags if one == tag]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_account(tmp_path / "server")
    with LocalServer(tmp_path / "server", faults="") as server, running(server) as url:
        assert server.faults is not None
        with Client("sk-made-up", base_url=url, provider="openai") as client:
            client.files.create(file=("<b>odd</b> & name.jsonl", b"{}\n"))
            save(client, tmp_path / "archive")
    return tmp_path / "archive"


def read(root: Path) -> Reader:
    reader = Reader()
    reader.feed((root / layout.PAGE).read_text(encoding="utf-8"))
    assert reader.open == []
    return reader


def test_page__its_links_lead_to_files_of_the_archive(root: Path) -> None:
    links = read(root).values("a", "href")
    assert len(links) > 60
    assert [link for link in links if not (root / unquote(link)).is_file()] == []
    assert len([link for link in links if link.startswith("files/")]) == 10 + 12 + 8
    assert layout.ANSWERS not in links


def test_page__loads_nothing_and_runs_nothing(root: Path) -> None:
    reader = read(root)
    assert {tag for tag, _ in reader.tags} & {"script", "img", "link", "iframe", "form"} == set()
    assert not [name for _, attrs in reader.tags for name in attrs if name.startswith("on")]
    assert reader.values("meta", "content")[-1] == "default-src 'none'; style-src 'unsafe-inline'"


def test_page__shows_text_of_the_server_as_text(root: Path) -> None:
    reader = read(root)
    assert "<b>odd</b> & name.jsonl" in reader.text
    assert "It <failed> & 4" in reader.text
    assert "failed" not in {tag for tag, _ in reader.tags}


def test_page__has_a_curve_for_each_job_that_a_keyboard_opens(root: Path) -> None:
    reader = read(root)
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("details") == tags.count("summary") == tags.count("svg") == 12
    assert reader.values("svg", "aria-label")[0] == "ftjob-000011, loss"


def test_page__of_names_that_would_be_markup(tmp_path: Path) -> None:
    job: dict[str, Any] = dict.fromkeys(
        ("id", "status", "model", "fine_tuned_model", "shutdown_date", "error"), "<i>&\"'"
    )
    data = {
        "provider": "<i>",
        "base_url": "http://<i>",
        "archived_at": "<i>",
        "counts": dict.fromkeys(("jobs", "events", "checkpoints", "files", "bytes"), 1),
        "missing": [{"what": "<i>", "id": "<i>", "message": "<i>", "is_final": False}],
        "jobs": [{**job, "folder": "f", "created_at": None, "events": 0, "checkpoints": 0}],
        "files": {
            "files/<i>.txt": {"bytes": 5, "sha256": "0", "filename": "<i>", "purpose": "<i>"}
        },
    }
    written = page(tmp_path, data)
    assert "<p>1&nbsp;job, 1&nbsp;event, 1&nbsp;checkpoint, 1&nbsp;file; " in written
    reader = Reader()
    reader.feed(written)
    assert reader.open == []
    markup = [tag for tag, _ in reader.tags if tag == "i"]
    assert len(markup) == 1  # the advice to archive again
