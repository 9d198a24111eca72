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
        if "style" not in self.open:
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


def index(**changed: Any) -> dict[str, Any]:
    """Return an index of nothing, with these changes."""
    empty = {
        "provider": "openai",
        "base_url": "https://api.example.com/v1",
        "archived_at": "2027-01-15T08:00:00+00:00",
        "counts": dict.fromkeys(("jobs", "events", "checkpoints", "files", "bytes"), 0),
        "missing": [],
        "jobs": [],
        "files": {},
    }
    return {**empty, **changed}


def text_of(root: Path, data: dict[str, Any]) -> str:
    """Return what is to be read on a page, with lines between its elements."""
    reader = Reader()
    reader.feed(page(root, data))
    assert reader.open == []
    text = "|".join(part.strip() for part in reader.text if part.strip())
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_page__says_all_that_the_index_does(tmp_path: Path) -> None:
    (tmp_path / "ftjob-1").mkdir()
    (tmp_path / "ftjob-1" / layout.JOB_FILES[0]).write_text(
        '{"model": "gpt", "training_file": "../files/file-1.jsonl"}'
    )
    (tmp_path / layout.FILES).mkdir()
    (tmp_path / layout.FILES / "file-1.jsonl").write_bytes(b"{}\n")
    job = {
        "id": "ftjob-1",
        "folder": "ftjob-1",
        "status": "failed",
        "error": "Too few examples.",
        "model": "gpt",
        "fine_tuned_model": "ft:gpt",
        "shutdown_date": "2027-02-01",
        "created_at": 1_700_000_000,
        "events": 1234,
        "checkpoints": 2,
    }
    unknown = ("error", "model", "fine_tuned_model", "shutdown_date", "created_at", "status")
    bare = {**job, **dict.fromkeys(unknown), "id": "ftjob-2", "folder": "ftjob-2"}
    of_job = (*layout.JOB_FILES[:1], layout.SERVER_JOB, layout.EVENTS, layout.CHECKPOINTS)
    file = {"bytes": 3, "sha256": "01ab", "filename": "train.jsonl", "purpose": "fine-tune"}
    data = index(
        counts={"jobs": 2, "events": 1234, "checkpoints": 2, "files": 1, "bytes": 1_500_000},
        missing=[
            {"what": "job_file", "id": "ftjob-2", "message": "No model.", "is_final": False},
            {"what": "models", "id": None, "message": "Not allowed.", "is_final": True},
        ],
        jobs=[job, bare],
        files={
            "files.json": {"bytes": 1, "sha256": "0"},
            "files/file-1.jsonl": file,
            "files/file-2": {"bytes": 20, "sha256": "02"},
            **{f"ftjob-1/{name}": {"bytes": 1, "sha256": "0"} for name in of_job},
            "models.json": {"bytes": 1, "sha256": "0"},
        },
    )
    assert text_of(tmp_path, data) == (
        "Archive of api.example.com/v1|Archive of api.example.com/v1|"
        "2 jobs, 1,234 events, 2 checkpoints, 1 file; 1.5 MB. Provider openai, archived "
        "2027-01-15 08:00:00 UTC.|models|files as listed|this index as JSON|"
        "What could not be had|job file ftjob-2|: No model.|Archive again to try once more.|"
        "models|: Not allowed.|"
        "Jobs|job|status|model|created|curve and files|"
        "ftjob-1|failed|Too few examples.|gpt|ft:gpt|shut down on 2027-02-01|2023-11-14|"
        "job file|server's object|events|(1,234)|checkpoints|(2)|training file|"
        "ftjob-2|unknown|-|-|"
        "Files|file|name at the server|purpose|size|SHA-256|"
        "file-1.jsonl|train.jsonl|fine-tune|3 bytes|01ab|file-2|-|-|20 bytes|02"
    )


def test_page__of_an_empty_account(tmp_path: Path) -> None:
    assert text_of(tmp_path, index()) == (
        "Archive of api.example.com/v1|Archive of api.example.com/v1|"
        "0 jobs, 0 events, 0 checkpoints, 0 files; 0 bytes. Provider openai, archived "
        "2027-01-15 08:00:00 UTC.|this index as JSON|Jobs|There are none."
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_000_000, "1.0 MB"),
        (2_340_000_000, "2.3 GB"),
    ],
)
def test_page__says_how_large_it_is(tmp_path: Path, size: int, text: str) -> None:
    found = text_of(tmp_path, index(counts={**index()["counts"], "bytes": size}))
    assert f"0 files; {text}. Provider" in found


def test_page__a_curve_without_losses_is_of_rewards(root: Path) -> None:
    (root / "ftjob-000011" / layout.METRICS).write_text("step,train_reward\n1,2.0\n2,1.0\n")
    reader = Reader()
    reader.feed(page(root, layout.read_json(root / layout.INDEX)))
    assert reader.values("svg", "aria-label")[0] == "ftjob-000011, reward"


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
