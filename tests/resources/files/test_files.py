"""Files over the embedded server, which shares no code with the client."""

from __future__ import annotations

import io
import os
import stat
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import (
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    RequestError,
    TrainingDataError,
    WaitTimeoutError,
)
from finetune_client.providers import AZURE, AZURE_CLASSIC, OPENAI, Provider
from tests.support.fake_time import FakeTime
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LINE = b'{"messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]}\n'
DATA = LINE * 2000


@pytest.fixture(scope="module")
def server() -> Iterator[Client]:
    with Client.local() as client:
        yield client


@pytest.fixture
def client(server: Client) -> Iterator[Client]:
    """A client of a server that other tests have left files on."""
    config = server._session.config
    yield server
    server._session.config = config


@pytest.fixture
def alone() -> Iterator[Client]:
    """A client of a server without files."""
    with Client.local() as client:
        yield client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "träning 训练.jsonl"
    path.write_bytes(DATA)
    return path


def _as(client: Client, provider: Provider) -> None:
    client._session.config = replace(client._session.config, provider=provider)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda path: path, "träning 训练.jsonl"),
        (str, "träning 训练.jsonl"),
        (lambda path: DATA, "upload.jsonl"),
        (lambda path: io.BytesIO(DATA), "upload.jsonl"),
        (lambda path: ("other.jsonl", DATA, "text/jsonl"), "other.jsonl"),
    ],
)
def test_create__every_kind_of_file_arrives_as_it_is(
    client: Client, path: Path, make: Callable[[Path], Any], name: str
) -> None:
    file = client.files.create(file=make(path), purpose="fine-tune")
    assert (file.filename, file.bytes, file.purpose) == (name, len(DATA), "fine-tune")
    assert client.files.content(file.id) == DATA
    assert client.files.retrieve(file.id) == file


def test_create__an_open_file_is_sent_from_where_it_stands(client: Client, path: Path) -> None:
    with path.open("rb") as opened:
        opened.seek(len(LINE))
        file = client.files.create(file=opened)
        assert opened.read() == b""
    assert client.files.content(file.id) == DATA[len(LINE) :]


def test_create__data_without_a_name_that_is_not_for_training_is_called_upload(
    client: Client,
) -> None:
    assert client.files.create(file=b"x", purpose="user_data").filename == "upload"


@pytest.mark.parametrize(
    "given", [3600, {"seconds": 3600}, {"anchor": "created_at", "seconds": 3600}]
)
def test_create__a_file_expires_when_asked_to(client: Client, given: Any) -> None:
    file = client.files.create(file=DATA, expires_after=given)
    assert file.expires_at is not None
    assert file.created_at is not None
    assert file.expires_at - file.created_at == 3600


@pytest.mark.parametrize("seconds", [3599, 2_592_001, True, 3600.0, "3600", None])
def test_create__an_expiry_that_the_api_does_not_have_is_refused(
    client: Client, seconds: Any
) -> None:
    with pytest.raises(RequestError) as caught:
        client.files.create(file=DATA, expires_after={"seconds": seconds})
    assert str(caught.value) == (
        "expires_after.seconds must be a whole number from 3600 to 2592000, not " + f"{seconds!r}."
    )


def test_create__azure_is_sent_files_with_and_without_an_expiry(client: Client) -> None:
    """Its specification requires one; its service is recorded to take files without."""
    _as(client, AZURE)
    assert client.files.create(file=DATA).expires_at is None
    assert client.files.create(file=DATA, expires_after=3600).expires_at is not None


def test_create__a_provider_without_expiry_is_not_asked_for_it(client: Client) -> None:
    _as(client, AZURE_CLASSIC)
    with pytest.raises(ConfigurationError, match="'azure-classic' does not support expires_after"):
        client.files.create(file=DATA, expires_after=3600)


