"""Redirects: a credential never leaves its origin, a body is never sent on, nothing loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import FineTuneError, RedirectRefusedError
from tests.support.fault_server import FaultServer, fault
from tests.support.faults.api import CSV
from tests.support.faults.clients import KEY, connect, sleepless
from tests.support.faults.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fault_server import Fault

CODES = (301, 302, 303, 307, 308)
STYLES: dict[str, dict[str, Any]] = {
    "bearer": {},
    "api-key": {"provider": "azure"},
    "organisation": {"organization": "org-secret", "project": "proj-secret"},
    "own header": {"headers": {"X-Gateway-Token": "gateway-secret"}},
}
SECRETS = (KEY, "org-secret", "proj-secret", "gateway-secret")


@pytest.fixture
def here() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def there() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def _to(location: str | None, code: int = 302, **args: Any) -> Fault:
    headers = {} if location is None else {"Location": location}
    return fault("answer", status=code, headers=headers, text="moved", **args)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("operation", ["retrieve a job", "cancel a job", "delete a file"])
@pytest.mark.parametrize("code", CODES)
def test_elsewhere__nothing_is_sent(
    here: FaultServer, there: FaultServer, code: int, operation: str, style: str
) -> None:
    here.script(_to(there.url + "/fine_tuning/jobs/ftjob-7", code))
    with connect(here, **STYLES[style]) as client, pytest.raises(RedirectRefusedError) as caught:
        OPERATIONS[operation](client)
    assert there.seen == []
    assert len(here.seen) == 1
    assert str(there.port) in caught.value.message
    assert caught.value.status_code == code


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("code", CODES)
def test_elsewhere__file_content_is_fetched_without_credentials(
    here: FaultServer, there: FaultServer, code: int, style: str
) -> None:
    here.script(_to(there.url + "/files/file-9/content?sig=abc", code))
    with connect(here, **STYLES[style]) as client:
        assert client.files.content("file-7") == CSV
    (seen,) = there.seen
    assert seen.target == "/v1/files/file-9/content?sig=abc"
    assert not [secret for secret in SECRETS if secret in seen.raw()]
    assert seen.header("authorization") is None
    assert seen.header("api-key") is None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("code", CODES)
def test_same_origin__get_is_followed_with_the_key(
    here: FaultServer, code: int, style: str
) -> None:
    here.script(_to("/v1/fine_tuning/jobs/ftjob-7", code, on="GET /moved"))
    here.script(_to("/v1/moved", code))
    with connect(here, **STYLES[style]) as client:
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
    assert len(here.seen) == 3
    assert all(KEY in seen.raw() for seen in here.seen)
    assert here.pending == []


@pytest.mark.parametrize("operation", ["cancel a job", "delete a file", "upload a file"])
@pytest.mark.parametrize("code", CODES)
def test_same_origin__nothing_but_get_is_followed(
    here: FaultServer, code: int, operation: str
) -> None:
    here.script(_to("/v1/fine_tuning/jobs", code))
    with connect(here) as client, pytest.raises(RedirectRefusedError):
        OPERATIONS[operation](client)
    assert len(here.seen) == 1


def test_chain__of_five_is_followed(here: FaultServer) -> None:
    here.script(*[_to(f"/v1/hop{n}") for n in range(4)], _to("/v1/fine_tuning/jobs/ftjob-7"))
    with connect(here) as client:
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
    assert len(here.seen) == 6


@pytest.mark.parametrize("operation", ["retrieve a job", "list jobs"])
def test_loop__ends_after_five(here: FaultServer, operation: str) -> None:
    here.script(*[_to("/v1/loop")] * 10)
    with connect(here) as client, pytest.raises(RedirectRefusedError):
        OPERATIONS[operation](client)
    assert len(here.seen) == 6


def test_content__does_not_loop_between_origins(here: FaultServer, there: FaultServer) -> None:
    here.script(*[_to(there.url + "/files/f/content")] * 10)
    there.script(*[_to(here.url + "/files/f/content")] * 10)
    with connect(here) as client, pytest.raises(RedirectRefusedError):
        client.files.content("file-7")
    assert len(here.seen) + len(there.seen) <= 6
    assert not [seen for seen in (*here.seen[1:], *there.seen) if KEY in seen.raw()]


ODD = {
    "none": None,
    "empty": "",
    "half an IPv6 address": "http://[::1",
    "two slashes": "//",
    "three slashes": "http:///v1/x",
    "a port out of range": "http://127.0.0.1:99999/v1",
    "a port of letters": "http://127.0.0.1:abc/v1",
    "no host": "http://:80/v1",
    "ftp": "ftp://127.0.0.1/v1",
    "a file": "file:///etc/passwd",
    "a script": "javascript:alert(1)",
    "data": "data:application/json,{}",
    "bytes above ASCII": "http://\xff\xfe/v1",
    "a bad percent": "http://%zz/v1",
    "a label too long": "http://" + "a" * 300 + "/v1",
    "an empty label": "http://a..b/v1",
    "a NUL": "http://127.0.0.1\x00.evil/v1",
    "a backslash": "http:\\\\127.0.0.1\\v1",
    "blanks": "   ",
    "https elsewhere": "https://127.0.0.1:1/v1",
}


@pytest.mark.parametrize("operation", ["retrieve a job", "download a file", "cancel a job"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_location__is_refused(here: FaultServer, odd: str, operation: str) -> None:
    here.script(*[_to(ODD[odd])] * 6)
    with connect(here, timeout=(0.5, 30), max_retries=0) as client:
        sleepless(client)
        with pytest.raises(FineTuneError) as caught:
            OPERATIONS[operation](client)
    assert isinstance(caught.value, RedirectRefusedError) or operation == "download a file"


def test_userinfo__is_not_turned_into_a_credential(here: FaultServer) -> None:
    here.script(_to(here.url.replace("://", "://user:pass@") + "/fine_tuning/jobs/ftjob-7"))
    with connect(here) as client, pytest.raises(RedirectRefusedError) as caught:
        client.jobs.retrieve("ftjob-7")
    assert len(here.seen) == 1
    assert "pass@" not in caught.value.message


@pytest.mark.parametrize("action", ["bomb", "endless"])
@pytest.mark.parametrize("operation", ["retrieve a job", "cancel a job"])
def test_body__of_a_redirect_is_not_read(here: FaultServer, operation: str, action: str) -> None:
    here.script(fault(action, status=302, megabytes=300, headers={"Location": "ftp://x/"}))
    with connect(here) as client, pytest.raises(RedirectRefusedError):
        OPERATIONS[operation](client)


def test_300_and_304__are_errors(here: FaultServer) -> None:
    with connect(here) as client:
        for code in (300, 304, 305, 306):
            here.script(fault("answer", status=code))
            with pytest.raises(FineTuneError):
                client.jobs.retrieve("ftjob-7")
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
