"""Ids in paths: whatever an id is, it stays one segment or is refused before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from finetune_client.errors import FineTuneError, RequestError
from finetune_client.transport import path_segment
from tests.support.fault_server import FaultServer
from tests.support.faults.clients import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client import Client

REFUSED: dict[str, Any] = {
    "empty": "",
    "one dot": ".",
    "two dots": "..",
    "one dot in percent": "%2e",
    "two dots in percent": "%2e%2e",
    "two dots in capitals": "%2E%2E",
    "mixed dots": ".%2e",
    "mixed dots otherwise": "%2E.",
    "NUL": "a\x00b",
    "newline": "a\nb",
    "return": "a\rb",
    "tab": "a\tb",
    "delete": "a\x7fb",
    "a control above": "a\x85b",
    "a lone surrogate": "a\ud800",
    "None": None,
    "a number": 7,
    "bytes": b"ftjob-1",
    "a list": ["ftjob-1"],
    "a flag": True,
}
QUOTED: dict[str, str] = {
    "traversal": "../../models",
    "traversal in percent": "%2e%2e%2f%2e%2e%2fmodels",
    "slash": "a/b",
    "a slash at the end": "a/",
    "backslash": "a\\..\\b",
    "query": "a?limit=1",
    "fragment": "a#x",
    "percent": "a%2Fb",
    "a bare percent": "100%",
    "blank": "a b",
    "semicolon": "a;b=c",
    "at": "user@host",
    "colon": "ft:gpt-4o-mini:acme::7p4lURel:ckpt-step-10",
    "plus": "a+b",
    "ampersand": "a&b=c",
    "three dots": "...",
    "letters of other languages": "\u4efb\u52a1-\xe4",
    "an emoji": "\U0001f600",
    "a URL": "http://evil.invalid/x",
    "two slashes before": "//evil.invalid/x",
    "quotes": "\"'<>",
    "braces": "{id}",
    "brackets": "[::1]",
    "long": "x" * 2000,
}
CALLS: dict[str, tuple[Callable[[Client, Any], Any], str, str]] = {
    "retrieve": (lambda c, i: c.jobs.retrieve(i), "GET /v1/fine_tuning/jobs/", ""),
    "cancel": (lambda c, i: c.jobs.cancel(i), "POST /v1/fine_tuning/jobs/", "/cancel"),
    "file": (lambda c, i: c.files.retrieve(i), "GET /v1/files/", ""),
    "content": (lambda c, i: c.files.content(i), "GET /v1/files/", "/content"),
    "model": (lambda c, i: c.models.delete(i), "DELETE /v1/models/", ""),
    "events": (lambda c, i: c.jobs.list_events(i).data, "GET /v1/fine_tuning/jobs/", "/events"),
    "permissions": (
        lambda c, i: c.checkpoints.permissions.list(i).data,
        "GET /v1/fine_tuning/checkpoints/",
        "/permissions",
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def client(server: FaultServer) -> Iterator[Client]:
    with connect(server) as client:
        yield client


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("case", REFUSED)
def test_bad_id__is_refused_before_sending(
    server: FaultServer, client: Client, case: str, call: str
) -> None:
    server.seen.clear()
    with pytest.raises(RequestError) as caught:
        CALLS[call][0](client, REFUSED[case])
    assert isinstance(caught.value, ValueError)
    assert server.seen == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("case", QUOTED)
def test_odd_id__stays_in_its_segment(
    server: FaultServer, client: Client, case: str, call: str
) -> None:
    server.seen.clear()
    send, before, after = CALLS[call]
    send(client, QUOTED[case])
    target = f"{server.seen[0].method} {server.seen[0].target}"
    path = urlsplit(target).path
    assert path.startswith(before)
    assert path.endswith(after)
    middle = path[len(before) : len(path) - len(after)]
    assert "/" not in middle
    assert unquote(middle) == QUOTED[case]


JOB, CHECKPOINT = "fine_tuning_job_id", "fine_tuned_model_checkpoint"
EMPTY: list[tuple[str, Callable[[Client], Any]]] = [
    (JOB, lambda c: c.jobs.retrieve("")),
    (JOB, lambda c: c.jobs.cancel("")),
    (JOB, lambda c: c.jobs.pause("")),
    (JOB, lambda c: c.jobs.resume("")),
    (JOB, lambda c: c.jobs.list_events("")),
    (JOB, lambda c: c.jobs.checkpoints.list("")),
    (JOB, lambda c: c.jobs.wait("")),
    (JOB, lambda c: list(c.jobs.follow(""))),
    (JOB, lambda c: c.jobs.metrics("")),
    ("fine_tuning_job_ids", lambda c: c.jobs.wait_all(["ftjob-7", ""])),
    ("file_id", lambda c: c.files.retrieve("")),
    ("file_id", lambda c: c.files.delete("")),
    ("file_id", lambda c: c.files.content("")),
    ("file_id", lambda c: c.files.stream("")),
    ("file_id", lambda c: c.files.download("", "x")),
    ("file_id", lambda c: c.files.wait_for_processing("")),
    ("upload_id", lambda c: c.uploads.cancel("")),
    ("upload_id", lambda c: c.uploads.complete("", part_ids=["part_1"])),
    ("upload_id", lambda c: c.uploads.parts.create("", data=b"x")),
    ("model", lambda c: c.models.retrieve("")),
    ("model", lambda c: c.models.delete("")),
    (CHECKPOINT, lambda c: c.checkpoints.permissions.create("", project_ids=["proj_1"])),
    (CHECKPOINT, lambda c: c.checkpoints.permissions.list("")),
    (CHECKPOINT, lambda c: c.checkpoints.permissions.retrieve("")),
    (CHECKPOINT, lambda c: _delete_permission(c, "cp_1", "")),
    ("permission_id", lambda c: _delete_permission(c, "", "ft:m")),
]


def _delete_permission(client: Client, permission: str, checkpoint: str) -> Any:
    return client.checkpoints.permissions.delete(permission, fine_tuned_model_checkpoint=checkpoint)


@pytest.mark.filterwarnings("ignore:permissions.retrieve is deprecated")
@pytest.mark.parametrize(("name", "call"), EMPTY)
def test_empty_id__is_refused_in_the_official_words(
    name: str, call: Callable[[Client], Any], server: FaultServer, client: Client
) -> None:
    server.seen.clear()
    with pytest.raises(ValueError, match="Expected") as caught:
        call(client)
    assert str(caught.value) == f"Expected a non-empty value for `{name}` but received ''"
    assert server.seen == []


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(min_size=1, max_size=30))
def test_any_text__is_on_the_wire_as_it_is_or_refused(
    server: FaultServer, client: Client, text: str
) -> None:
    server.seen.clear()
    try:
        client.jobs.cancel(text)
    except RequestError:
        assert server.seen == []
    except FineTuneError as error:
        raise AssertionError(f"{text!r} ended in {error!r}") from error
    else:
        (seen,) = server.seen
        segments = seen.target.split("/")
        assert segments[:4] == ["", "v1", "fine_tuning", "jobs"]
        assert unquote(segments[4]) == text
        assert segments[5:] == ["cancel"]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_segment__unquotes_to_its_text(text: str) -> None:
    try:
        quoted = path_segment(text, "id")
    except RequestError:
        return
    assert unquote(quoted) == text
    assert "/" not in quoted
    assert quoted.strip(".") or len(quoted) > 2
