"""What users put around requests (mocks, recorders, tracers) meets the client's requests too."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import requests
import requests_mock

from finetune_client.errors import ConfigurationError
from tests.support.faults.clients import KEY, failure
from tests.support.faults.operations import create

if TYPE_CHECKING:
    from finetune_client import Client
    from tests.support.fault_server import FaultServer

JOB = {"id": "ftjob-7", "object": "fine_tuning.job", "status": "queued"}


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
    with requests_mock.Mocker():
        error = failure(lambda: create(client), ConfigurationError)
    assert error.message == (
        "POST /fine_tuning/jobs met a fake of the network that has no answer for it, and nothing "
        f"was sent. The fake says: No mock address: POST {server.url}/fine_tuning/jobs"
    )
    assert not server.seen


def test_patch__of_send_is_seen(server: FaultServer, client: Client) -> None:
    real = requests.Session.send
    with patch("requests.Session.send", autospec=True, side_effect=real) as send:
        assert create(client).id
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
    methods = [call.args[1].method for call in send.call_args_list]
    assert methods == ["POST", "GET"]
