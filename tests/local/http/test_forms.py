from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests

from finetune_client.local import LocalServer, running

if TYPE_CHECKING:
    from pathlib import Path

LINE = b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
KEY = {"Authorization": "Bearer local"}


@pytest.fixture
def url(tmp_path: Path) -> object:
    with LocalServer(tmp_path) as server, running(server) as base:
        yield f"{base}/files"


def blobs(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "blobs").rglob("*"))


def post(url: str, **parts: object) -> tuple[int, dict[str, object]]:
    answer = requests.post(url, headers=KEY, timeout=10, **parts)  # type: ignore[arg-type]
    return answer.status_code, json.loads(answer.content).get("error", {})


def test_form__with_fields_and_one_file_is_taken(url: str) -> None:
    answer = requests.post(
        url,
        headers=KEY,
        data={"purpose": "fine-tune"},
        files={"file": ("train.jsonl", LINE)},
        timeout=10,
    )
    assert answer.status_code == 200
    assert (answer.json()["bytes"], answer.json()["filename"]) == (len(LINE), "train.jsonl")


@pytest.mark.parametrize(
    ("parts", "status", "message"),
    [
        (
            {"json": {"purpose": "fine-tune"}},
            415,
            "The body must be sent with Content-Type: multipart/form-data.",
        ),
        (
            {"files": {"purpose": (None, "fine-tune")}},
            400,
            "Missing required parameter: 'file'. It must be a file part of a form.",
        ),
        (
            {"files": [("file", ("a.jsonl", LINE)), ("file", ("b.jsonl", LINE))]},
            400,
            "There must be one part 'file', with one file.",
        ),
    ],
    ids=["json", "no file", "two files"],
)
def test_form__that_is_not_taken_says_why(
    url: str, parts: dict[str, object], status: int, message: str
) -> None:
    answered, error = post(url, **parts)
    assert (answered, error["message"]) == (status, message)


def test_form__that_is_refused_leaves_no_blob(url: str, tmp_path: Path) -> None:
    before = blobs(tmp_path)
    status, _ = post(url, data={"purpose": "nonsense"}, files={"file": ("train.jsonl", LINE)})
    assert status == 400
    assert blobs(tmp_path) == before
