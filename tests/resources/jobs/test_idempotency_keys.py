"""The key of a create: its own or the caller's, in the header and in the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from finetune_client.errors import RequestError
from tests.support.sent import sent_json

if TYPE_CHECKING:
    import responses

    from finetune_client import Client

JOBS = "https://api.openai.com/v1/fine_tuning/jobs"
JOB = {"id": "ftjob-1", "object": "fine_tuning.job", "status": "queued"}


def _create(client: Client, **options: Any) -> Any:
    return client.jobs.create(model="m", training_file="file-1", **options)


def _sent(server: responses.RequestsMock, number: int = 0) -> tuple[dict[str, Any], str]:
    request = server.calls[number].request
    return sent_json(request), "".join([*request.headers["Idempotency-Key"]])  # not as shown


def test_create__gives_each_call_a_key_of_its_own(
    client: Client, server: responses.RequestsMock
) -> None:
    server.post(JOBS, json=JOB)
    _create(client)
    _create(client, metadata={"a": "b"})
    (first, key), (second, other) = _sent(server), _sent(server, 1)
    assert first["metadata"] == {"idempotency_key": key}
    assert second["metadata"] == {"a": "b", "idempotency_key": other}
    assert UUID(key).version == UUID(other).version == 4
    assert key != other


def test_create__replaces_the_key_in_metadata_that_was_copied(
    client: Client, server: responses.RequestsMock
) -> None:
    server.post(JOBS, json=JOB)
    _create(client, metadata={"a": "b", "idempotency_key": "of another job"})
    body, key = _sent(server)
    assert body["metadata"] == {"a": "b", "idempotency_key": key}


def test_create__leaves_sixteen_pairs_as_they_are(
    client: Client, server: responses.RequestsMock
) -> None:
    pairs = {f"k{number}": "v" for number in range(16)}
    server.post(JOBS, json=JOB)
    _create(client, metadata=pairs)
    assert _sent(server)[0]["metadata"] == pairs


@pytest.mark.parametrize("key", ["", " ", "a\nb", " a", "a" * 256, "\u00e9", 7])
def test_create__refuses_a_key_that_is_none(
    key: Any, client: Client, server: responses.RequestsMock
) -> None:
    with pytest.raises(RequestError, match=r"^idempotency_key must be"):
        _create(client, idempotency_key=key)
