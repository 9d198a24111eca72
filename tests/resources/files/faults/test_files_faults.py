"""What a bad network and a bad server do to files: a documented error, and nothing by halves."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    FineTuneError,
    IntegrityError,
    InternalServerError,
)
from finetune_client.providers import AZURE, COMPATIBLE, OPENAI, Provider
from tests.support.fault_server import Fault, fault
from tests.support.faults.clients import connect, failure, sleepless
from tests.support.file_service import DATA

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client import Client
    from tests.support.fault_server import FaultServer
    from tests.support.file_service import FileService

UP = "POST /files"
DOWN = "GET /files/file-1/content"


def _options(broken: Fault) -> dict[str, Any]:
    """A short time-out for a server that says nothing; no other is to be overtaken by time."""
    return {"timeout": (10, 0.3)} if broken.action in {"hang", "deaf"} else {}


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


BUSY: dict[str, Any] = {"status": 503, "headers": {"Retry-After": "1"}, "json": {}}
LIMITED: dict[str, Any] = {"status": 429, "json": {}}


@pytest.mark.parametrize(
    "refusal",
    [
        fault("answer", on=UP, **BUSY),
        fault("answer", on=UP, **LIMITED),
        fault("early", on=UP, **BUSY),
        fault("early", on=UP, **LIMITED),
    ],
    ids=["503", "429", "early 503", "early 429"],
)
@pytest.mark.parametrize("opened", [False, True])
def test_create__a_file_that_was_certainly_not_taken_is_sent_again_whole(
    server: FaultServer,
    service: FileService,
    client: Client,
    path: Path,
    refusal: Fault,
    opened: bool,
) -> None:
    server.script(refusal, refusal)
    with path.open("rb") as file:
        found = client.files.create(file=file if opened else path)
    assert found.bytes == len(DATA)
    assert service.stored == [("train.jsonl", "fine-tune", DATA)]
    assert server.lines == [UP] * 3


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (fault("reset", on=UP, works=True), APIConnectionError),
        (fault("close", on=UP, works=True), APIConnectionError),
        (fault("hang", on=UP, works=True), APITimeoutError),
        (fault("deaf", on=UP), APITimeoutError),
        (fault("early reset", on=UP), APIConnectionError),
        (fault("answer", on=UP, status=500, json={}), InternalServerError),
        (fault("answer", on=UP, text="<html>"), APIResponseError),
        (fault("cut", on=UP), APIConnectionError),
    ],
    ids=["reset", "close", "hang", "stall", "early reset", "500", "HTML", "cut"],
)
def test_create__a_file_that_may_have_been_taken_is_not_sent_again(
    server: FaultServer, client: Client, tmp_path: Path, broken: Fault, kind: type[FineTuneError]
) -> None:
    large = tmp_path / "large.jsonl"
    large.write_bytes(DATA * 16)
    server.script(broken)
    error = failure(lambda: client.files.create(file=large, **_options(broken)), kind)
    assert server.lines == [UP]
    assert getattr(error, "outcome", None) in {"ambiguous", "bad_answer"}


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (413, APIStatusError)])
@pytest.mark.parametrize("rude", [False, True])
def test_create__a_refusal_that_comes_before_the_body_is_read_is_heard(
    server: FaultServer, client: Client, tmp_path: Path, status: int, kind: Any, rude: bool
) -> None:
    large = tmp_path / "large.jsonl"
    large.write_bytes(DATA * 16)
    server.script(fault("early", on=UP, status=status, json={"error": {"message": "No."}}))
    error = failure(lambda: client.files.create(file=large), kind)
    assert (error.status_code, error.outcome) == (status, "refused")
    assert server.lines == [UP]


def test_create__goes_over_a_connection_of_its_own_that_cannot_have_gone_stale(
    server: FaultServer, client: Client
) -> None:
    for _ in range(2):
        client.files.retrieve("file-1")
        client.files.create(file=DATA)
    assert [seen.connection for seen in server.seen] == [1, 2, 1, 3]


@pytest.mark.parametrize("change", [-200_000, 200_000])
def test_create__a_file_that_changes_while_it_is_sent_is_stored_nowhere(
    server: FaultServer, service: FileService, client: Client, path: Path, change: int
) -> None:
    def alter(sent: int, _total: int) -> None:
        if sent:
            os.truncate(path, len(DATA) + change)

    error = failure(lambda: client.files.create(file=path, progress=alter), IntegrityError)
    assert error.outcome == "not_sent"
    assert error.message.startswith(
        "The file 'train.jsonl' changed while it was being sent: it had"
    )
    assert service.stored == []
    assert client.files.create(file=path).bytes == len(DATA) + change


def test_create__what_a_progress_function_raises_comes_through(client: Client, path: Path) -> None:
    def stop(_sent: int, _total: int) -> None:
        raise KeyboardInterrupt

    with path.open("rb") as file:
        with pytest.raises(KeyboardInterrupt):
            client.files.create(file=file, progress=stop)
        assert file.tell() == 0


def test_create__a_server_that_has_another_number_of_bytes_is_an_error(
    service: FileService, client: Client
) -> None:
    service.says = {"bytes": 7}
    error = failure(lambda: client.files.create(file=DATA), IntegrityError)
    assert error.outcome == "bad_answer"
    assert error.message == (
        "The server stored 7 bytes as file 'file-1000', but 1024000 were sent; delete it with "
        "files.delete('file-1000') and send it again. To take what the server says, give the client "
        "provider=dataclasses.replace(provider, counts_bytes=False)."
    )
    service.says = {"bytes": None}
    assert client.files.create(file=DATA).bytes is None


@pytest.mark.parametrize(
    "provider", [COMPATIBLE, AZURE, replace(OPENAI, counts_bytes=False)], ids=lambda one: one.name
)
def test_create__a_server_that_may_count_otherwise_is_believed(
    provider: Provider, service: FileService, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    service.says = {"bytes": 7}
    with connect(server, provider=provider) as client:
        assert client.files.create(file=DATA).bytes == 7
    assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == [
        (
            f"{provider.name} says that file 'file-1000' has 7 bytes, and 1024000 were sent; it is not "
            "known to count right"
        )
    ]


ONCE = {
    "reset": fault("reset", on=DOWN),
    "cut": fault("cut", on=DOWN),
    "cut and reset": fault("cut", on=DOWN, reset=True),
    "cut without a length": fault("cut open", on=DOWN),
    "cut between chunks": fault("cut chunks", on=DOWN),
    "503": fault("answer", on=DOWN, **BUSY),
    "500": fault("answer", on=DOWN, status=500, json={}),
    "short length": fault("short length", on=DOWN),
}


@pytest.mark.parametrize("broken", ONCE.values(), ids=ONCE)
@pytest.mark.parametrize("etag", ['"1"', 'W/"1"', None])
def test_download__a_transfer_that_breaks_once_is_gone_on_with(
    server: FaultServer,
    service: FileService,
    client: Client,
    tmp_path: Path,
    broken: Fault,
    etag: str | None,
) -> None:
    service.tag = etag
    server.script(broken)
    target = tmp_path / "data"
    client.files.download("file-1", target)
    assert target.read_bytes() == DATA
    assert _names(tmp_path) == ["data"]


@pytest.mark.parametrize("name", sorted(set(ONCE) - {"short length"}))
def test_content__a_transfer_that_breaks_once_is_gone_on_with(
    server: FaultServer, client: Client, name: str
) -> None:
    server.script(ONCE[name])
    assert client.files.content("file-1") == DATA


def test_download__asks_for_the_rest_and_only_if_it_is_the_same(
    server: FaultServer, service: FileService, client: Client, tmp_path: Path
) -> None:
    server.script(fault("cut", on=DOWN))
    client.files.download("file-1", tmp_path / "data")
    assert service.wanted == [None, f"bytes={len(DATA) // 2}-"]
    head = server.seen[-1]
    assert (head.header("if-range"), head.header("accept-encoding")) == ('"1"', "identity")


@pytest.mark.parametrize("setting", [{"ranges": False}, {"shift": 10}, {"shift": -10}])
def test_download__starts_over_when_the_server_gives_another_stretch(
    server: FaultServer, service: FileService, client: Client, tmp_path: Path, setting: Any
) -> None:
    service.__dict__.update(setting)
    server.script(fault("cut", on=DOWN))
    told: list[int] = []
    client.files.download("file-1", tmp_path / "data", progress=lambda done, _: told.append(done))
    assert (tmp_path / "data").read_bytes() == DATA
    assert told.count(0) == 2


def test_download__starts_over_when_the_content_is_another(
    server: FaultServer, service: FileService, client: Client, tmp_path: Path
) -> None:
    def change(done: int, _total: int) -> None:
        if done and service.tag == '"1"':
            service.tag, service.content = '"2"', DATA[::-1]

    server.script(fault("cut", on=DOWN))
    client.files.download("file-1", tmp_path / "data", progress=change)
    assert (tmp_path / "data").read_bytes() == DATA[::-1]


@pytest.mark.parametrize("says_whole", [True, False])
def test_content__goes_on_when_the_server_gives_less_than_was_asked_for(
    server: FaultServer, service: FileService, client: Client, says_whole: bool
) -> None:
    service.most, service.says_whole = 200_000, says_whole
    server.script(fault("cut", on=DOWN))
    assert client.files.content("file-1") == DATA
    assert service.wanted == [None, "bytes=512000-", "bytes=712000-", "bytes=912000-"]


def test_content__starts_over_when_another_content_is_of_another_length(
    server: FaultServer, service: FileService, client: Client
) -> None:
    other = DATA[::-1] + b"more"

    def change(_: object) -> None:
        service.content = other

    service.tag = None
    server.script(fault("cut", on=DOWN))
    assert client.with_options(on_response=change).files.content("file-1") == other


def test_download__starts_over_when_there_is_no_rest(
    server: FaultServer, service: FileService, client: Client, tmp_path: Path
) -> None:
    server.script(
        fault("cut", on=DOWN),
        fault("answer", on=DOWN, status=416, json={}),
    )
    client.files.download("file-1", tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == DATA


FOR_EVER = {
    "reset": (fault("reset", on=DOWN), APIConnectionError),
    "hang": (fault("hang", on=DOWN), APITimeoutError),
    "early close": (fault("close", on=DOWN), APIConnectionError),
    "cut without a length": (fault("cut open", on=DOWN), IntegrityError),
    "gzip": (fault("gzip", on=DOWN), APIResponseError),
    "gzip cut": (fault("cut gzip", on=DOWN), APIResponseError),
    "500": (fault("answer", on=DOWN, status=500, json={}), InternalServerError),
    "401": (fault("answer", on=DOWN, status=401, json={}), AuthenticationError),
    "short": (fault("answer", on=DOWN, text="short"), IntegrityError),
    "empty": (fault("answer", on=DOWN), IntegrityError),
    "long": (fault("answer", on=DOWN, text=DATA + b"x"), IntegrityError),
    "endless": (fault("endless", on=DOWN), IntegrityError),
    "HTML": (
        fault("answer", on=DOWN, text="Log in", headers={"Content-Type": "text/html"}),
        APIResponseError,
    ),
    "HTML by its looks": (
        fault("answer", on=DOWN, text="\n<!DOCTYPE html><title>Log in</title>"),
        APIResponseError,
    ),
    "a stretch not asked for": (
        fault(
            "answer",
            on=DOWN,
            status=206,
            text="abc",
            headers={"Content-Range": "bytes 5-7/1024000"},
        ),
        IntegrityError,
    ),
}


@pytest.mark.parametrize("name", FOR_EVER)
@pytest.mark.parametrize("before", [None, b"old"])
def test_download__a_transfer_that_breaks_again_and_again_leaves_all_as_it_was(
    server: FaultServer,
    service: FileService,
    client: Client,
    tmp_path: Path,
    name: str,
    before: Any,
) -> None:
    service.ranges = False
    if "gzip" in name:
        service.content = DATA[:5000]
    broken, kind = FOR_EVER[name]
    server.script(*[broken] * 40)
    target = tmp_path / "data"
    if before is not None:
        target.write_bytes(before)
    failure(lambda: client.files.download("file-1", target, **_options(broken)), kind)
    assert _names(tmp_path) == (["data"] if before else [])
    if before is not None:
        assert target.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["reset", "hang", "gzip", "gzip cut", "401", "HTML", "HTML by its looks"]
)
def test_content__a_transfer_that_breaks_again_and_again_is_an_error(
    server: FaultServer, service: FileService, client: Client, name: str
) -> None:
    service.content = DATA[:5000]
    broken, kind = FOR_EVER[name]
    server.script(*[broken] * 40)
    failure(lambda: client.files.content("file-1", **_options(broken)), kind)
    server.pending[:] = [broken] * 40
    failure(lambda: list(client.files.stream("file-1", **_options(broken))), kind)


def test_content__a_body_without_a_length_is_compared_with_the_file_object(
    server: FaultServer, client: Client
) -> None:
    server.script(fault("cut open", on=DOWN))
    error = failure(lambda: list(client.files.stream("file-1")), IntegrityError)
    assert error.message == (
        "The content of GET /files/file-1/content came with 512000 bytes, and the file has 1024000."
    )


def test_download__waits_longer_each_time_and_then_gives_up(
    server: FaultServer, service: FileService, client: Client, tmp_path: Path
) -> None:
    service.ranges = False
    naps = sleepless(client)
    server.script(*[fault("cut open", on=DOWN)] * 40)
    failure(lambda: client.files.download("file-1", tmp_path / "data"), IntegrityError)
    assert naps == [0.4375, 0.875, 1.75, 3.5]
    assert len(service.wanted) == 5


def test_download__goes_on_as_long_as_it_gets_further(
    server: FaultServer, service: FileService, client: Client, tmp_path: Path
) -> None:
    service.content = DATA * 64
    server.script(*[fault("cut", on=DOWN)] * 8)
    client.files.download("file-1", tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == service.content
    assert len(service.wanted) == 9


def test_download__a_web_page_that_is_the_file_is_written(
    service: FileService, client: Client, tmp_path: Path
) -> None:
    service.content = b"<!doctype html><title>Mine</title>"
    client.files.download("file-1", tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == service.content
    assert client.files.content("file-1") == service.content


@pytest.mark.parametrize("size", [9, 12, 10])
def test_download__results_of_training_may_come_in_base64(
    server: FaultServer, service: FileService, client: Client, tmp_path: Path, size: int
) -> None:
    service.content = b"c3RlcCxsb3Nz"
    service.file = {"bytes": size, "purpose": "fine-tune-results"}
    client.files.download("file-1", tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == service.content
    service.file["purpose"] = "user_data"
    if size != len(service.content):
        failure(lambda: client.files.download("file-1", tmp_path / "data"), IntegrityError)


def test_download__ctrl_c_leaves_nothing(client: Client, tmp_path: Path) -> None:
    def stop(done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.files.download("file-1", tmp_path / "data", progress=stop)
    assert _names(tmp_path) == []


def test_download__a_full_disk_leaves_nothing(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        client.files.download("file-1", tmp_path / "data")
    assert _names(tmp_path) == []


def test_stream__gives_the_connection_back(client: Client, server: FaultServer) -> None:
    assert b"".join(client.files.stream("file-1")) == DATA
    blocks = client.files.stream("file-1")
    next(blocks)
    del blocks
    assert client.files.retrieve("file-1").id == "file-1"
    assert threading.active_count() < 20
