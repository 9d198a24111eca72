from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client.local import LocalServer, ServerLimits
from tests.support.local_api import BASE, LocalApi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def content(api: LocalApi, file_id: str, **headers: str) -> requests.Response:
    return api.session.get(f"{api.base}/files/{file_id}/content", headers=headers)


def upload(api: LocalApi, data: bytes, **changes: Any) -> Any:
    body = {"filename": "big.jsonl", "purpose": "fine-tune", "mime_type": "text/jsonl"}
    return api.ok("POST", "/uploads", json={**body, "bytes": len(data), **changes})


def add(api: LocalApi, upload_id: str, data: bytes) -> str:
    part: dict[str, str] = api.ok("POST", f"/uploads/{upload_id}/parts", files={"data": data})
    assert part["upload_id"] == upload_id
    return part["id"]


def test_upload__parts_become_a_file_in_the_order_given(api: LocalApi) -> None:
    data = bytes(range(256)) * 40
    made = upload(api, data, expires_after={"anchor": "created_at", "seconds": 7200})
    assert (made["status"], made["expires_at"] - made["created_at"]) == ("pending", 3600)
    parts: dict[int, str] = {}

    def send(place: int) -> None:
        with requests.Session() as session:
            session.mount(BASE, api.session.get_adapter(BASE))
            part = data[place * 2560 :][:2560]
            parts[place] = add(LocalApi(session), made["id"], part)

    threads = [threading.Thread(target=send, args=(place,)) for place in (2, 0, 3, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    body = {
        "part_ids": [parts[place] for place in range(4)],
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest().upper(),
    }
    done = api.ok("POST", f"/uploads/{made['id']}/complete", json=body)
    assert done["status"] == "completed"
    assert done["file"] == api.ok("GET", f"/files/{done['file']['id']}")
    assert done["file"]["expires_at"] - done["file"]["created_at"] == 7200
    assert content(api, done["file"]["id"]).content == data
    status, error = api.refused("POST", f"/uploads/{made['id']}/complete", json=body)
    assert (status, error["code"]) == (400, "invalid_upload_status")


def test_upload__complete_refuses_what_does_not_fit(api: LocalApi) -> None:
    made = upload(api, b"0123456789")
    first, second = add(api, made["id"], b"01234"), add(api, made["id"], b"56789")
    path = f"/uploads/{made['id']}/complete"
    for body, param in [
        ({}, "part_ids"),
        ({"part_ids": []}, "part_ids"),
        ({"part_ids": [first]}, "part_ids"),
        ({"part_ids": [first, first]}, "part_ids"),
        ({"part_ids": [first, "part_x"]}, "part_ids"),
        ({"part_ids": [first, {}]}, "part_ids"),
        ({"part_ids": [second, first], "md5": "0" * 32}, "md5"),
        ({"part_ids": [first, second], "sha": "x"}, "sha"),
    ]:
        status, error = api.refused("POST", path, json=body)
        assert (status, error["param"]) == (400, param)
    assert api.ok("POST", path, json={"part_ids": [first, second]})["status"] == "completed"


def test_upload__part_rules(connect: Callable[[LocalServer], LocalApi], tmp_path: Path) -> None:
    api = connect(LocalServer(tmp_path, limits=ServerLimits(part_bytes=100, upload_bytes=150)))
    made = upload(api, b"x" * 120)
    path = f"/uploads/{made['id']}/parts"
    assert api.refused("POST", path, files={"data": b"x" * 101})[0] == 413
    add(api, made["id"], b"x" * 100)
    status, error = api.refused("POST", path, files={"data": b"x" * 51})
    assert (status, error["code"]) == (400, "invalid_upload_size")
    assert api.refused("POST", path, files={"file": b"x"})[1]["param"] == "data"
    assert len(list((tmp_path / "blobs").iterdir())) == 1
    cancelled = api.ok("POST", f"/uploads/{made['id']}/cancel")
    assert cancelled["status"] == "cancelled"
    assert list((tmp_path / "blobs").iterdir()) == []
    assert api.refused("POST", path, files={"data": b"x"})[0] == 400
    assert api.refused("POST", f"/uploads/{made['id']}/cancel")[0] == 400


def test_upload__expires(connect: Callable[[LocalServer], LocalApi]) -> None:
    time = [1000.0]
    api = connect(LocalServer(clock=lambda: time[0]))
    made = upload(api, b"x")
    part = add(api, made["id"], b"x")
    time[0] = 4600.0
    path = f"/uploads/{made['id']}"
    status, error = api.refused("POST", f"{path}/complete", json={"part_ids": [part]})
    assert status == 400
    assert error["message"] == f"The upload {made['id']} is expired; only a pending one takes this."


def test_upload__that_was_given_up_frees_its_bytes_when_it_expires(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path
) -> None:
    time = [1000.0]
    api = connect(LocalServer(tmp_path, clock=lambda: time[0]))
    add(api, upload(api, b"x")["id"], b"x")
    time[0] = 4600.0
    upload(api, b"y")
    assert list((tmp_path / "blobs").iterdir()) == []


def test_upload__asked_twice_at_once_is_completed_once(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path
) -> None:
    api = connect(LocalServer(tmp_path))
    for _ in range(20):
        made = upload(api, b"x")
        body = {"part_ids": [add(api, made["id"], b"x")]}
        path = f"{api.base}/uploads/{made['id']}/complete"
        with ThreadPoolExecutor(4) as pool:
            got = pool.map(lambda _, *, p=path, b=body: api.session.post(p, json=b), range(4))
            assert sorted(one.status_code for one in got) == [200, 400, 400, 400]
    assert len(api.ok("GET", "/files")["data"]) == len(list((tmp_path / "blobs").iterdir())) == 20


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"bytes": 0}, "bytes"),
        ({"bytes": 8 * 1024**3 + 1}, "bytes"),
        ({"bytes": True}, "bytes"),
        ({"filename": ""}, "filename"),
        ({"purpose": None}, "purpose"),
        ({"mime_type": None}, "mime_type"),
        ({"size": 1}, "size"),
        ({"expires_after": 3600}, "expires_after"),
        ({"expires_after": {"anchor": "created_at"}}, "expires_after.seconds"),
    ],
)
def test_upload__create_refuses(api: LocalApi, changes: dict[str, Any], param: str) -> None:
    body = {"filename": "a", "purpose": "fine-tune", "mime_type": "text/jsonl", "bytes": 1}
    status, error = api.refused("POST", "/uploads", json={**body, **changes})
    assert (status, error["param"]) == (400, param)


def test_upload__unknown(api: LocalApi) -> None:
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("cancel", {}),
        ("complete", {"json": {}}),
        ("parts", {"files": {"data": b"x"}}),
    ]
    for action, body in bodies:
        status, error = api.refused("POST", f"/uploads/upload_x/{action}", **body)
        assert (status, error["message"]) == (404, "No such Upload object: upload_x")
