from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import IntegrityError, NotFoundError, RequestError
from finetune_client.models import FineTuningJob, Model
from finetune_client.resources import Pager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import responses

BASE = "https://api.openai.com/v1"
JOB = {"id": "ftjob-1", "status": "running", "new": "ä"}
HEADERS = {"x-request-id": "req-1", "x-ratelimit-remaining-requests": "59"}
LINES = b'{"a": 1}\r\n{"b": "\xc3\xa4\xe2\x80\xa8"}\n{"c": 3}'


@pytest.fixture
def local() -> Iterator[Client]:
    with Client.local() as made:
        yield made


@pytest.fixture
def job(server: responses.RequestsMock) -> None:
    server.get(f"{BASE}/fine_tuning/jobs/ftjob-1", json=JOB, headers=HEADERS)


def test_raw_response__has_what_came_and_what_the_call_returns(client: Client, job: None) -> None:
    raw = client.jobs.with_raw_response.retrieve("ftjob-1", extra_query={"a": "b"})
    assert raw.status_code == 200
    assert raw.headers["X-RateLimit-Remaining-Requests"] == "59"
    assert raw.request_id == "req-1"
    assert (raw.method, raw.url) == ("GET", f"{BASE}/fine_tuning/jobs/ftjob-1?a=b")
    assert raw.json() == JOB
    assert raw.content == raw.http_response.content == raw.text.encode()
    assert raw.http_response.json() == JOB
    assert raw.parse() == FineTuningJob.from_dict(JOB)
    assert raw.is_closed
    assert raw.elapsed >= timedelta(0)
    assert repr(raw) == f"<RawResponse 200 to GET {BASE}/fine_tuning/jobs/ftjob-1?a=b>"


def test_raw_response__does_not_show_the_key(client: Client, job: None) -> None:
    raw = client.jobs.with_raw_response.retrieve("ftjob-1")
    assert raw.http_request.headers["Authorization"].encode() == b"Bearer sk-test"
    assert "sk-test" not in f"{raw} {vars(raw)} {raw.http_request.headers}"


@pytest.mark.parametrize(
    "path",
    [
        lambda client: client.fine_tuning.jobs.with_raw_response.retrieve,
        lambda client: client.fine_tuning.with_raw_response.jobs.retrieve,
        lambda client: client.with_raw_response.fine_tuning.jobs.retrieve,
        lambda client: client.with_raw_response.jobs.retrieve,
    ],
)
def test_raw_response__is_had_on_every_path(path: Any, client: Client, job: None) -> None:
    assert path(client)("ftjob-1").parse().id == "ftjob-1"


def test_raw_response__of_a_list_has_the_pager(
    client: Client, server: responses.RequestsMock
) -> None:
    first = {"object": "list", "data": [{"id": "a"}], "has_more": True}
    server.get(f"{BASE}/fine_tuning/jobs", json=first)
    server.get(f"{BASE}/fine_tuning/jobs", json={"data": [{"id": "b"}], "has_more": False})
    raw = client.jobs.with_raw_response.list()
    assert len(server.calls) == 1
    assert raw.json() == first
    pager = raw.parse()
    assert isinstance(pager, Pager)
    assert [one.id for one in pager] == ["a", "b"]
    assert raw.json() == first


def test_raw_response__of_a_create_is_that_of_the_create(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(f"{BASE}/fine_tuning/jobs", json={"data": [], "has_more": False})
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB, headers=HEADERS)
    raw = client.jobs.with_raw_response.create(
        model="m", training_file="file-1", idempotency_key="k"
    )
    assert (raw.method, raw.request_id) == ("POST", "req-1")
    assert len(server.calls) == 2


