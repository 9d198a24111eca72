from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from finetune_client.archive import layout
from finetune_client.archive.layout import (
    DATA_FILES,
    INDEX,
    JOB_FILES,
    file_name,
    provider_of_account,
    read_job,
    read_json,
    safe_name,
)
from finetune_client.errors import RequestError
from finetune_client.job_files import JobFile
from finetune_client.models import FineTuningJobRequest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "ftjob-1"
    folder.mkdir()
    return folder


def test_names__stay_what_archives_on_disk_have() -> None:
    own = {name: getattr(layout, name) for name in layout.__all__ if name.isupper()}
    assert own == {
        "ANSWERS": "answers.jsonl",
        "CHECKPOINTS": "checkpoints.json",
        "DATA_FILES": {
            "training_file": "training_file.jsonl",
            "validation_file": "validation_file.jsonl",
        },
        "EVENTS": "events.jsonl",
        "FILES": "files",
        "FILE_LIST": "files.json",
        "INDEX": "index.json",
        "JOB_FILES": ("job.json", "job.toml"),
        "LOCK": ".lock",
        "METRICS": "metrics.csv",
        "MODELS": "models.json",
        "PAGE": "index.html",
        "PERMISSIONS": "permissions.json",
        "SERVER_JOB": "server_job.json",
    }


REQUEST = FineTuningJobRequest(model="m", training_file="file-1", validation_file="file-2")


def test_read_job__files_that_are_there_stand_for_the_ids(folder: Path) -> None:
    JobFile(request=REQUEST).write(folder / JOB_FILES[0])
    (folder / DATA_FILES["training_file"]).touch()
    assert read_job(folder) == JobFile(
        request=FineTuningJobRequest(model="m", validation_file="file-2"),
        paths={"training_file": folder / "training_file.jsonl"},
    )


def test_read_job__a_path_in_the_job_file_wins(folder: Path) -> None:
    paths = {"training_file": folder / "other.jsonl"}
    JobFile(request=FineTuningJobRequest(model="m"), paths=paths).write(folder / JOB_FILES[0])
    (folder / DATA_FILES["training_file"]).touch()
    assert read_job(folder).paths == paths


def test_read_job__may_be_toml(folder: Path) -> None:
    (folder / "job.toml").write_text('model = "m"\n', encoding="utf-8")
    assert read_job(folder) == JobFile(request=FineTuningJobRequest(model="m"))


def test_read_job__says_that_a_folder_is_another(folder: Path) -> None:
    with pytest.raises(RequestError) as caught:
        read_job(folder)
    assert caught.value.message == (
        f"The folder {str(folder)!r} does not describe a job: it has no job.json or job.toml."
    )


@pytest.mark.parametrize(
    ("index", "provider"),
    [({"provider": "azure"}, "azure"), ({"provider": 5}, None), ({}, None), ([], None)],
)
def test_provider__is_in_the_index(folder: Path, index: object, provider: str | None) -> None:
    (folder.parent / INDEX).write_text(json.dumps(index), encoding="utf-8")
    assert provider_of_account(folder) == provider


def test_provider__without_an_index(folder: Path) -> None:
    assert provider_of_account(folder) is None


def test_provider__of_an_index_that_cannot_be_read(folder: Path) -> None:
    (folder.parent / INDEX).write_text("{", encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        provider_of_account(folder)
    assert caught.value.message.startswith(
        f"The index {str(folder.parent / INDEX)!r} is not JSON: "
    )


@pytest.mark.parametrize("name", ["ftjob-AbC_1", "file-1", "a"])
def test_safe_name__is_the_id(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "files", "CON", "com1", "-x", "é", "\ud800", "a" * 101]
)
def test_safe_name__of_an_odd_id_is_a_digest(name: str) -> None:
    assert re.fullmatch("id-[0-9a-f]{40}", safe_name(name))


@pytest.mark.parametrize(
    "suffix",
    ["bin", "csv", "gguf", "gz", "json", "jsonl", "npz", "safetensors", "tar", "tsv", "txt", "zip"],
)
def test_file_name__keeps_the_endings_of_data(suffix: str) -> None:
    assert file_name("f", f"a.{suffix}", ".default") == f"f.{suffix}"


@pytest.mark.parametrize(
    ("filename", "expected"),
    [("a.CSV", "f.csv"), ("a.html", "f.jsonl"), ("a", "f.jsonl"), (None, "f.jsonl")],
)
def test_file_name__of_other_endings(filename: str | None, expected: str) -> None:
    assert file_name("f", filename, ".jsonl") == expected


def test_read_json__of_what_is_not_there_or_damaged(tmp_path: Path) -> None:
    assert read_json(tmp_path / "a.json") is None
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(RequestError) as caught:
        read_json(tmp_path / "a.json")
    assert caught.value.message.endswith("Put it right, or delete it to have it fetched again.")
