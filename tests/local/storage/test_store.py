"""A directory that lasts: what is kept in it, what is refused, and what a killed server leaves."""

from __future__ import annotations

import shutil
import time
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


def killed(directory: Path, copy: Path) -> Path:
    """Copy what a server that is killed at this moment leaves in its directory."""
    shutil.copytree(directory, copy, ignore=shutil.ignore_patterns(".finetune-*.part"))
    return copy


def test_directory__named_from_the_current_one_stays_when_that_changes(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    api = connect(LocalServer("server"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file = api.upload(b"x\n")
    assert (tmp_path / "server" / "files" / f"{file}.json").is_file()


def test_directory__that_could_not_be_read_is_free_again(tmp_path: Path) -> None:
    for kind in ("jobs", "models"):
        LocalServer(tmp_path).close()
        record = tmp_path / kind / "strange.json"
        record.parent.mkdir()
        for content in (b"{", b"\xff", b"", b"\0\0", b"[]", b'{"id": "x'):
            record.write_bytes(content)
            with pytest.raises(OSError, match="This record of the embedded server is dam") as held:
                LocalServer(tmp_path)
            assert held.value.filename == str(record)
            assert held.tb is not None  # and with it all that the failed server was
            record.unlink()
            LocalServer(tmp_path).close()


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
    assert not list(tmp_path.glob("files/*"))


def test_killed__a_running_job_has_failed_and_keeps_its_checkpoints(
    connect: Connect, tmp_path: Path
) -> None:
    api = connect(LocalServer(tmp_path / "first", step_seconds=60))
    settings = {"n_epochs": 50, "batch_size": 10}
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))), hyperparameters=settings)
    checkpoints = f"{JOBS}/{job['id']}/checkpoints"
    while not api.ok("GET", checkpoints)["data"]:
        time.sleep(0.01)

    again = connect(LocalServer(killed(tmp_path / "first", tmp_path / "second")))
    assert again.job(job["id"])["error"] == {
        "code": "server_stopped",
        "message": "The server ended while this job was running.",
        "param": None,
    }
    kept = [row["fine_tuned_model_checkpoint"] for row in again.ok("GET", checkpoints)["data"]]
    models = [row["id"] for row in again.ok("GET", "/models")["data"][5:]]
    assert kept
    assert sorted(kept) == sorted(models)


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
    (tmp_path / "files" / ".finetune-0123abcd.part").write_bytes(b'{"wi')
    strange = blobs / "not made here"
    strange.write_bytes(b"x")
    (tmp_path / "models" / "strange.bin").write_bytes(b"\xff")

    again = connect(LocalServer(tmp_path))
    assert set(blobs.iterdir()) == {*kept, strange}
    assert not list(tmp_path.glob("*/.finetune-*.part"))
    assert again.ok("GET", f"/models/{job['fine_tuned_model']}")["object"] == "model"
    path = f"/uploads/{made['id']}/complete"
    assert again.ok("POST", path, json={"part_ids": [part["id"]]})["file"]["bytes"] == 3


def test_store__makes_no_path_of_what_it_did_not_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ValueError, match=r"^'\.\./x' is not a key of this store$"):
        store.path("../x")
    with pytest.raises(ValueError, match=r"^'\.\./x' is not an id made here$"):
        store.save("files", "../x", {})


def test_store__writes_records_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save("things", "a", {"n": 1})
    with pytest.raises(TypeError):
        store.save("things", "a", {"n": object()})
    assert store.load("things") == [{"n": 1}]
    store.delete("things", "a")
    assert store.load("things") == []
