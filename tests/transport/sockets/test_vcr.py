"""vcrpy records the client's requests, plays them back, and never gets the key."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests
from urllib3.connectionpool import (  # type: ignore[attr-defined]  # where vcrpy leaves them alone
    HTTPConnection,
    HTTPConnectionPool,
)

from finetune_client.errors import ConfigurationError
from tests.support.faults.clients import KEY, connect, failure, sleepless
from tests.support.faults.operations import OPERATIONS, create

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client import Client
    from tests.support.fault_server import FaultServer

# What works with every urllib3 that the client takes needs Python 3.11.
vcr = pytest.importorskip("vcr")
RECORDER = vcr.VCR(filter_headers=["authorization"])


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


@pytest.mark.parametrize("own", [True, False], ids=["ours", "borrowed"])
def test_vcr__says_what_is_not_on_the_tape(server: FaultServer, tmp_path: Path, own: bool) -> None:
    tape = str(tmp_path / "tape.yaml")
    session = None if own else requests.Session()
    with (
        RECORDER.use_cassette(tape, record_mode="none"),
        connect(server, session=session) as client,
    ):
        naps = sleepless(client)
        for call in (create, OPERATIONS["retrieve a job"], OPERATIONS["upload a file"]):
            error = failure(lambda call=call: call(client), ConfigurationError)  # type: ignore[misc]
            assert "The fake says: Can't play back this request" in error.message
            assert tape in error.message
    assert naps == []
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
    # Where it cannot save, vcrpy takes its patches back only once its context is collected: until
    # then they would be in the way of other tests.
    del caught
    gc.collect()
    assert HTTPConnectionPool.ConnectionCls is HTTPConnection
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
