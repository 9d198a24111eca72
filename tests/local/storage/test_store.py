"""A directory that lasts: what is kept in it, what is refused, and what a killed server leaves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from finetune_client.local import LocalServer
from finetune_client.local.storage.store import Store
from tests.support.local_api import BASE, LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Connect = Callable[[LocalServer], LocalApi]

JOBS = "/fine_tuning/jobs"


def test_directory__named_from_the_current_one_stays_when_that_changes(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    api = connect(LocalServer("server"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file = api.upload(b"x\n")
    assert len(list((tmp_path / "server" / "blobs").iterdir())) == 1
    assert api.session.get(f"{BASE}/files/{file}/content").content == b"x\n"


def test_directory__that_could_not_be_read_is_free_again(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(OSError, match="cannot be used") as caught:
        LocalServer(tmp_path)
    assert str(caught.value) == (
        "[Errno 5] The database of the embedded server cannot be used (file is not a database): "
        f"{str(path)!r}"
    )
    assert caught.tb is not None  # and with it all that the failed server was
    path.unlink()
    LocalServer(tmp_path).close()


def test_directory__of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    LocalServer(tmp_path).close()
    path = tmp_path / "state.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        [version] = database.execute("PRAGMA user_version").fetchone()
        database.execute(f"PRAGMA user_version = {version + 1}")
    with pytest.raises(OSError, match="later version") as caught:
        LocalServer(tmp_path)
    assert str(caught.value) == (
        "[Errno 22] This directory was used by a later version of finetune_client; use that one, "
        f"or give another directory: {str(path)!r}"
    )


def test_directory__with_records_of_the_unreleased_version_is_refused(tmp_path: Path) -> None:
    record = tmp_path / "jobs" / "ftjob-1.json"
    record.parent.mkdir()
    record.write_bytes(b"{}")
    with pytest.raises(OSError, match="before the first release") as caught:
        LocalServer(tmp_path)
    assert str(caught.value) == (
        "[Errno 22] This directory was used by a version of finetune_client before the first "
        f"release, which kept its state in another way; give another directory: {str(tmp_path)!r}"
    )
    assert list(tmp_path.glob("state*")) == []


def test_directory__of_a_closed_server_takes_nothing_that_was_still_coming(
    connect: Connect, tmp_path: Path
) -> None:
    server = LocalServer(tmp_path)
    api = connect(server)

    def body() -> Iterator[bytes]:
        yield b"--x\r\nContent-Disposition: form-data; name=purpose\r\n\r\nfine-tune\r\n"
        yield b"--x\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\n"
        server.close()
        connect(LocalServer(tmp_path))
        yield b"a\r\n--x--\r\n"

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = api.session.post(f"{BASE}/files", data=body(), headers=form)
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "The embedded server has been closed."
    assert not list(tmp_path.glob("blobs/*"))


def test_killed__what_nobody_can_ask_for_is_swept(connect: Connect, tmp_path: Path) -> None:
    server = LocalServer(tmp_path)
    api = connect(server)
    job = api.trained(training_file=api.upload(jsonl(chat_lines(10))))
    upload = {"filename": "u", "purpose": "fine-tune", "mime_type": "x", "bytes": 3}
    made = api.ok("POST", "/uploads", json=upload)
    part = api.ok("POST", f"/uploads/{made['id']}/parts", files={"data": b"abc"})
    server.close()
    blobs = tmp_path / "blobs"
    kept = set(blobs.iterdir())
    with Store(tmp_path / "other").blob(3) as half:
        half.write(b"abc")
    (tmp_path / "other" / "blobs" / half.key).rename(blobs / half.key)
    for left in (f"models/model-{'0' * 32}", f"models/model-{'1' * 32}.part", "jobs/ftjob-0"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "x").write_bytes(b"x")
    strange = blobs / "not made here"
    strange.write_bytes(b"x")
    (tmp_path / "models" / "strange.bin").write_bytes(b"\xff")
    models = set((tmp_path / "models").iterdir())

    again = connect(LocalServer(tmp_path))
    assert set(blobs.iterdir()) == {*kept, strange}
    assert {path for path in models if path.exists()} == {
        path for path in models if "0" * 32 not in path.name and "1" * 32 not in path.name
    }
    assert list((tmp_path / "jobs").iterdir()) == []
    assert again.ok("GET", f"/models/{job['fine_tuned_model']}")["object"] == "model"
    path = f"/uploads/{made['id']}/complete"
    assert again.ok("POST", path, json={"part_ids": [part["id"]]})["file"]["bytes"] == 3


def test_store__makes_no_path_of_what_it_did_not_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ValueError, match=r"^'\.\./x' is not a key of this store$"):
        store.path("../x")
    with pytest.raises(ValueError, match=r"^'\.\./x' is not the id of a job$"):
        store.job_directory("../x")
    store.close()


def test_store__tentative_blobs_stay_only_if_the_block_ends_well(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept, forgotten, failed = (store.put(b"x") for _ in range(3))
    with store.tentative(kept) as keep:
        keep()
    with store.tentative(forgotten):
        pass

    def broken() -> None:
        with store.tentative(failed) as keep:
            keep()
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        broken()
    assert [store.path(key).exists() for key in (kept, forgotten, failed)] == [True, False, False]
    store.close()