def test_create__what_is_too_large_is_told_where_to_go(client: Client, path: Path) -> None:
    _as(client, replace(OPENAI, max_file_bytes=100))
    with pytest.raises(RequestError) as caught:
        client.files.create(file=path)
    assert str(caught.value) == (
        f"The file 'träning 训练.jsonl' has {len(DATA)} bytes, and POST /files takes at most 100; "
        "send it in parts: client.files.upload(path) or client.uploads."
    )
    _as(client, replace(AZURE, max_file_bytes=100))
    with pytest.raises(RequestError) as caught:
        client.files.upload(path, expires_after=3600)
    assert str(caught.value) == (
        f"The file 'träning 训练.jsonl' has {len(DATA)} bytes, and this provider takes at most "
        "100; split it, or keep only the examples that are needed."
    )


@pytest.mark.parametrize("purpose", ["", None, 3])
def test_create__a_purpose_is_text(client: Client, purpose: Any) -> None:
    with pytest.raises(RequestError) as caught:
        client.files.create(file=DATA, purpose=purpose)
    assert str(caught.value) == f'purpose must be text such as "fine-tune", not {purpose!r}.'


def test_create__what_the_server_refuses_is_its_own_error(client: Client) -> None:
    with pytest.raises(BadRequestError):
        client.files.create(file=DATA, purpose="no such purpose")


def test_create__an_unknown_keyword_is_named(client: Client) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'pupose'"):
        client.files.create(file=DATA, pupose="fine-tune")  # type: ignore[call-arg]  # that is the test


def test_create__tells_how_far_it_is(client: Client, path: Path) -> None:
    told: list[tuple[int, int]] = []
    client.files.create(file=path, progress=lambda sent, total: told.append((sent, total)))
    assert told[0] == (0, len(DATA))
    assert told[-1] == (len(DATA), len(DATA))
    assert told == sorted(told)


