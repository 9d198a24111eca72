from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.local import LocalServer, ServerLimits
from tests.support.gated_trainer import GatedTrainer
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests

CONTENT = jsonl(chat_lines(3)).encode()


def content(api: LocalApi, file_id: str, **headers: str) -> requests.Response:
    return api.session.get(f"{api.base}/files/{file_id}/content", headers=headers)


def test_create__keeps_the_bytes_and_the_name(api: LocalApi) -> None:
    file_id = api.upload(CONTENT, name="données 数据.jsonl")
    stored = api.ok("GET", f"/files/{file_id}")
    assert stored["bytes"] == len(CONTENT)
    assert stored["filename"] == "données 数据.jsonl"
    assert stored["purpose"] == "fine-tune"
    assert stored["status"] == "processed"
    assert "expires_at" not in stored
    answer = content(api, file_id)
    assert answer.content == CONTENT
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert answer.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\..\\b", "..", "a\r\nX: y"])
def test_create__takes_any_name_and_never_makes_a_path_of_it(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path, name: str
) -> None:
    api = connect(LocalServer(tmp_path / "server"))
    file_id = api.upload(CONTENT, name=name)
    assert content(api, file_id).content == CONTENT
    outside = [path for path in tmp_path.rglob("*") if "server" not in path.parts]
    assert outside == []
    for path in (tmp_path / "server" / "blobs").iterdir():
        assert re.fullmatch(r"blob-[0-9a-f]{32}", path.name)


def test_create__expires(connect: Callable[[LocalServer], LocalApi]) -> None:
    time = [1000.0]
    api = connect(LocalServer(clock=lambda: time[0]))
    fields = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    file_id = api.upload(CONTENT, **fields)
    assert api.ok("GET", f"/files/{file_id}")["expires_at"] == 4600
    time[0] = 4599.9
    assert len(api.ok("GET", "/files")["data"]) == 1
    time[0] = 4600.0
    assert api.refused("GET", f"/files/{file_id}")[0] == 404
    assert api.ok("GET", "/files")["data"] == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "purpose"),
        ({"purpose": "training"}, "purpose"),
        ({"purpose": "fine-tune", "colour": "red"}, "colour"),
        ({"purpose": "fine-tune", "expires_after[seconds]": "3600"}, "expires_after.anchor"),
        ({"purpose": "fine-tune", "expires_after[anchor]": "created_at"}, "expires_after.seconds"),
        (
            {
                "purpose": "fine-tune",
                "expires_after[anchor]": "created_at",
                "expires_after[seconds]": "3599",
            },
            "expires_after.seconds",
        ),
        (
            {
                "purpose": "fine-tune",
                "expires_after[anchor]": "created_at",
                "expires_after[seconds]": "9" * 5000,
            },
            "expires_after.seconds",
        ),
        (
            {
                "purpose": "fine-tune",
                "expires_after[anchor]": "last_used",
                "expires_after[seconds]": "3600",
            },
            "expires_after.anchor",
        ),
    ],
)
def test_create__refuses_what_is_wrong_and_keeps_nothing(
    connect: Callable[[LocalServer], LocalApi],
    tmp_path: Path,
    fields: dict[str, str],
    param: str,
) -> None:
    api = connect(LocalServer(tmp_path))
    status, error = api.refused("POST", "/files", data=fields, files={"file": ("a", CONTENT)})
    assert (status, error["param"]) == (400, param)
    assert list((tmp_path / "blobs").iterdir()) == []


def test_create__needs_one_file_part(api: LocalApi) -> None:
    fields = {"purpose": "fine-tune"}
    status, error = api.refused("POST", "/files", files={"other": ("a", b"x")}, data=fields)
    assert (status, error["param"]) == (400, "file")
    twice = [("file", ("a", b"x")), ("file", ("b", b"y"))]
    status, error = api.refused("POST", "/files", files=twice, data=fields)
    assert (status, error["param"]) == (400, "file")
    assert api.refused("POST", "/files", json=fields)[0] == 415
    assert api.ok("GET", "/files")["data"] == []


def test_create__refuses_what_is_too_large(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path
) -> None:
    api = connect(LocalServer(tmp_path, limits=ServerLimits(file_bytes=1000)))
    assert api.ok("GET", f"/files/{api.upload(b'x' * 1000)}")["bytes"] == 1000
    status, error = api.refused(
        "POST", "/files", data={"purpose": "fine-tune"}, files={"file": ("a", b"x" * 1001)}
    )
    assert (status, error["message"]) == (
        413,
        "The file is larger than 1000 bytes, the limit here.",
    )
    status, error = api.refused(
        "POST", "/files", data={"purpose": "fine-tune"}, files={"file": ("a", b"x" * 100_000)}
    )
    assert status == 413
    assert len(list((tmp_path / "blobs").iterdir())) == 1


