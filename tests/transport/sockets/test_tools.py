"""What users put around requests (mocks, recorders, tracers) meets the client's requests too."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
import requests
import requests_mock
import vcr
from vcr.errors import CannotOverwriteExistingCassetteException

from tests.support.faults.clients import KEY, connect
from tests.support.faults.operations import OPERATIONS, create

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from finetune_client import Client
    from tests.support.fault_server import FaultServer

JOB = {"id": "ftjob-7", "object": "fine_tuning.job", "status": "queued"}
RECORDER = vcr.VCR(filter_headers=["authorization"])


@pytest.fixture
def client(server: FaultServer) -> Iterator[Client]:
    with connect(server, max_retries=0) as client:
        yield client


def test_requests_mock__catches_reads_and_creates(server: FaultServer, client: Client) -> None:
    with requests_mock.Mocker() as mock:
        mock.get(f"{server.url}/fine_tuning/jobs/ftjob-7", json=JOB)
        mock.post(f"{server.url}/fine_tuning/jobs", json=JOB)
        assert client.jobs.retrieve("ftjob-7").status == "queued"
        assert create(client).id == "ftjob-7"
        assert [each.method for each in mock.request_history] == ["GET", "POST"]
        assert mock.last_request.headers["Authorization"] == f"Bearer {KEY}"
        assert mock.last_request.json()["model"] == "gpt-4o-mini"
    assert not server.seen
    assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
    assert len(server.seen) == 1


def test_requests_mock__lets_nothing_unknown_out(server: FaultServer, client: Client) -> None:
    with requests_mock.Mocker(), pytest.raises(requests_mock.NoMockAddress) as caught:
        create(client)
    assert str(caught.value) == f"No mock address: POST {server.url}/fine_tuning/jobs"
    assert KEY not in repr(vars(caught.value.request))
    assert not server.seen


def test_patch__of_send_is_seen(server: FaultServer, client: Client) -> None:
    real = requests.Session.send
    with patch("requests.Session.send", autospec=True, side_effect=real) as send:
        assert create(client).id
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
    methods = [call.args[1].method for call in send.call_args_list]
    assert methods == ["POST", "GET"]


@pytest.mark.parametrize("operation", ["retrieve a job", "create a job", "upload a file"])
def test_vcr__records_and_plays_back(
    server: FaultServer, client: Client, tmp_path: Path, operation: str
) -> None:
    call, tape = OPERATIONS[operation], str(tmp_path / "tape.yaml")
    with RECORDER.use_cassette(tape, record_mode="once") as cassette:
        first = call(client)
        assert len(cassette) == 1
    sent = len(server.seen)
    with RECORDER.use_cassette(tape, record_mode="none") as cassette:
        assert call(client) == first
        assert cassette.all_played
    with (
        RECORDER.use_cassette(tape, record_mode="none") as cassette,
        connect(server) as another,
    ):
        assert call(another) == first
        assert cassette.all_played
    assert len(server.seen) == sent
    assert call(client)
    assert len(server.seen) == sent + 1


def test_vcr__takes_over_open_connections_and_gives_them_back(
    server: FaultServer, client: Client, tmp_path: Path
) -> None:
    client.jobs.retrieve("ftjob-7")
    with RECORDER.use_cassette(str(tmp_path / "tape.yaml")) as cassette:
        client.jobs.retrieve("ftjob-7")
    assert len(cassette) == 1
    client.jobs.retrieve("ftjob-7")
    assert len(cassette) == 1
    assert len(server.seen) == 3


def test_vcr__blocks_what_is_not_on_the_tape(
    server: FaultServer, client: Client, tmp_path: Path
) -> None:
    tape = str(tmp_path / "tape.yaml")
    with (
        RECORDER.use_cassette(tape, record_mode="none"),
        pytest.raises(CannotOverwriteExistingCassetteException),
    ):
        create(client)
    assert not server.seen


def test_vcr__writes_no_key_on_a_tape(server: FaultServer, client: Client, tmp_path: Path) -> None:
    tape = tmp_path / "tape.yaml"
    message = (
        "A secret cannot be pickled. A recorder of requests must leave its header out, as vcrpy "
        "does with filter_headers=['authorization', 'api-key']."
    )
    with pytest.raises(TypeError) as caught, vcr.use_cassette(str(tape)):
        client.jobs.retrieve("ftjob-7")
    assert str(caught.value) == message
    assert not tape.exists()
    with RECORDER.use_cassette(str(tape)):
        client.jobs.retrieve("ftjob-7")
    assert "ftjob-7" in tape.read_text()
    assert KEY not in tape.read_text()


LOADED_LATE = """
import sys
import vcr
with vcr.use_cassette(sys.argv[2], filter_headers=["authorization"]) as cassette:
    from finetune_client import Client
    client = Client("sk-1", base_url=sys.argv[1])
    client.jobs.retrieve("ftjob-7")
assert len(cassette) == 1
client.jobs.retrieve("ftjob-7")
assert len(cassette) == 1, "recorded after its end"
from finetune_client.transport.connections.connection import POOL_CLASSES
for pool in POOL_CLASSES.values():
    names = {base.__module__.partition(".")[0] for base in pool("h").ConnectionCls.__mro__}
    assert names <= {"finetune_client", "urllib3", "http", "builtins"}, names
"""


def test_vcr__open_while_the_client_is_loaded(
    server: FaultServer, client: Client, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", LOADED_LATE, server.url, str(tmp_path / "tape.yaml")]
    done: Any = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(server.seen) == 2
