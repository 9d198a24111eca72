"""What lasts, what ends, and how the server is called in process."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client.local import LocalServer
from finetune_client.local.storage.store import Store
from tests.support.local_api import BASE, LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JOBS = "/fine_tuning/jobs"
LONG = {"n_epochs": 50, "batch_size": 1}


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("finetune-")]


def test_close__ends_training_and_removes_what_is_temporary(
    connect: Callable[[LocalServer], LocalApi],
) -> None:
    server = LocalServer(step_seconds=60)
    api = connect(server)
    job = api.create(training_file=api.upload(jsonl(chat_lines(10))), hyperparameters=LONG)
    api.job(job["id"], until=("running",))
    directory = server._store._root
    assert threads()
    assert directory.exists()
    start = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - start < 20
    assert threads() == []
    assert not directory.exists()
    with pytest.raises(requests.ConnectionError) as caught:
        api.session.get(f"{BASE}/models")
    assert str(caught.value) == "The embedded server has been closed."


def test_close__of_a_server_that_did_nothing() -> None:
    with LocalServer() as server:
        directory = server._store._root
    assert not directory.exists()


def test_directory__keeps_everything(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path
) -> None:
    server = LocalServer(tmp_path)
    api = connect(server)
    train = api.upload(jsonl(chat_lines(10)))
    key = {"Idempotency-Key": "k"}
    settings = {"n_epochs": 2, "batch_size": 2, "learning_rate_multiplier": 4}
    body = {"model": "tiny", "training_file": train, "seed": 1, "hyperparameters": settings}
    job = api.ended(api.ok("POST", JOBS, json=body, headers=key)["id"])
    permissions = f"/fine_tuning/checkpoints/{job['fine_tuned_model']}/permissions"
    api.ok("POST", permissions, json={"project_ids": ["proj_a"]})
    upload = {"filename": "u", "purpose": "fine-tune", "mime_type": "x", "bytes": 3}
    made = api.ok("POST", "/uploads", json=upload)
    part = api.ok("POST", f"/uploads/{made['id']}/parts", files={"data": b"abc"})
    paths = ["/files", "/models", JOBS, f"{JOBS}/{job['id']}/checkpoints", permissions]
    before = [api.ok("GET", path)["data"] for path in paths]
    events = api.events(job["id"])
    server.close()

    again = connect(LocalServer(tmp_path))
    after = [again.ok("GET", path)["data"] for path in paths]
    assert [row["id"] for row in after[1][5:]] == [row["id"] for row in before[1][5:]]
    assert [*after[:1], *after[2:]] == [*before[:1], *before[2:]]
    assert again.events(job["id"]) == events
    assert again.ok("POST", JOBS, json=body, headers=key)["id"] == job["id"]
    path = f"/uploads/{made['id']}/complete"
    assert again.ok("POST", path, json={"part_ids": [part["id"]]})["file"]["bytes"] == 3
    further = again.trained(**{**body, "model": job["fine_tuned_model"]})
    assert again.metrics(further["id"])[0]["train_loss"] < 5


def test_directory__a_job_goes_on_where_the_server_was_closed(
    connect: Callable[[LocalServer], LocalApi], tmp_path: Path
) -> None:
    content = jsonl(chat_lines(10))
    settings = {"n_epochs": 10, "batch_size": 5}
    plain = connect(LocalServer())
    through = plain.trained(training_file=plain.upload(content), seed=1, hyperparameters=settings)
    server = LocalServer(tmp_path, step_seconds=60, workers=1)
    api = connect(server)
    train = api.upload(content)
    job = api.create(training_file=train, seed=1, hyperparameters=settings)
    other = api.create(training_file=train, seed=1, hyperparameters=settings)
    api.job(other["id"], until=("queued",))
    while not api.metrics(job["id"]):
        time.sleep(0.01)
    server.close()
    saved = json.loads((tmp_path / "jobs" / f"{job['id']}.json").read_text(encoding="utf-8"))
    assert saved["wire"]["status"] == "queued"

    again = connect(LocalServer(tmp_path))
    for one in (job, other):
        assert again.ended(one["id"])["status"] == "succeeded"
        assert again.metrics(one["id"]) == plain.metrics(through["id"])


def test_store__makes_no_path_of_what_it_did_not_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ValueError, match=r"^'\.\./x' is not the key of a blob$"):
        store.path("../x")
    with pytest.raises(ValueError, match=r"^'\.\./x' is not an id made here$"):
        store.save("files", "../x", {})


def test_store__writes_records_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save("things", "a", {"n": 1})
    with pytest.raises(TypeError):
        store.save("things", "a", {"n": object()})
    assert store.load("things") == [{"n": 1}]
    store.forget("things", "a")
    assert store.load("things") == []


def form(size: int) -> tuple[dict[str, str], Iterator[bytes], int]:
    head = (
        b'--BB\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        b'--BB\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    tail = b"\r\n--BB--\r\n"
    blocks = iter((head, *([b"x" * 1000] * (size // 1000)), tail))
    return {"Content-Type": "multipart/form-data; boundary=BB"}, blocks, len(head + tail) + size


@pytest.mark.parametrize("sized", [True, False])
def test_adapter__streams_bodies(api: LocalApi, *, sized: bool) -> None:
    headers, blocks, length = form(300_000)
    if sized:
        headers["Content-Length"] = str(length)
    request = requests.Request("POST", f"{BASE}/files", data=blocks, headers=headers).prepare()
    if sized:
        del request.headers["Transfer-Encoding"]
    answer = api.session.send(request)
    assert answer.json()["bytes"] == 300_000
    with api.session.get(f"{BASE}/files/{answer.json()['id']}/content", stream=True) as got:
        first = got.raw.read(10)
        assert first == b"x" * 10
        assert sum(len(block) for block in got.raw.stream(5000)) == 299_990
        assert got.raw.read(1) == b""


def test_adapter__raises_what_the_body_raised(api: LocalApi) -> None:
    class NoMoreError(Exception):
        pass

    def body() -> Iterator[bytes]:
        yield b"--BB\r\n"
        raise NoMoreError

    headers = {"Content-Type": "multipart/form-data; boundary=BB"}
    with pytest.raises(NoMoreError):
        api.session.post(f"{BASE}/files", data=body(), headers=headers)
    assert api.ok("GET", "/files")["data"] == []


def test_adapter__a_body_that_ends_early_is_refused(api: LocalApi) -> None:
    headers, blocks, length = form(5000)
    headers["Content-Length"] = str(length + 10)
    request = requests.Request("POST", f"{BASE}/files", data=blocks, headers=headers).prepare()
    del request.headers["Transfer-Encoding"]
    assert api.session.send(request).status_code == 400
    assert api.ok("GET", "/files")["data"] == []


@pytest.mark.parametrize("kind", ["file", "bytes", "text"])
def test_adapter__takes_every_kind_of_body(api: LocalApi, tmp_path: Path, kind: str) -> None:
    # With urllib3 1.26, requests itself counts the characters of text, not its bytes.
    name = "e" if kind == "text" else "é"
    text = f'{{"grader": {{"type": "string_check", "name": "{name}", "input": "", "reference": "", '
    text += '"operation": "eq"}}'
    path = tmp_path / "body.json"
    path.write_text(text, encoding="utf-8")
    headers = {"Content-Type": "application/json"}
    with path.open("rb") as file:
        bodies: dict[str, Any] = {"file": file, "bytes": text.encode(), "text": text}
        url = "/fine_tuning/alpha/graders/validate"
        answer = api.ok("POST", url, data=bodies[kind], headers=headers)
    assert answer["grader"]["name"] == name


def test_threads__use_one_server_at_once(api: LocalApi) -> None:
    content = jsonl(chat_lines(10))
    done: list[Any] = []

    def journey(number: int) -> None:
        with requests.Session() as session:
            session.mount(BASE, api.session.get_adapter(BASE))
            own = LocalApi(session)
            settings = {"n_epochs": 1, "batch_size": 5}
            body = {"seed": number, "hyperparameters": settings, "suffix": f"s{number}"}
            done.append(own.trained(training_file=own.upload(content), **body))

    workers = [threading.Thread(target=journey, args=(number,)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    names = {job["fine_tuned_model"] for job in done}
    assert len(names) == 6
    assert names < {row["id"] for row in api.ok("GET", "/models")["data"]}
    assert {job["user_provided_suffix"] for job in done} == {f"s{number}" for number in range(6)}