def test_list__in_both_orders_by_purpose_and_in_pages(api: LocalApi) -> None:
    ids = [api.upload(CONTENT, purpose=one) for one in ("fine-tune", "batch", "fine-tune", "evals")]

    def listed(**query: Any) -> tuple[list[str], bool]:
        answer = api.ok("GET", "/files", params=query)
        found = [row["id"] for row in answer["data"]]
        assert (answer["first_id"], answer["last_id"]) == ((found or [""])[0], (found or [""])[-1])
        return found, answer["has_more"]

    assert listed() == (ids[::-1], False)
    assert listed(order="asc") == (ids, False)
    assert listed(order="asc", limit=2, after=ids[0]) == (ids[1:3], True)
    assert listed(purpose="fine-tune") == ([ids[2], ids[0]], False)
    assert listed(purpose="vision") == ([], False)
    assert api.refused("GET", "/files", params={"order": "ascending"})[1]["param"] == "order"
    assert api.refused("GET", "/files", params={"limit": 10_001})[1]["param"] == "limit"


def test_delete__takes_the_bytes_too(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path
) -> None:
    api = connect(LocalServer(tmp_path))
    file_id = api.upload(CONTENT)
    assert api.ok("DELETE", f"/files/{file_id}") == {
        "id": file_id,
        "object": "file",
        "deleted": True,
    }
    assert list((tmp_path / "blobs").iterdir()) == []
    for method in ("GET", "DELETE"):
        status, error = api.refused(method, f"/files/{file_id}")
        assert status == 404
        assert error == {
            "message": f"No such File object: {file_id}",
            "type": "invalid_request_error",
            "param": "id",
            "code": None,
        }
    assert content(api, file_id).status_code == 404


def test_content__a_range_of_it(api: LocalApi) -> None:
    file_id = api.upload(CONTENT)
    whole = content(api, file_id)
    part = content(api, file_id, Range="bytes=10-", **{"If-Range": whole.headers["ETag"]})
    assert (part.status_code, part.content) == (206, CONTENT[10:])
    assert part.headers["Content-Range"] == f"bytes 10-{len(CONTENT) - 1}/{len(CONTENT)}"
    other = content(api, file_id, Range="bytes=10-", **{"If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, CONTENT)
    assert content(api, file_id, Range=f"bytes={len(CONTENT)}-").status_code == 416


class NestedTrainer(GatedTrainer):
    """Its models have files in folders, and what is none."""

    def start(self, task: Any) -> Any:
        training = super().start(task)
        setattr(training, "save_model", self.save)  # noqa: B010 - mypy allows no assignment
        return training

    @staticmethod
    def save(directory: Path) -> None:
        (directory / "1_Pooling").mkdir()
        (directory / "1_Pooling" / "config.json").write_bytes(b"{}")
        (directory / "model.safetensors").write_bytes(b"x" * 1000)
        if os.name == "posix":
            (directory / "leads out").symlink_to("/etc/passwd")


def test_weights__the_files_of_a_model_are_those_of_its_checkpoint_and_deleted_with_it(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path
) -> None:
    trainer = NestedTrainer(1)
    trainer.let(1)
    api = connect(LocalServer(tmp_path, trainer))
    train = api.upload(jsonl(chat_lines(10)))
    job = api.trained(training_file=train)
    path = f"/fine_tuning/jobs/{job['id']}/checkpoints"
    (checkpoint,) = api.ok("GET", path)["data"]
    name = checkpoint["fine_tuned_model_checkpoint"]
    ids = checkpoint["result_files"]
    found = [api.ok("GET", f"/files/{one}") for one in ids]
    assert [(one["filename"], one["bytes"], one["purpose"]) for one in found] == [
        ("1_Pooling/config.json", 2, "fine-tune-results"),
        ("model.safetensors", 1000, "fine-tune-results"),
    ]
    assert content(api, ids[0]).content == b"{}"
    part = content(api, ids[1], Range="bytes=990-")
    assert (part.status_code, part.content) == (206, b"x" * 10)
    assert part.headers["ETag"] != content(api, ids[0]).headers["ETag"]
    listed = api.ok("GET", "/files?purpose=fine-tune-results")["data"]
    assert {*ids, *job["result_files"]} == {one["id"] for one in listed}
    assert api.refused("DELETE", f"/files/{ids[0]}") == (
        400,
        {
            "message": f"The file {ids[0]} belongs to the model '{name}', and is deleted with it.",
            "type": "invalid_request_error",
            "param": "id",
            "code": None,
        },
    )
    status, error = api.refused(
        "POST", "/fine_tuning/jobs", json={"model": "tiny", "training_file": ids[1]}
    )
    assert (status, error["code"]) == (400, "invalid_file_purpose")

    api.ok("DELETE", f"/models/{name}")
    assert [api.refused("GET", f"/files/{one}")[0] for one in ids] == [404, 404]
    assert [row["result_files"] for row in api.ok("GET", path)["data"]] == [[]]
    assert len(list((tmp_path / "models").iterdir())) == 1
    api.ok("DELETE", f"/models/{job['fine_tuned_model']}")
    assert list((tmp_path / "models").iterdir()) == []
    assert {one["id"] for one in api.ok("GET", "/files")["data"]} == {train, *job["result_files"]}
