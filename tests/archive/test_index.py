"""The index: what is there, how large, and with which checksum."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

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


def test_index__checksums_follow_a_file_that_changed(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    save(Client("sk-made-up"), tmp_path)
    path = tmp_path / "ftjob-1" / layout.SERVER_JOB
    content = path.read_bytes().replace(b"gpt-4o-mini-2024", b"gpt-4o-mini-2025")
    path.write_bytes(content)
    later = (tmp_path / layout.INDEX).stat().st_mtime_ns + 1
    os.utime(path, ns=(later, later))
    save(Client("sk-made-up"), tmp_path)
    entry = layout.read_json(tmp_path / layout.INDEX)["files"][f"ftjob-1/{layout.SERVER_JOB}"]
    assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"base_url": "https://other/v1"})])
def test_index__of_something_else(mock: responses.RequestsMock, tmp_path: Path, text: str) -> None:
    (tmp_path / layout.INDEX).write_text(text)
    with pytest.raises(RequestError) as caught:
        save(Client("sk-made-up"), tmp_path)
    assert str(tmp_path) in caught.value.message
    assert (tmp_path / layout.INDEX).read_text() == text
    assert len(mock.calls) == 0