def test_create__draws_a_bar(
    client: Client, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client.files.create(file=path, progress=True)
    output = capsys.readouterr()
    assert output.out == ""
    assert "träning 训练.jsonl" in output.err


def test_create__a_bar_without_rich_says_what_to_install(
    alone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(ConfigurationError) as caught:
        alone.files.create(file=DATA, progress=True)
    assert str(caught.value) == (
        "progress=True draws a bar with rich, which is not installed. Install it with pip install "
        "'finetune-client[cli]', or give a function: progress=lambda done, total: ..."
    )
    assert list(alone.files.list()) == []


def test_upload__sends_in_parts_what_is_too_large_for_one_request(
    client: Client, path: Path
) -> None:
    assert client.files.upload(path).bytes == len(DATA)
    _as(client, replace(OPENAI, max_file_bytes=100_000))
    seen: list[str] = []
    client._session.config = replace(
        client._session.config, on_response=lambda info: seen.append(f"{info.method} {info.path}")
    )
    file = client.files.upload(path, part_size=100_000, expires_after=3600)
    assert client.files.content(file.id) == DATA
    assert file.filename == path.name
    assert sum(line.endswith("/parts") for line in seen) == 2


def test_list__walks_pages_and_filters(alone: Client) -> None:
    ids = [alone.files.create(file=DATA, purpose="user_data").id for _ in range(3)]
    alone.files.create(file=DATA)
    assert {file.id for file in alone.files.list(purpose="user_data")} == set(ids)
    oldest = alone.files.list(order="asc", limit=2)
    assert [len(page.data) for page in oldest.pages()] == [2, 2]
    assert next(iter(oldest)).id == ids[0]
    after = alone.files.list(order="asc", after=ids[1])
    assert next(iter(after)).id == ids[2]


def test_list__a_provider_without_pages_is_not_asked_for_them(alone: Client) -> None:
    _as(alone, AZURE_CLASSIC)
    assert list(alone.files.list()) == []
    with pytest.raises(ConfigurationError, match="does not support limit, order and after"):
        alone.files.list(limit=3)


def test_delete__takes_the_file_away(client: Client) -> None:
    file = client.files.create(file=DATA)
    assert client.files.delete(file.id).deleted
    with pytest.raises(NotFoundError):
        client.files.retrieve(file.id)


@pytest.mark.parametrize("id", ["..", "", "a\nb"])
def test_ids__never_leave_their_place(client: Client, id: str) -> None:
    for call in (client.files.retrieve, client.files.delete, client.files.content):
        with pytest.raises(RequestError, match="file_id"):
            call(id)
    with pytest.raises(RequestError, match="file_id"):
        client.files.stream(id)


def test_find__gives_what_has_the_name_and_the_size(alone: Client, path: Path) -> None:
    assert alone.files.find(path) == []
    files = [alone.files.create(file=path) for _ in range(2)]
    alone.files.create(file=("other.jsonl", DATA))
    alone.files.create(file=(path.name, DATA + LINE))
    alone.files.create(file=path, purpose="user_data")
    assert {file.id for file in alone.files.find(path)} == {file.id for file in files}
    assert len(alone.files.find(path, purpose=None)) == 3


def test_download__writes_the_content_with_the_rights_of_any_new_file(
    client: Client, tmp_path: Path
) -> None:
    file = client.files.create(file=DATA)
    target = tmp_path / "there" / "data.jsonl"
    with pytest.raises(FileNotFoundError):
        client.files.download(file.id, target)
    target.parent.mkdir()
    told: list[tuple[int, int]] = []
    found = client.files.download(
        file.id, str(target), progress=lambda done, total: told.append((done, total))
    )
    assert found == target
    assert target.read_bytes() == DATA
    assert [each.name for each in target.parent.iterdir()] == ["data.jsonl"]
    assert (told[0], told[-1]) == ((0, len(DATA)), (len(DATA), len(DATA)))
    usual = tmp_path / "usual"
    usual.write_bytes(b"")
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_download__takes_the_place_of_a_file_and_goes_through_a_link(
    client: Client, tmp_path: Path
) -> None:
    file = client.files.create(file=DATA)
    target, link = tmp_path / "data.jsonl", tmp_path / "link.jsonl"
    target.write_bytes(b"old")
    link.symlink_to(target)
    client.files.download(file.id, link)
    assert link.is_symlink()
    assert target.read_bytes() == DATA


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_download__keeps_the_rights_of_the_file_whose_place_it_takes(
    client: Client, tmp_path: Path, mode: int
) -> None:
    target = tmp_path / "data.jsonl"
    target.write_bytes(b"private")
    target.chmod(mode)
    client.files.download(client.files.create(file=DATA).id, target)
    assert target.read_bytes() == DATA
    assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.parametrize("place", ["folder", "/dev/null"])
def test_download__only_takes_the_place_of_regular_files(
    client: Client, tmp_path: Path, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / place
    with pytest.raises(RequestError) as caught:
        client.files.download("file-1", target)
    assert str(caught.value) == f"{str(target)!r} is not a regular file; give the path of a file."


def test_download__a_file_that_is_not_there_leaves_all_as_it_was(
    client: Client, tmp_path: Path
) -> None:
    target = tmp_path / "data.jsonl"
    target.write_bytes(b"old")
    with pytest.raises(NotFoundError):
        client.files.download("file-none", target)
    assert target.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["data.jsonl"]


def test_stream__gives_small_blocks(client: Client) -> None:
    file = client.files.create(file=DATA)
    blocks = list(client.files.stream(file.id))
    assert b"".join(blocks) == DATA
    assert max(map(len, blocks)) <= 65_536


def test_upload__a_server_on_ones_own_machine_takes_a_file_of_any_size_at_once(
    tmp_path: Path,
) -> None:
    large = tmp_path / "train.jsonl"
    with large.open("wb") as file:
        file.truncate(600 * 1000 * 1000)
    sent: list[int] = []

    def stop(done: int, total: int) -> None:
        sent.append(total)
        raise KeyboardInterrupt

    with (
        FaultServer() as server,
        connect(server, provider="unsloth") as client,
        pytest.raises(KeyboardInterrupt),
    ):
        client.files.upload(large, progress=stop)
    assert sent == [600 * 1000 * 1000]


def _waiting(*statuses: str | None, **options: Any) -> tuple[Any, list[float]]:
    """Wait for a file whose status is one after the other; the result, or the error."""
    time = FakeTime()
    with FaultServer() as server, connect(server) as client:
        for status in statuses:
            row = {"id": "file-1", "status": status, "status_details": "line 3 is no JSON"}
            server.script(fault("answer", on="GET /files/file-1", json=row))
        client._session.clock = time.clock
        try:
            return client.files.wait_for_processing("file-1", **options), time.sleeps
        except (TrainingDataError, WaitTimeoutError) as error:
            return error, time.sleeps


@pytest.mark.parametrize("status", [None, "processed"])
def test_wait__a_file_without_a_status_or_processed_is_ready(status: str | None) -> None:
    file, sleeps = _waiting(status)
    assert (file.id, sleeps) == ("file-1", [])


def test_wait__looks_again_ever_more_rarely_or_as_often_as_asked() -> None:
    file, sleeps = _waiting("uploaded", "pending", "running", "processed")
    assert (file.status, sleeps) == ("processed", [2.0, 3.0, 4.5])
    file, sleeps = _waiting("uploaded", "pending", "running", "processed", poll_interval=7)
    assert (file.status, sleeps) == ("processed", [7, 7, 7])


def test_wait__sends_with_each_look_what_was_asked_for() -> None:
    with FaultServer() as server, connect(server) as client:
        for status in ("uploaded", "processed"):
            row = {"id": "file-1", "status": status}
            server.script(fault("answer", on="GET /files/file-1", json=row))
        client.files.wait_for_processing(
            "file-1", poll_interval=0.01, extra_headers={"X-Team": "a"}, extra_query={"q": 1}
        )
        assert [seen.target.partition("?")[2] for seen in server.seen] == ["q=1", "q=1"]
        assert all(("X-Team", "a") in seen.headers for seen in server.seen)
        with pytest.raises(TypeError, match="'extra_body'"):
            client.files.wait_for_processing("file-1", extra_body={})  # type: ignore[call-arg]  # that is the point


@pytest.mark.parametrize("status", ["error", "deleted"])
def test_wait__a_file_that_cannot_be_used_raises_with_its_details(status: str) -> None:
    error, _ = _waiting("uploaded", status)
    assert isinstance(error, TrainingDataError)
    assert error.problems == ["line 3 is no JSON"]
    assert str(error) == (
        f"The file 'file-1' cannot be used, its status is {status!r}: line 3 is no JSON"
    )


@pytest.mark.parametrize("argument", ["timeout", "max_wait_seconds"])
def test_wait__the_last_look_comes_when_the_time_is_over(argument: str) -> None:
    error, sleeps = _waiting(*["uploaded"] * 4, poll_interval=5, **{argument: 12})
    assert isinstance(error, WaitTimeoutError)
    assert sleeps == [5, 5, 2]
    assert error.job.status == "uploaded"
    assert str(error) == "The file 'file-1' was still 'uploaded' after 12 seconds."
    file, sleeps = _waiting("uploaded", "uploaded", "processed", poll_interval=5, timeout=7)
    assert (file.status, sleeps) == ("processed", [5, 2])


@pytest.mark.parametrize("argument", ["poll_interval", "timeout", "max_wait_seconds"])
def test_wait__refuses_a_time_that_is_none_before_anything_is_sent(argument: str) -> None:
    given: dict[str, Any] = {argument: -1}
    with FaultServer() as server, connect(server) as client:
        with pytest.raises(RequestError, match="must be a number of seconds from 0 on, got -1"):
            client.files.wait_for_processing("file-1", **given)
        assert server.seen == []
