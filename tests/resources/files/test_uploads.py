"""Uploads in parts: in parallel, again one by one, gone on with, given up."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import responses

from finetune_client import Client
from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    IntegrityError,
    InternalServerError,
    RequestError,
)
from finetune_client.providers import AZURE, AZURE_CLASSIC, OPENAI
from tests.support.fault_server import Fault, fault
from tests.support.faults.clients import connect, failure
from tests.support.file_service import DATA

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fault_server import FaultServer
    from tests.support.file_service import FileService

MD5 = hashlib.md5(DATA).hexdigest()
SIZE = 100_000
PARTS = 11
PART = "POST /uploads/upload_1000/parts"
COMPLETE = "POST /uploads/upload_1000/complete"
CANCEL = "POST /uploads/upload_1000/cancel"


def test_calls__are_those_of_the_api() -> None:
    with Client.local() as client:
        upload = client.uploads.create(
            bytes=6,
            filename="a.txt",
            mime_type="text/plain",
            purpose="user_data",
            expires_after=3600,
        )
        assert (upload.status, upload.bytes) == ("pending", 6)
        parts = [
            client.uploads.parts.create(upload.id, data=data)
            for data in (b"abc", io.BytesIO(b"def"))
        ]
        done = client.uploads.complete(
            upload.id, part_ids=[part.id for part in reversed(parts)], md5=_md5(b"defabc")
        )
        assert done.status == "completed"
        assert done.file is not None
        assert client.files.content(done.file.id) == b"defabc"
        other = client.uploads.create(
            bytes=6, filename="a.txt", mime_type="text/plain", purpose="user_data"
        )
        assert client.uploads.cancel(other.id).status == "cancelled"
        with pytest.raises(BadRequestError):
            client.uploads.parts.create(other.id, data=b"abc")


def _md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("kind", ["path", "opened", "bytes"])
def test_upload_file__arrives_whole_from_any_file(path: Path, workers: int, kind: str) -> None:
    told: list[tuple[int, int]] = []
    with Client.local() as client, path.open("rb") as opened:
        given: Any = {"path": path, "opened": opened, "bytes": DATA}[kind]
        upload = client.uploads.upload_file(
            given,
            purpose="user_data",
            part_size=SIZE,
            workers=workers,
            progress=lambda done, total: told.append((done, total)),
        )
        assert upload.file is not None
        assert client.files.content(upload.file.id) == DATA
        assert upload.filename == ("upload" if kind == "bytes" else "train.jsonl")
    assert (told[0], told[-1]) == ((0, len(DATA)), (len(DATA), len(DATA)))
    assert told == sorted(told)


def test_upload_file__says_what_the_file_is(
    server: FaultServer, service: FileService, client: Client, path: Path
) -> None:
    client.uploads.upload_file(path, part_size=SIZE, expires_after=3600)
    assert json.loads(server.seen[0].body) == {
        "filename": "train.jsonl",
        "purpose": "fine-tune",
        "bytes": len(DATA),
        "mime_type": "text/jsonl",
        "expires_after": {"anchor": "created_at", "seconds": 3600},
    }
    assert sorted(map(len, service.parts.values())) == [len(DATA) % SIZE, *[SIZE] * (PARTS - 1)]
    assert service.stored == [("", "", DATA)]
    assert service.digests == [MD5]


def test_upload_file__sends_so_many_parts_at_the_same_time(
    server: FaultServer, service: FileService, client: Client, path: Path
) -> None:
    service.free = 0
    sending = threading.Thread(
        target=client.uploads.upload_file, args=(path,), kwargs={"part_size": SIZE}
    )
    sending.start()
    deadline = time.monotonic() + 20
    while server.lines.count(PART) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    at_once = server.lines.count(PART)
    service.hold.set()
    sending.join()
    assert at_once == 4
    assert service.stored == [("", "", DATA)]


@pytest.mark.parametrize("md5", [MD5, MD5.upper(), False])
def test_upload_file__an_md5_that_is_given_is_not_computed(
    service: FileService, client: Client, path: Path, md5: Any
) -> None:
    client.uploads.upload_file(path, part_size=SIZE, md5=md5)
    assert service.digests == [MD5 if md5 else None]


@pytest.mark.parametrize(
    "broken",
    [
        fault("reset", on=PART),
        fault("reset", on=PART, works=True),
        fault("early reset", on=PART),
        fault("answer", on=PART, status=500, json={}),
        fault("answer", on=PART, status=503, json={}),
        fault("early", on=PART, status=503, json={}),
        fault("answer", on=PART, status=429, json={}),
        fault("answer", on=PART, text="<html>"),
    ],
    ids=["reset", "lost answer", "early reset", "500", "503", "early 503", "429", "HTML"],
)
def test_upload_file__a_part_that_breaks_off_is_sent_again_by_itself(
    server: FaultServer, service: FileService, client: Client, path: Path, broken: Fault
) -> None:
    server.script(broken)
    client.uploads.upload_file(path, part_size=SIZE)
    assert service.stored == [("", "", DATA)]
    assert server.lines.count(PART) == PARTS + 1
    assert CANCEL not in server.lines


HOPELESS = {
    "reset": (fault("reset", on=PART), APIConnectionError),
    "stall": (fault("hang", on=PART), APITimeoutError),
    "500": (fault("answer", on=PART, status=500, json={}), InternalServerError),
    "401": (fault("early", on=PART, status=401, json={}), AuthenticationError),
    "413": (fault("early", on=PART, status=413, json={}), APIStatusError),
    "not completed": (fault("answer", on=COMPLETE, status=400, json={}), BadRequestError),
    "completion lost": (fault("reset", on=COMPLETE, works=True), APIConnectionError),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_upload_file__what_fails_is_cancelled_and_no_thread_is_left(
    server: FaultServer, client: Client, path: Path, name: str
) -> None:
    broken, kind = HOPELESS[name]
    server.script(*[broken] * 60)
    options: Any = {"timeout": (10, 0.5)} if name == "stall" else {}
    failure(lambda: client.uploads.upload_file(path, part_size=SIZE, **options), kind)
    assert CANCEL in server.lines
    assert server.lines.count(COMPLETE) == (broken.on == COMPLETE)
    assert not [each for each in threading.enumerate() if each.name.startswith("finetune-upload")]


def test_upload_file__an_id_that_no_request_can_name_is_a_bad_answer() -> None:
    with responses.RequestsMock() as server, Client("k", base_url="https://api.test/v1") as client:
        server.post("https://api.test/v1/uploads", json={"id": "a\0"})
        with pytest.raises(APIResponseError) as caught:
            client.uploads.upload_file(b"abc", filename="a.jsonl")
    assert caught.value.message == (
        "The answer to POST /uploads cannot be read: "
        "upload_id must not have control characters in it, got 'a\\x00'."
    )


@pytest.mark.parametrize(
    ("part_id", "problem"),
    [("", "id is empty."), ("\ud800", "id is not valid Unicode: '\\ud800'.")],
    ids=["empty", "half of a character"],
)
def test_upload_file__a_part_that_no_request_can_name_is_a_bad_answer(
    part_id: str, problem: str
) -> None:
    with responses.RequestsMock() as server, Client("k", base_url="https://api.test/v1") as client:
        server.post("https://api.test/v1/uploads", json={"id": "upload_1"})
        server.post("https://api.test/v1/uploads/upload_1/parts", json={"id": part_id})
        server.post("https://api.test/v1/uploads/upload_1/cancel", json={"id": "upload_1"})
        with pytest.raises(APIResponseError) as caught:
            client.uploads.upload_file(b"abc", filename="a.jsonl")
    assert caught.value.message == (
        f"The answer to POST /uploads/upload_1/parts cannot be read: {problem}"
    )


def test_upload_file__the_first_failure_stops_the_others(
    server: FaultServer, service: FileService, client: Client, tmp_path: Path
) -> None:
    large = tmp_path / "large.jsonl"
    large.write_bytes(DATA * 10)
    server.script(fault("answer", on=PART, status=401, json={}))
    failure(
        lambda: client.uploads.upload_file(large, part_size=SIZE, workers=2), AuthenticationError
    )
    assert len(service.parts) < 50
    assert CANCEL in server.lines


def test_upload_file__that_it_cannot_be_cancelled_is_logged(
    server: FaultServer, client: Client, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(
        fault("answer", on=PART, status=401, json={}),
        fault("answer", on=CANCEL, status=401, json={"error": {"message": "No."}}),
    )
    failure(
        lambda: client.uploads.upload_file(path, part_size=SIZE, workers=1), AuthenticationError
    )
    (line,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert line.getMessage().startswith(
        "the upload upload_1000 could not be cancelled and will expire by itself: "
    )


def test_upload_file__a_file_that_changes_is_given_up_even_with_a_state(
    server: FaultServer, service: FileService, client: Client, path: Path, tmp_path: Path
) -> None:
    def alter(done: int, _total: int) -> None:
        if done > 3 * SIZE:
            os.truncate(path, 5000)

    state = tmp_path / "state.json"
    failure(
        lambda: client.uploads.upload_file(path, part_size=SIZE, state=state, progress=alter),
        IntegrityError,
    )
    assert CANCEL in server.lines
    assert not state.exists()
    assert service.stored == []


def test_upload_file__ctrl_c_cancels_and_leaves_no_thread(
    server: FaultServer, client: Client, path: Path
) -> None:
    def stop(done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.uploads.upload_file(path, part_size=SIZE, progress=stop)
    assert CANCEL in server.lines
    assert not [each for each in threading.enumerate() if each.name.startswith("finetune-upload")]


def test_upload_file__a_file_of_another_size_is_an_error(
    service: FileService, client: Client, path: Path
) -> None:
    service.says = {"bytes": 7}
    error = failure(lambda: client.uploads.upload_file(path, part_size=SIZE), IntegrityError)
    assert error.message.startswith("The server stored 7 bytes as file 'file-1000'")


def test_upload_file__a_server_that_may_count_otherwise(
    service: FileService, server: FaultServer, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service.says = {"bytes": 7}
    with connect(server, provider="compatible") as client:
        upload = client.uploads.upload_file(path, part_size=SIZE)
    assert upload.file is not None
    assert (upload.file.bytes, "has 7 bytes" in caplog.text) == (7, True)


def test_create__of_no_bytes_is_the_servers_to_refuse(server: FaultServer, client: Client) -> None:
    client.uploads.create(bytes=0, filename="a", mime_type="b", purpose="c")
    assert json.loads(server.seen[0].body)["bytes"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part_size": 0}, "part_size must be from 1 to 67108864 bytes (64 MiB), not 0."),
        (
            {"part_size": 67_108_865},
            "part_size must be from 1 to 67108864 bytes (64 MiB), not 67108865.",
        ),
        ({"part_size": 1.5}, "part_size must be from 1 to 67108864 bytes (64 MiB), not 1.5."),
        ({"part_size": True}, "part_size must be from 1 to 67108864 bytes (64 MiB), not True."),
        ({"part_size": "1"}, "part_size must be from 1 to 67108864 bytes (64 MiB), not '1'."),
        ({"workers": True}, "workers must be from 1 to 32, not True."),
        ({"workers": 2.0}, "workers must be from 1 to 32, not 2.0."),
        ({"filename": 5}, "filename must be text, not 5."),
        ({"mime_type": b"x"}, "mime_type must be text, not b'x'."),
        ({"md5": 5}, "md5 must be 32 hexadecimal digits, not 5."),
        ({"workers": 0}, "workers must be from 1 to 32, not 0."),
        ({"workers": 33}, "workers must be from 1 to 32, not 33."),
        ({"md5": "x"}, "md5 must be 32 hexadecimal digits, not 'x'."),
        ({"purpose": ""}, "purpose must be text such as \"fine-tune\", not ''."),
    ],
)
def test_upload_file__what_cannot_be_is_refused_before_anything_is_sent(
    server: FaultServer, client: Client, path: Path, options: Any, message: str
) -> None:
    assert (
        failure(lambda: client.uploads.upload_file(path, **options), RequestError).message
        == message
    )
    assert server.lines == []


@pytest.mark.parametrize(
    ("part_ids", "problem"),
    [
        ("part_1", "part_ids: must be an array of texts, at least one, got 'part_1'"),
        ([], "part_ids: must be an array of texts, at least one, got []"),
        ([5], "part_ids[0]: must be text, got 5"),
        ([None], "part_ids[0]: is missing"),
    ],
)
def test_complete__part_ids_are_a_list_of_texts(
    server: FaultServer, client: Client, part_ids: Any, problem: str
) -> None:
    error = failure(lambda: client.uploads.complete("upload_1", part_ids=part_ids), RequestError)
    assert error.message == f"Cannot complete the upload: {problem}."
    assert server.lines == []


def test_upload_file__what_is_too_large_or_empty_is_refused(
    server: FaultServer, client: Client, path: Path
) -> None:
    client._session.config = replace(
        client._session.config, provider=replace(OPENAI, max_upload_bytes=1000)
    )
    error = failure(lambda: client.uploads.upload_file(path), RequestError)
    assert error.message == (
        "The file 'train.jsonl' has 1024000 bytes, and an upload in parts takes at most 1000; "
        "split it into several files."
    )
    path.write_bytes(b"")
    error = failure(lambda: client.uploads.upload_file(path), RequestError)
    assert error.message == "The file 'train.jsonl' is empty (path=); nothing was sent."
    assert server.lines == []


@pytest.mark.parametrize("size", [-1, 8_000_000_001, 1.0, True, "1"])
def test_create__a_size_that_cannot_be_is_refused(client: Client, size: Any) -> None:
    error = failure(
        lambda: client.uploads.create(bytes=size, filename="a", mime_type="b", purpose="c"),
        RequestError,
    )
    assert error.message == f"bytes must be a whole number from 0 to 8000000000, not {size!r}."


def test_create__azure_takes_larger_uploads(service: FileService, client: Client) -> None:
    client._session.config = replace(client._session.config, provider=AZURE_CLASSIC)

    def create(size: int) -> str | None:
        return client.uploads.create(
            bytes=size, filename="a", mime_type="text/jsonl", purpose="fine-tune"
        ).status

    assert create(9_000_000_000) == "pending"
    error = failure(lambda: create(9_000_000_001), RequestError)
    assert error.message == "bytes must be a whole number from 0 to 9000000000, not 9000000001."


def test_uploads__a_provider_without_expiry_is_not_asked_for_it(
    server: FaultServer, client: Client, path: Path
) -> None:
    client._session.config = replace(client._session.config, provider=AZURE_CLASSIC)
    uploads = client.uploads
    calls = [
        lambda: uploads.create(
            bytes=1, filename="a", mime_type="b", purpose="c", expires_after=3600
        ),
        lambda: uploads.upload_file(path, expires_after=3600),
    ]
    for call in calls:
        error = failure(call, ConfigurationError)
        assert "'azure-classic' does not support expires_after" in error.message
    assert server.lines == []


def test_uploads__a_provider_that_has_none_is_not_asked(client: Client, path: Path) -> None:
    client._session.config = replace(client._session.config, provider=AZURE)
    uploads = client.uploads
    calls = [
        lambda: uploads.create(bytes=1, filename="a", mime_type="b", purpose="c"),
        lambda: uploads.parts.create("upload_1", data=b"x"),
        lambda: uploads.complete("upload_1", part_ids=[]),
        lambda: uploads.cancel("upload_1"),
        lambda: uploads.upload_file(path),
    ]
    for call in calls:
        assert "'azure' does not support" in failure(call, ConfigurationError).message


def test_upload_file_chunked__is_the_official_name(
    service: FileService, client: Client, path: Path
) -> None:
    upload = client.uploads.upload_file_chunked(
        file=path, mime_type="text/jsonl", purpose="fine-tune", part_size=SIZE
    )
    assert upload.status == "completed"
    client.uploads.upload_file_chunked(
        file=DATA, filename="a.jsonl", bytes=len(DATA), mime_type="text/jsonl", purpose="fine-tune"
    )
    assert service.stored == [("", "", DATA)] * 2
    error = failure(
        lambda: client.uploads.upload_file_chunked(
            file=DATA, bytes=7, mime_type="text/jsonl", purpose="fine-tune"
        ),
        RequestError,
    )
    assert error.message == "bytes= is 7, but The data without a name has 1024000 bytes."


def test_options__reach_every_request(server: FaultServer, client: Client, path: Path) -> None:
    client.uploads.upload_file(
        path, part_size=SIZE, extra_headers={"X-Team": "a"}, extra_body={"note": "b"}
    )
    assert {seen.header("x-team") for seen in server.seen} == {"a"}
    assert json.loads(server.seen[0].body)["note"] == "b"
    with pytest.raises(TypeError, match="unexpected keyword argument 'woerkers'"):
        client.uploads.upload_file(path, woerkers=3)  # type: ignore[call-arg]  # that is the test


def test_options__an_extra_body_goes_into_the_form_of_a_file_and_of_a_part(
    server: FaultServer, client: Client, path: Path
) -> None:
    extra: dict[str, Any] = {
        "custom_llm_provider": "openai",
        "route": {"team": "a", "retries": 2},
        "dry": False,
        "tags": ["x", "y"],
        "none": None,
        "text": "mehr\u00e4",
    }
    client.files.create(file=b"{}", extra_body=extra)
    client.files.upload(path, extra_body=extra)
    client.uploads.parts.create("upload_1", data=b"x", extra_body=extra)
    for seen in server.seen:
        form = seen.body.decode("utf-8", "replace")
        for name, value in {
            "custom_llm_provider": "openai",
            "route[team]": "a",
            "route[retries]": "2",
            "dry": "false",
            "tags[]": "x",
            "text": "mehr\u00e4",
        }.items():
            assert f'name="{name}"\r\n\r\n{value}\r\n' in form
        assert form.count('name="tags[]"') == 2
        assert 'name="none"' not in form
    assert len(server.seen) == 3
    with pytest.raises(RequestError, match="cannot replace the field 'data': it is the file"):
        client.uploads.parts.create("upload_1", data=b"x", extra_body={"data": "y"})


def test_options__an_extra_body_of_a_file_replaces_the_purpose(
    service: FileService, client: Client
) -> None:
    client.files.create(file=b"{}", extra_body={"purpose": "evals"})
    assert [purpose for _, purpose, _ in service.stored] == ["evals"]


def test_upload_file__an_answer_without_a_file_is_handed_on_where_the_upload_was_asked_for(
    server: FaultServer, client: Client, path: Path
) -> None:
    done = {"id": "upload_1000", "status": "completed", "file": None}
    server.script(*[fault("answer", on="POST /uploads/", json={"id": "part_1"})] * PARTS)
    server.script(fault("answer", on=COMPLETE, json=done))
    assert client.uploads.upload_file(path, part_size=SIZE).file is None
    client._session.config = replace(
        client._session.config, provider=replace(OPENAI, max_file_bytes=1000)
    )
    other = COMPLETE.replace("1000", "1001")
    server.script(fault("answer", on=other, json={**done, "id": "upload_1001"}))
    error = failure(lambda: client.files.upload(path), APIResponseError)
    assert error.message == (
        "The upload 'upload_1001' was completed, but the answer names no file; look for it with "
        "files.find(path)."
    )
