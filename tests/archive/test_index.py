"""The index: what is there, how large, and with which checksum."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import responses

from finetune_client import Client
from finetune_client.archive import layout, save
from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

API = "https://api.openai.com/v1"
JOB = {
    "id": "ftjob-1",
    "status": "succeeded",
    "model": "gpt-4o-mini-2024-07-18",
    "fine_tuned_model": "ft:gpt-4o-mini:org::1",
    "created_at": 1_700_000_000,
}


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{API}/fine_tuning/jobs", json={"data": [JOB], "has_more": False})
        mock.get(f"{API}/fine_tuning/jobs/ftjob-1", json=JOB)
        for name in ("events", "checkpoints"):
            mock.get(f"{API}/fine_tuning/jobs/ftjob-1/{name}", json={"data": []})
        mock.get(f"{API}/files", json={"data": []})
        mock.get(f"{API}/models", json={"data": []})
        yield mock


def test_index__names_provider_and_server(mock: responses.RequestsMock, tmp_path: Path) -> None:
    save(Client("sk-made-up"), tmp_path, now=lambda: 1_800_000_000)
    index = layout.read_json(tmp_path / layout.INDEX)
    assert (index["provider"], index["base_url"]) == ("openai", API)
    assert (index["version"], index["archived_at"]) == (1, "2027-01-15T08:00:00+00:00")
    assert layout.provider_of_account(tmp_path / "ftjob-1") == "openai"


@pytest.mark.parametrize(("sent", "expected"), [(None, "2027-01-14"), ("2027-02-01", "2027-02-01")])
def test_index__the_day_of_a_model_is_the_servers_or_else_the_providers(
    mock: responses.RequestsMock, tmp_path: Path, sent: str | None, expected: str
) -> None:
    model = {"id": JOB["fine_tuned_model"], "shutdown_date": sent}
    mock.replace("GET", f"{API}/models", json={"data": [model]})
    save(Client("sk-made-up"), tmp_path)
    [row] = layout.read_json(tmp_path / layout.INDEX)["jobs"]
    assert row["shutdown_date"] == expected
    assert f"shut down on {expected}" in (tmp_path / layout.PAGE).read_text(encoding="utf-8")


def test_index__keeps_what_the_server_lists_no_more(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    model = {"id": "ft:gone", "shutdown_date": "2026-01-01"}
    mock.replace("GET", f"{API}/models", json={"data": [model]})
    save(Client("sk-made-up"), tmp_path)
    mock.replace("GET", f"{API}/fine_tuning/jobs", json={"data": []})
    mock.replace("GET", f"{API}/models", json={"data": []})
    report = save(Client("sk-made-up"), tmp_path)
    assert (report.jobs, report.models) == (1, 1)
    assert layout.read_json(tmp_path / layout.MODELS) == [model]


def _saved_again(root: Path, content: bytes, later_by: int) -> dict[str, Any]:
    """Change a file so many nanoseconds after the index, save again, and return its entry."""
    name = f"ftjob-1/{layout.SERVER_JOB}"
    (root / name).write_bytes(content)
    moment = (root / layout.INDEX).stat().st_mtime_ns + later_by
    os.utime(root / name, ns=(moment, moment))
    save(Client("sk-made-up"), root)
    entry: dict[str, Any] = layout.read_json(root / layout.INDEX)["files"][name]
    return entry


@pytest.mark.parametrize(("new", "later_by"), [(b"2025", 1), (b"2025", 0), (b"2025-b", -(10**9))])
def test_index__checksums_follow_a_file_that_changed(
    mock: responses.RequestsMock, tmp_path: Path, new: bytes, later_by: int
) -> None:
    save(Client("sk-made-up"), tmp_path)
    content = (tmp_path / "ftjob-1" / layout.SERVER_JOB).read_bytes().replace(b"2024", new)
    entry = _saved_again(tmp_path, content, later_by)
    assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_index__a_file_as_old_and_as_large_as_before_is_not_read_again(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    save(Client("sk-made-up"), tmp_path)
    content = (tmp_path / "ftjob-1" / layout.SERVER_JOB).read_bytes()
    entry = _saved_again(tmp_path, content.replace(b"2024", b"2025"), -(10**9))
    assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_index__has_all_that_is_there(mock: responses.RequestsMock, tmp_path: Path) -> None:
    job = {**JOB, "error": {"message": "Too few examples."}}
    listed = {"id": "file-1", "filename": "a.txt", "bytes": 3, "purpose": "fine-tune"}
    api = f"{API}/fine_tuning/jobs"
    mock.replace("GET", api, json={"data": [job], "has_more": False})
    mock.replace("GET", f"{api}/ftjob-1", json=job)
    mock.replace("GET", f"{api}/ftjob-1/events", json={"data": [{"id": "e1"}, {"id": "e2"}]})
    mock.replace("GET", f"{api}/ftjob-1/checkpoints", json={"data": [{"id": "c"}]})
    mock.replace("GET", f"{API}/models", json={"data": [{"id": "gpt"}, {"id": "ft:gpt"}]})
    mock.replace("GET", f"{API}/files", json={"data": [listed]})
    mock.get(f"{API}/files/file-1", json=listed)
    mock.get(f"{API}/files/file-1/content", body=b"{}\n")
    report = save(Client("sk-made-up"), tmp_path)
    index = layout.read_json(tmp_path / layout.INDEX)
    assert index["counts"] == {
        "jobs": 1,
        "events": 2,
        "checkpoints": 1,
        "models": 2,
        "files": 1,
        "bytes": report.bytes,
    }
    assert index["jobs"] == [
        {
            "id": "ftjob-1",
            "folder": "ftjob-1",
            "status": "succeeded",
            "error": "Too few examples.",
            "model": JOB["model"],
            "fine_tuned_model": JOB["fine_tuned_model"],
            "shutdown_date": "2027-01-14",
            "created_at": 1_700_000_000,
            "events": 2,
            "checkpoints": 1,
        }
    ]
    assert index["files"]["files/file-1.txt"] == {
        "bytes": 3,
        "sha256": hashlib.sha256(b"{}\n").hexdigest(),
        "id": "file-1",
        "filename": "a.txt",
        "purpose": "fine-tune",
    }
    assert index["files"][layout.MODELS].keys() == {"bytes", "sha256"}
    assert index.keys() == {
        *("version", "written_by", "provider", "base_url", "archived_at", "is_complete"),
        *("counts", "missing", "jobs", "files"),
    }


def test_index__lists_the_newest_job_first(mock: responses.RequestsMock, tmp_path: Path) -> None:
    jobs = [
        {"id": f"ftjob-{number}", "status": "failed", "model": "m", "created_at": created}
        for number, created in enumerate((30, None, 50, 20, 40, 10), 1)
    ]
    mock.replace("GET", f"{API}/fine_tuning/jobs", json={"data": jobs, "has_more": False})
    for job in jobs:
        mock.upsert("GET", f"{API}/fine_tuning/jobs/{job['id']}", json=job)
        for name in ("events", "checkpoints"):
            mock.upsert("GET", f"{API}/fine_tuning/jobs/{job['id']}/{name}", json={"data": []})
    save(Client("sk-made-up"), tmp_path)
    rows = layout.read_json(tmp_path / layout.INDEX)["jobs"]
    assert [row["created_at"] for row in rows] == [50, 40, 30, 20, 10, None]


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"base_url": "https://other/v1"})])
def test_index__of_something_else(mock: responses.RequestsMock, tmp_path: Path, text: str) -> None:
    (tmp_path / layout.INDEX).write_text(text)
    with pytest.raises(RequestError) as caught:
        save(Client("sk-made-up"), tmp_path)
    assert str(tmp_path) in caught.value.message
    assert (tmp_path / layout.INDEX).read_text() == text
    assert len(mock.calls) == 0
