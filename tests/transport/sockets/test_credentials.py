"""What says who we are: only the key that was given, on every request, and no cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fault_server import FaultServer, fault
from tests.support.faults.clients import KEY, connect, sleepless
from tests.support.faults.operations import OPERATIONS

if TYPE_CHECKING:
    from pathlib import Path

NETRC = {
    "machine": "machine 127.0.0.1 login joe password netrc-secret\n",
    "default": "default login joe password netrc-secret\n",
}
CALLS = ["retrieve a job", "list jobs", "cancel a job", "create a job", "upload a file"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", NETRC)
def test_netrc__never_wins(
    server: FaultServer, kind: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(NETRC[kind])
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with connect(server) as client:
        OPERATIONS[call](client)
    assert {seen.header("authorization") for seen in server.seen} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("kind", NETRC)
@pytest.mark.parametrize("settings", [{"provider": "azure"}, {"api_key": False}])
def test_netrc__is_no_key_either(
    server: FaultServer,
    kind: str,
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "netrc").write_text(NETRC[kind])
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with connect(server, **settings) as client:
        client.jobs.retrieve("ftjob-7")
    (seen,) = server.seen
    assert seen.header("authorization") is None
    assert seen.header("api-key") == (KEY if "provider" in settings else None)


def test_netrc__does_not_win_after_a_redirect(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(NETRC["default"])
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with FaultServer() as there, connect(server) as client:
        moved = {"Location": there.url + "/files/file-7/content"}
        server.script(fault("answer", status=302, headers=moved))
        client.files.content("file-7")
        assert there.seen[0].header("authorization") is None


def test_key__is_asked_for_each_try(server: FaultServer) -> None:
    keys = iter(["key-1", "key-2", "key-3"])
    server.script(fault("answer", status=503), fault("reset"))
    with connect(server, api_key=lambda: next(keys)) as client:
        sleepless(client)
        client.jobs.retrieve("ftjob-7")
    sent = [seen.header("authorization") for seen in server.seen]
    assert sent == ["Bearer key-1", "Bearer key-2", "Bearer key-3"]


@pytest.mark.parametrize("status", [200, 429, 302])
def test_cookies__are_not_sent_back(server: FaultServer, status: int) -> None:
    cookie = {"Set-Cookie": "session=abc; Path=/", "Location": "/v1/fine_tuning/jobs/ftjob-7"}
    answer = {"id": "ftjob-7", "object": "fine_tuning.job"}
    server.script(fault("answer", status=status, headers=cookie, json=answer))
    with connect(server) as client:
        sleepless(client)
        client.jobs.retrieve("ftjob-7")
        client.jobs.retrieve("ftjob-7")
    assert len(server.seen) >= 2
    assert {seen.header("cookie") for seen in server.seen} == {None}


def test_key__is_never_in_the_url(server: FaultServer) -> None:
    with connect(server) as client:
        for call in OPERATIONS.values():
            call(client)
    assert not [seen.target for seen in server.seen if KEY in seen.target]