def test_raw_response__of_a_wait_is_that_of_its_last_poll(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(f"{BASE}/fine_tuning/jobs/ftjob-1", json={**JOB, "status": "succeeded"})
    raw = client.jobs.with_raw_response.wait("ftjob-1", timeout=60)
    assert raw.json()["status"] == raw.parse().status == "succeeded"


def test_raw_response__of_an_error_is_the_error(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(f"{BASE}/models/m", status=404, json={"error": {"message": "No."}})
    with pytest.raises(NotFoundError):
        client.models.with_raw_response.retrieve("m")


def test_raw_response__of_a_file_is_its_content(local: Client) -> None:
    file = local.files.create(file=("a.jsonl", LINES), purpose="user_data")
    raw = local.files.with_raw_response.content(file.id)
    assert raw.content == raw.http_response.content == raw.parse() == LINES
    assert raw.text == LINES.decode()


def test_raw_response__of_a_file_is_not_what_is_asked_for_to_check_it(
    client: Client, server: responses.RequestsMock, tmp_path: Path
) -> None:
    page, length = "<html>", {"Content-Length": "6"}
    server.get(
        f"{BASE}/files/file-1/content",
        body=page,
        headers=HEADERS | length,
        content_type="text/html",
    )
    about = {"id": "file-1", "bytes": 6, "filename": "a.html"}
    server.get(f"{BASE}/files/file-1", json=about)
    raw = client.files.with_raw_response.content("file-1")
    assert (raw.text, raw.request_id, len(server.calls)) == (page, "req-1", 2)
    raw = client.files.with_raw_response.download("file-1", tmp_path / "a")
    assert (raw.content, raw.parse(), raw.request_id) == (b"", tmp_path / "a", "req-1")


def test_raw_response__says_where_no_request_was_sent(client: Client) -> None:
    with pytest.raises(RequestError) as caught:
        client.jobs.with_raw_response.follow("ftjob-1")
    assert caught.value.message == (
        "follow() sent no request when it was called, so there is no raw response."
    )


@pytest.mark.parametrize("name", ["nothing", "_session", "with_raw_response"])
def test_raw_response__has_calls_only(name: str, client: Client) -> None:
    with pytest.raises(AttributeError):
        getattr(client.jobs.with_raw_response, name)
    with pytest.raises(AttributeError, match="Client has no call 'close'"):
        client.with_streaming_response.close()


def test_raw_calls__list_their_names(client: Client) -> None:
    names = dir(client.jobs.with_raw_response)
    assert {"create", "checkpoints", "list"} <= set(names)
    assert dir(client.jobs.with_streaming_response) == names
    assert not [name for name in names if name.startswith(("_", "with_"))]
    assert repr(client.jobs.with_raw_response) == "<RawCalls of Jobs>"
    assert repr(client.with_streaming_response) == "<StreamingCalls of Client>"


def test_raw_response__refuses_when_the_client_is_closed(client: Client) -> None:
    calls = client.jobs.with_raw_response
    client.close()
    with pytest.raises(ValueError, match="The client is closed"):
        calls.retrieve("ftjob-1")


def test_streaming_response__of_json_is_read_in_any_way(client: Client, job: None) -> None:
    streaming = client.jobs.with_streaming_response
    opened = streaming.retrieve("ftjob-1")
    with opened as response:
        assert not response.is_closed
        assert (response.status_code, response.request_id) == (200, "req-1")
        assert response.json() == JOB
        assert response.parse().id == "ftjob-1"
        assert response.text().encode() == response.read() == b"".join(response.iter_bytes(3))
    assert response.is_closed


def test_streaming_response__sends_when_it_is_entered(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(f"{BASE}/models/m", json={"id": "m"})
    opened = client.models.with_streaming_response.retrieve("m")
    assert len(server.calls) == 0
    with opened as response:
        assert len(server.calls) == 1
        assert response.parse() == Model(id="m")


READ: dict[str, Any] = {
    "read": lambda response: response.read(),
    "iter_bytes": lambda response: b"".join(response.iter_bytes()),
    "iter_bytes, by size": lambda response: b"".join(response.iter_bytes(chunk_size=5)),
    "text": lambda response: response.text().encode(),
    "iter_text": lambda response: "".join(response.iter_text(1)).encode(),
    "parse": lambda response: response.parse(),
    "iter_lines": lambda response: "\n".join(response.iter_lines()).encode(),
}


@pytest.mark.parametrize("way", READ)
def test_streaming_response__of_a_file_is_read_in_any_way(way: str, local: Client) -> None:
    file = local.files.create(file=("a.jsonl", LINES), purpose="user_data")
    with local.files.with_streaming_response.content(file.id) as response:
        found = READ[way](response)
    assert found == (LINES.replace(b"\r", b"") if way == "iter_lines" else LINES)


def test_streaming_response__gives_blocks_of_one_size(local: Client) -> None:
    file = local.files.create(file=("a.txt", b"x" * 200_000), purpose="user_data")
    with local.files.with_streaming_response.content(file.id) as response:
        assert response.headers["Content-Length"] == "200000"
        sizes = [len(block) for block in response.iter_bytes(chunk_size=70_000)]
    assert sizes == [70_000, 70_000, 60_000]


def test_streaming_response__writes_a_file(local: Client, tmp_path: Path) -> None:
    file = local.files.create(file=("a.jsonl", LINES), purpose="user_data")
    with local.files.with_streaming_response.content(file.id) as response:
        response.stream_to_file(tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == LINES


def test_streaming_response__of_an_empty_file(client: Client, server: Any) -> None:
    server.get(f"{BASE}/files/file-1/content", body=b"", headers={"Content-Length": "0"})
    with client.files.with_streaming_response.content("file-1") as response:
        assert list(response.iter_lines()) == []


def test_streaming_response__that_is_cut_off_says_so(client: Client, server: Any) -> None:
    server.get(
        f"{BASE}/files/file-1/content",
        body=b"ab",
        headers={"Content-Length": "5"},
        auto_calculate_content_length=False,
    )
    with (
        client.files.with_streaming_response.content("file-1") as response,
        pytest.raises(IntegrityError),
    ):
        response.read()


def test_streaming_response__is_read_once(client: Client, job: None) -> None:
    with client.jobs.with_streaming_response.retrieve("ftjob-1") as response:
        next(response.iter_bytes(1))
        with pytest.raises(RequestError) as caught:
            response.read()
    assert caught.value.message == (
        "The body cannot be read: the response was read already, in part or to its end."
    )


def test_streaming_response__that_is_closed_is_not_read(client: Client, job: None) -> None:
    with client.jobs.with_streaming_response.retrieve("ftjob-1") as response:
        pass
    with pytest.raises(RequestError, match="the response was closed"):
        response.read()


def test_deprecated_calls__warn_as_in_the_official_sdk(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(f"{BASE}/files/file-1/content", body="ä", headers={"Content-Length": "2"})
    server.get(f"{BASE}/fine_tuning/checkpoints/m/permissions", json={"data": []})
    with pytest.warns(DeprecationWarning, match="use files.content") as seen:
        assert client.files.retrieve_content("file-1") == "ä"
    assert seen[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="use permissions.list"):
        assert client.checkpoints.permissions.retrieve("m").data == []


def test_raw_response__logs_as_any_call(
    client: Client, job: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "finetune_client"):
        client.jobs.with_raw_response.retrieve("ftjob-1")
    assert "GET /fine_tuning/jobs/ftjob-1 -> 200 (req-1)" in caplog.text
