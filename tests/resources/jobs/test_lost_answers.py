"""A create is never repeated blindly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from responses.matchers import query_param_matcher

from finetune_client import Client, FineTuningJob
from finetune_client.clock import Clock
from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    BadRequestError,
    ConfigurationError,
    JobMayExistError,
)
from finetune_client.resources.jobs.lost_answers import find_candidates, listed
from tests.support.fake_time import FakeTime
from tests.support.sent import sent_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    import responses

JOBS = "https://api.openai.com/v1/fine_tuning/jobs"
NONE = {"object": "list", "data": [], "has_more": False}


def _job(id: str = "ftjob-1", **keys: Any) -> dict[str, Any]:
    job = {"id": id, "object": "fine_tuning.job", "status": "queued", "model": "m-2024-07-18"}
    return {**job, "training_file": "file-1", **keys}


def _list(*jobs: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": [*jobs], "has_more": False}


def _create(client: Client, **options: Any) -> Any:
    return client.jobs.create(model="m", training_file="file-1", **options)


def _sent(server: responses.RequestsMock, number: int = 0) -> tuple[dict[str, Any], str]:
    request = server.calls[number].request
    return sent_json(request), "".join([*request.headers["Idempotency-Key"]])  # not as shown


class LaggingList:
    """A server that loses the answer, and lists the job after some lookups."""

    def __init__(self, server: responses.RequestsMock, *, after: int = 0) -> None:
        self.server = server
        self.after = after
        self.keys: list[str] = []

    def list(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        body, key = _sent(self.server)
        assert request.params == {  # type: ignore[attr-defined]  # set by responses
            "limit": "100",
            "metadata[idempotency_key]": key,
        }
        self.keys.append(key)
        found = len(self.keys) > self.after
        return 200, {}, json.dumps(_list(_job(metadata=body["metadata"])) if found else NONE)


LOST: dict[str, dict[str, Any]] = {
    "cut": {"body": requests.exceptions.ConnectionError("reset by peer")},
    "slow": {"body": requests.exceptions.ReadTimeout("slow")},
    "500": {"status": 500, "json": {"error": {"message": "oh"}}},
    "502": {"status": 502, "body": "<title>Bad gateway</title>"},
    "503": {"status": 503, "json": {}},
    "504": {"status": 504, "json": {}},
    "408": {"status": 408, "json": {}},
    "409": {"status": 409, "json": {}},
    "no JSON": {"status": 200, "body": "<html>"},
    "no id": {"status": 200, "json": {"object": "fine_tuning.job"}},
    "an id for no path": {"status": 200, "json": {"id": "ftjob\x00"}},
    "a list": {"status": 200, "json": [1]},
}


@pytest.mark.parametrize("fault", LOST)
def test_create__finds_the_job_whose_answer_was_lost(
    fault: str, client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    server.post(JOBS, **LOST[fault])
    lagging = LaggingList(server)
    server.add_callback("GET", JOBS, lagging.list)
    assert _create(client).id == "ftjob-1"
    assert [call.request.method for call in server.calls] == ["POST", "GET"]
    assert time.sleeps == []


def test_create__looks_a_few_times_as_a_list_may_lag(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    server.post(JOBS, status=500)
    server.add_callback("GET", JOBS, LaggingList(server, after=2).list)
    assert _create(client).id == "ftjob-1"
    assert time.sleeps == [1.0, 4.0]


def test_create__says_that_the_job_may_exist_and_does_not_send_again(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    now = int(time.wall)
    server.post(JOBS, status=500, json={"error": {"message": "oh"}}, headers={"x-request-id": "r"})
    newest = _list(
        _job("like", created_at=now - 60),
        _job("undated", status="running", model=None),
        _job("old", created_at=now - 600),
        _job("other model", created_at=now, model="mm"),
        _job("other file", created_at=now, training_file="file-2"),
        _job("other call", created_at=now, metadata={"idempotency_key": "x"}),
    )
    lookup = query_param_matcher({"limit": "100"})
    server.add_callback("GET", JOBS, LaggingList(server, after=9).list)
    server.get(JOBS, json=newest, match=[lookup])
    with pytest.raises(JobMayExistError) as caught:
        _create(client)
    error = caught.value
    key = _sent(server)[0]["metadata"]["idempotency_key"]
    assert error.message == (
        f"The job may exist, and may be billed: {error.__cause__} Jobs like it: like (queued), "
        f"undated (running). Before creating again, ask client.jobs.find({key!r}), or pass "
        f"idempotency_key={key!r} to client.jobs.create, which asks first."
    )
    assert [job.id for job in error.candidates] == ["like", "undated"]
    assert (error.idempotency_key, error.status_code, error.request_id) == (key, 500, "r")
    assert error.outcome == "ambiguous"
    assert not isinstance(error, APIConnectionError)
    assert [call.request.method for call in server.calls].count("POST") == 1


def test_create__says_so_too_when_it_cannot_look(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    server.post(JOBS, status=502)
    server.get(JOBS, body=requests.exceptions.ConnectionError("down"))
    with pytest.raises(
        JobMayExistError, match=r"Jobs like it: unknown, as they could not be listed\."
    ):
        _create(client)
    assert time.sleeps == [1.0, 4.0]


def test_create__says_that_no_job_like_it_is_there(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    server.post(JOBS, status=502)
    server.get(JOBS, json=NONE)
    with pytest.raises(JobMayExistError, match=r"Jobs like it: none seen so far\."):
        _create(client)


@pytest.mark.parametrize(
    ("jobs", "text"), [("ab", "a (queued), b (queued), and perhaps more"), ("", "unknown, as they")]
)
def test_find_candidates__of_a_list_that_breaks_off_keeps_what_came(jobs: str, text: str) -> None:
    def newest() -> Iterator[FineTuningJob]:
        yield from (FineTuningJob.from_dict(_job(one)) for one in jobs)
        raise APIConnectionError("gone", outcome="ambiguous")

    body = {"model": "m", "training_file": "file-1"}
    found, are_all = find_candidates(newest, body, "key", 0.0)
    assert ([job.id for job in found], are_all) == ([*jobs], False)
    assert listed(found, are_all=are_all).startswith(text)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422, 501])
def test_create__stops_looking_where_it_may_not(
    client: Client, server: responses.RequestsMock, time: FakeTime, status: int
) -> None:
    server.post(JOBS, status=502)
    server.get(JOBS, status=status, json={})
    with pytest.raises(JobMayExistError):
        _create(client)
    assert time.sleeps == []


def test_create__says_so_too_when_there_is_no_key_any_more_to_look_with(
    server: responses.RequestsMock,
) -> None:
    keys = iter(["sk-test"])
    server.post(JOBS, status=502)
    with Client(lambda: next(keys), base_url="https://api.openai.com/v1") as client:
        client._session.clock = FakeTime().clock
        with pytest.raises(
            JobMayExistError, match=r"Jobs like it: unknown, as they could not be listed\."
        ):
            _create(client)


def test_create__says_what_ctrl_c_leaves_behind_while_it_looks(
    client: Client, server: responses.RequestsMock
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    client._session.clock = Clock(sleep=interrupt)
    server.post(JOBS, status=502)
    server.get(JOBS, json=NONE)
    with pytest.raises(KeyboardInterrupt) as caught:
        _create(client)
    _, key = _sent(server)
    assert str(caught.value) == (
        f"The job may have been created all the same: check with client.jobs.find({key!r}) before "
        "you create it again."
    )


def test_create__does_not_look_when_it_was_refused(
    client: Client, server: responses.RequestsMock
) -> None:
    server.post(JOBS, status=400, json={"error": {"message": "no"}})
    with pytest.raises(BadRequestError):
        _create(client)
    assert len(server.calls) == 1


def test_create__with_a_key_of_the_callers_finds_before_it_sends(
    client: Client, server: responses.RequestsMock
) -> None:
    found = _list(_job("other", metadata={}), _job("mine", metadata={"idempotency_key": "run-7"}))
    asked = {"limit": "100", "metadata[idempotency_key]": "run-7"}
    server.get(JOBS, json=found, match=[query_param_matcher(asked)])
    assert _create(client, idempotency_key="run-7").id == "mine"


def test_create__with_a_key_of_the_callers_creates_the_first_time(
    client: Client, server: responses.RequestsMock
) -> None:
    server.get(JOBS, json=NONE)
    server.post(JOBS, json=_job())
    assert _create(client, idempotency_key="run-7").id == "ftjob-1"
    body, key = _sent(server, 1)
    assert (body["metadata"], key) == ({"idempotency_key": "run-7"}, "run-7")


def test_find__a_job_that_no_request_can_ask_for_is_a_bad_answer(
    client: Client, server: responses.RequestsMock
) -> None:
    found = _list(_job("\ud800", metadata={"idempotency_key": "run-7"}))
    server.get(JOBS, json=found)
    with pytest.raises(APIResponseError) as caught:
        client.jobs.find("run-7")
    assert caught.value.message == (
        "The server lists a job with the idempotency key 'run-7' that no request can ask for: "
        "id must be valid Unicode, got '\\ud800'."
    )
    with pytest.raises(APIResponseError):
        _create(client, idempotency_key="run-7")  # it is there already: nothing is created
    assert {call.request.method for call in server.calls} == {"GET"}


def test_find__looks_through_the_newest_thousand_where_there_is_no_filter(
    server: responses.RequestsMock,
) -> None:
    base = "https://x.openai.azure.com/openai/v1"

    def page(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        after = request.params.get("after", "j0")  # type: ignore[attr-defined]  # set by responses
        first = int(after[1:]) + 1
        jobs = [_job(f"j{number}") for number in range(first, first + 100)]
        body = {"object": "list", "data": jobs, "has_more": True}
        return 200, {}, json.dumps(body)

    server.add_callback("GET", f"{base}/fine_tuning/jobs", page)
    with Client("k", provider="azure", base_url=base) as client:
        assert client.jobs.find("run-7") is None
    assert len(server.calls) == 10


def test_find__says_that_a_provider_keeps_no_metadata(server: responses.RequestsMock) -> None:
    with (
        Client.azure("https://x.openai.azure.com", api_key="k", api_version="2024-10-21") as client,
        pytest.raises(ConfigurationError, match="finding a job by its idempotency key"),
    ):
        client.jobs.find("run-7")


def test_create__without_keys_in_metadata_names_the_candidates_and_warns_of_the_key(
    server: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    base = "https://ft.example/v1"
    jobs = f"{base}/fine_tuning/jobs"
    asked = {"limit": "100", "metadata[idempotency_key]": "run-7"}
    server.get(jobs, json=NONE, match=[query_param_matcher(asked)])
    server.get(jobs, json=_list(_job()), match=[query_param_matcher({"limit": "100"})])
    server.post(jobs, status=504)
    with (
        Client("k", provider="compatible", base_url=base, max_retries=0) as client,
        pytest.raises(JobMayExistError) as caught,
    ):
        _create(client, idempotency_key="run-7")
    body, key = _sent(server, 1)
    assert "metadata" not in body
    assert key == "run-7"
    assert [job.id for job in caught.value.candidates] == ["ftjob-1"]
    assert caught.value.message.endswith(
        "It does not carry the key: look through client.jobs.list() before creating again."
    )
    assert caplog.messages[0].startswith("compatible is not known to keep metadata")


ELSEWHERE = "https://ft.example/v1"
WITH_KEY = {"idempotency_key": "run-7"}
LISTED = _list(_job("ftjob-2", metadata={"idempotency_key": "run-8"}), _job(metadata=WITH_KEY))


@pytest.fixture
def compatible() -> Iterator[Client]:
    with Client("k", provider="compatible", base_url=ELSEWHERE, max_retries=0) as client:
        yield client


def test_create__without_keys_in_metadata_finds_the_job_by_the_key_that_the_caller_put_there(
    compatible: Client, server: responses.RequestsMock
) -> None:
    jobs = f"{ELSEWHERE}/fine_tuning/jobs"
    asked = query_param_matcher({"limit": "100", "metadata[idempotency_key]": "run-7"})
    server.get(jobs, json=NONE, match=[asked])
    server.get(jobs, json=LISTED, match=[asked])
    server.post(jobs, status=504)
    assert _create(compatible, idempotency_key="run-7", metadata=WITH_KEY).id == "ftjob-1"


def test_create__without_keys_in_metadata_knows_its_candidates_by_the_key_that_the_caller_put_there(
    compatible: Client, server: responses.RequestsMock
) -> None:
    server.get(f"{ELSEWHERE}/fine_tuning/jobs", json=LISTED)
    server.post(f"{ELSEWHERE}/fine_tuning/jobs", status=504)
    with pytest.raises(JobMayExistError) as caught:
        _create(compatible, metadata=WITH_KEY)
    assert [job.id for job in caught.value.candidates] == ["ftjob-1"]


def test_create__says_what_ctrl_c_may_have_left_behind(
    client: Client, server: responses.RequestsMock
) -> None:
    bodies = []

    def interrupted(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        bodies.append(sent_json(request))
        raise KeyboardInterrupt

    server.add_callback("POST", JOBS, interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        _create(client)
    key = bodies[0]["metadata"]["idempotency_key"]
    assert str(caught.value) == (
        f"The job may have been created all the same: check with client.jobs.find({key!r}) before "
        "you create it again."
    )
