"""An upload that was cut short, even by ``kill -9``, is gone on with where it stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    IntegrityError,
    NotFoundError,
    RequestError,
)
from finetune_client.resources.files.upload_state import UploadState, UploadTarget, load_state
from tests.support.fault_server import fault
from tests.support.faults.clients import failure
from tests.support.processes import end_with
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client import Client
    from tests.support.fault_server import FaultServer
    from tests.support.file_service import FileService

DATA = b"".join(b"%09d\n" % number for number in range(100_000))
SIZE = 100_000
PARTS = 10
PART = "POST /uploads/upload_1000/parts"
COMPLETE = "POST /uploads/upload_1000/complete"

CHILD = """
import sys
from finetune_client import Client

url, path, state = sys.argv[1:]
with Client("sk-test", base_url=url) as client:
    client.uploads.upload_file(path, part_size=100_000, workers=2, state=state)
"""


INTERRUPTED = """
import sys, threading
from finetune_client import Client

url, path, state = sys.argv[1:]
with Client("sk-test", base_url=url, timeout=(10, 1.5)) as client:
    try:
        client.uploads.upload_file(path, part_size=100_000, workers=3, state=state or None)
    except KeyboardInterrupt:
        print([thread.name for thread in threading.enumerate()])
"""


@pytest.fixture
def data() -> bytes:
    return DATA


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "train.upload.json"


def _send(client: Client, path: Path, state: Path, **options: Any) -> None:
    client.uploads.upload_file(path, state=state, **{"part_size": SIZE, **options})


def _known(state: Path) -> int:
    """Count the parts that the state knows."""
    with contextlib.suppress(FileNotFoundError):
        return len(json.loads(state.read_bytes())["parts"])
    return 0


def test_state__after_kill_9_only_the_missing_parts_travel(
    server: FaultServer, service: FileService, client: Client, path: Path, state: Path
) -> None:
    service.free = 4
    command = [sys.executable, "-c", CHILD, server.url, str(path), str(state)]
    with subprocess.Popen(command) as child:
        deadline = time.monotonic() + 30
        while _known(state) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        child.kill()
    assert child.returncode in {-9, 1}  # the signal, or what Windows ends a process with
    service.free = 1000
    service.hold.set()
    known, before = _known(state), server.lines.count(PART)
    assert known == 4
    told: list[tuple[int, int]] = []
    _send(client, path, state, progress=lambda done, total: told.append((done, total)))
    assert server.lines.count(PART) - before == PARTS - known
    assert server.lines.count("POST /uploads") == 1
    assert told[0] == (known * SIZE, len(DATA))
    assert service.stored == [("", "", DATA)]
    assert service.digests[-1] is not None
    assert not state.exists()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kept", [True, False])
def test_state__after_ctrl_c_no_thread_is_left_and_it_can_be_gone_on_with(
    server: FaultServer,
    service: FileService,
    client: Client,
    path: Path,
    state: Path,
    kept: bool,
) -> None:
    service.free = 2
    given = str(state) if kept else ""
    command = [sys.executable, "-c", INTERRUPTED, server.url, str(path), given]
    with subprocess.Popen(command, env=unmeasured(), stdout=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 30
        while server.lines.count(PART) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        while kept and _known(state) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        told, _ = end_with(signal.SIGINT, child)
    assert told == "['MainThread']\n"
    assert ("POST /uploads/upload_1000/cancel" in server.lines) is not kept
    service.free = 1000
    service.hold.set()
    if kept:
        assert _known(state) == 2
        _send(client, path, state)
        assert service.stored == [("", "", DATA)]


def _broken_off(server: FaultServer, client: Client, path: Path, state: Path) -> None:
    """Send until a part is refused for want of a key; what arrived is in the state."""
    lines = [fault("pass", on=PART)] * 3 + [fault("answer", on=PART, status=401, json={})]
    server.script(*lines)
    failure(lambda: _send(client, path, state, workers=1), AuthenticationError)


def test_state__holds_what_is_needed_to_go_on(
    server: FaultServer, client: Client, path: Path, state: Path
) -> None:
    _broken_off(server, client, path, state)
    found = json.loads(state.read_bytes())
    assert found == {
        "target": {
            "base_url": server.url,
            "purpose": "fine-tune",
            "filename": "train.jsonl",
            "mime_type": "text/jsonl",
            "size": len(DATA),
            "modified": path.stat().st_mtime_ns,
            "part_size": SIZE,
        },
        "upload_id": "upload_1000",
        "expires_at": 9_999_999_999,
        "parts": {"0": "part_1000", "1": "part_1001", "2": "part_1002"},
        "completing": False,
    }
    assert "POST /uploads/upload_1000/cancel" not in server.lines


def test_state__a_part_that_arrived_unknown_is_sent_again_and_does_no_harm(
    server: FaultServer, service: FileService, client: Client, path: Path, state: Path
) -> None:
    server.script(*[fault("reset", on=PART, works=True)] * 12)
    failure(lambda: _send(client, path, state), APIConnectionError)
    server.pending.clear()
    _send(client, path, state)
    assert service.stored == [("", "", DATA)]
    assert len(service.parts) > PARTS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"purpose": "batch"}, "purpose was 'fine-tune' and is 'batch'"),
        ({"part_size": 50_000}, "part_size was 100000 and is 50000"),
        ({"filename": "b.jsonl"}, "filename was 'train.jsonl' and is 'b.jsonl'"),
    ],
)
def test_state__of_another_upload_is_refused(
    server: FaultServer, client: Client, path: Path, state: Path, options: Any, message: str
) -> None:
    _broken_off(server, client, path, state)
    error = failure(lambda: _send(client, path, state, **options), RequestError)
    assert error.message == (
        f"The state in {str(state)!r} is of another upload: {message}. Delete it to begin anew, or "
        "give what it was begun with."
    )
    assert error.problems == [message]


def test_state__of_a_file_that_changed_is_refused(
    server: FaultServer, client: Client, path: Path, state: Path
) -> None:
    _broken_off(server, client, path, state)
    path.write_bytes(DATA + b"more\n")
    error = failure(lambda: _send(client, path, state), RequestError)
    assert error.problems[0] == "size was 1000000 and is 1000005"
    path.write_bytes(DATA)
    os.utime(path, ns=(1, 1))
    error = failure(lambda: _send(client, path, state), RequestError)
    assert [problem.split()[0] for problem in error.problems] == ["modified"]


def test_state__of_an_upload_that_expired_is_refused(
    server: FaultServer, client: Client, path: Path, state: Path
) -> None:
    _broken_off(server, client, path, state)
    found = json.loads(state.read_bytes())
    state.write_text(json.dumps({**found, "expires_at": time.time() - 1}))
    error = failure(lambda: _send(client, path, state), RequestError)
    assert error.message == (
        f"The upload 'upload_1000' in {str(state)!r} has expired; delete that file to begin anew."
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"target": {"size": 3}}', "null", "[" * 100_000], ids=repr
)
def test_state__a_file_that_holds_none_is_refused_and_kept(
    server: FaultServer, client: Client, path: Path, state: Path, text: str
) -> None:
    state.write_text(text)
    error = failure(lambda: _send(client, path, state), RequestError)
    assert error.message == (
        f"{str(state)!r} does not hold the state of an upload; give another path, or delete it if it is "
        "damaged."
    )
    assert state.read_text() == text
    assert server.lines == []


@pytest.mark.parametrize(
    "damage",
    [
        {"upload_id": None},
        {"upload_id": ""},
        {"expires_at": "soon"},
        {"expires_at": [1]},
        {"expires_at": True},
        {"expires_at": float("nan")},
        {"parts": ["part_1000"]},
        {"parts": {"0": None}},
        {"parts": {"first": "part_1000"}},
        {"parts": {"-1": "part_1000"}},
        {"parts": {str(PARTS): "part_1000"}},
        {"completing": "no"},
    ],
    ids=str,
)
def test_state__that_is_damaged_is_refused_and_kept(
    server: FaultServer, client: Client, path: Path, state: Path, damage: dict[str, Any]
) -> None:
    _broken_off(server, client, path, state)
    text = json.dumps({**json.loads(state.read_bytes()), **damage})
    state.write_text(text)
    server.seen.clear()
    error = failure(lambda: _send(client, path, state), RequestError)
    assert "does not hold the state of an upload" in error.message
    assert state.read_text() == text
    assert server.lines == []


def test_state__of_an_upload_that_is_gone_is_deleted(
    server: FaultServer, service: FileService, client: Client, path: Path, state: Path
) -> None:
    _broken_off(server, client, path, state)
    server.script(*[fault("answer", on=PART, status=404, json={})] * 4)
    failure(lambda: _send(client, path, state), NotFoundError)
    assert not state.exists()
    server.pending.clear()
    _send(client, path, state)
    assert service.stored == [("", "", DATA)]


@pytest.mark.parametrize("again", ["completed", "pending"])
def test_state__a_lost_answer_to_the_completion_is_asked_for_again_and_told(
    server: FaultServer, service: FileService, client: Client, path: Path, state: Path, again: str
) -> None:
    server.script(fault("reset", on=COMPLETE, works=again == "completed"))
    failure(lambda: _send(client, path, state), APIConnectionError)
    assert json.loads(state.read_bytes())["completing"]
    if again == "pending":
        _send(client, path, state)
        assert service.stored == [("", "", DATA)]
        assert server.lines.count(PART) == PARTS
        return
    answer = {"error": {"message": "The upload is completed."}}
    server.script(fault("answer", on=COMPLETE, status=400, json=answer))
    error = failure(lambda: _send(client, path, state), IntegrityError)
    assert error.outcome == "ambiguous"
    assert error.message.startswith(
        "The outcome of an earlier request to complete the upload 'upload_1000' is unknown; now the "
        "server says: "
    )
    assert error.message.endswith(
        " Look for the file with files.find(path) before you send it again."
    )
    assert not state.exists()
    assert server.lines.count(PART) == PARTS


def test_state__a_stall_ends_in_time_and_can_be_gone_on_with(
    server: FaultServer, service: FileService, client: Client, path: Path, state: Path
) -> None:
    server.script(*[fault("hang", on=PART)] * 12)
    failure(lambda: _send(client, path, state, timeout=(10, 0.5)), APITimeoutError)
    server.pending.clear()
    _send(client, path, state)
    assert service.stored == [("", "", DATA)]


def test_state__that_cannot_be_written_leaves_no_upload_behind(
    server: FaultServer, client: Client, path: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        _send(client, path, tmp_path / "not there" / "state.json")
    assert server.lines == ["POST /uploads", "POST /uploads/upload_1000/cancel"]


@pytest.mark.skipif(os.name != "posix", reason="the directory is not opened elsewhere")
def test_state__in_a_folder_that_cannot_be_read_is_kept(
    monkeypatch: pytest.MonkeyPatch, client: Client, path: Path, state: Path
) -> None:
    unlocked = os.open

    def locked(name: Any, flags: int, *args: Any, **more: Any) -> int:
        if name == state.parent:
            raise PermissionError(13, "Permission denied", str(name))
        return unlocked(name, flags, *args, **more)

    monkeypatch.setattr(os, "open", locked)
    _send(client, path, state)
    assert not state.exists()


def test_state__is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = UploadTarget(
        base_url="http://127.0.0.1/v1",
        purpose="fine-tune",
        filename="a",
        mime_type="text/jsonl",
        size=1,
        modified=2,
        part_size=3,
    )
    file = tmp_path / "state.json"
    state = UploadState(target=target, upload_id="upload_1", parts={0: "part_3"})
    state.save(file)
    assert load_state(file, target, now=0) == state
    state.upload_id = object()  # type: ignore[assignment]  # what JSON cannot write
    with pytest.raises(TypeError):
        state.save(file)
    assert load_state(file, target, now=0) is not None
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
    assert load_state(tmp_path / "none.json", target, now=0) is None
