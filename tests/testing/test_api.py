from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import (
    APIConnectionError,
    Client,
    ConfigurationError,
    InternalServerError,
    RateLimitError,
    WaitTimeoutError,
)
from finetune_client.testing import FakeAPI, RecordedRequest, fake_api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "python_topics_valid.jsonl"


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    with FakeAPI() as made:
        yield made


def create(client: Client, **settings: object) -> str:
    job = client.jobs.create(model="gpt-4o-mini", training_file=EXAMPLES, **settings)  # type: ignore[arg-type]  # passed on
    return job.id


def test_client__trains_whatever_model_the_script_names(api: FakeAPI) -> None:
    job = api.client.jobs.wait(create(api.client))
    assert job.status == "succeeded"
    assert job.model == "gpt-4o-mini"
    assert api.client.files.content(job.result_files[0])  # type: ignore[index]  # it has one


def test_requests__are_written_down_without_the_key(api: FakeAPI) -> None:
    create(api.client, suffix="mine")
    assert [(r.method, r.path, r.status) for r in api.requests] == [
        ("POST", "/files", 200),
        ("POST", "/fine_tuning/jobs", 200),
    ]
    upload, job = api.requests
    assert upload.json is None
    assert b'name="purpose"' in (upload.body or b"")
    assert job.json["suffix"] == "mine"
    assert job.headers["content-type"] == "application/json"
    assert job.headers["authorization"] == "<secret>"
    assert api.api_key not in repr(api.requests)


def test_requests__have_their_query(api: FakeAPI) -> None:
    api.client.files.list(purpose="fine-tune", limit=3).data  # noqa: B018 - the list is fetched
    assert api.requests[-1].query == {"purpose": "fine-tune", "limit": "3"}


def test_requests__a_body_too_long_is_not_kept(api: FakeAPI) -> None:
    api.client.files.create(file=("a.jsonl", b"x" * (1024**2 + 1)), purpose="user_data")
    assert api.requests[-1].body is None
    assert api.requests[-1].status == 200


def test_fail_next__is_retried_without_waiting(api: FakeAPI) -> None:
    before, real = api.clock.now(), time.monotonic()
    api.fail_next(429, retry_after=20, count=2)
    assert api.client.models.list().data
    assert [r.status for r in api.requests] == [429, 429, 200]
    assert api.clock.now() - before >= 40
    assert time.monotonic() - real < 10


def test_fail_next__is_raised_when_the_retries_are_used_up(api: FakeAPI) -> None:
    api.fail_next(429, count=9, path="/models")
    assert api.client.files.list().data == []
    with pytest.raises(RateLimitError):
        api.client.models.retrieve("tiny")
    api.reset()
    api.fail_next()
    with pytest.raises(InternalServerError):
        api.client.with_options(max_retries=0).models.retrieve("tiny")


def test_drop_next__before_and_after_the_request_is_carried_out(api: FakeAPI) -> None:
    once = api.client.with_options(max_retries=0)
    for answer_only, files in ((False, 0), (True, 1)):
        api.drop_next(path="POST", answer_only=answer_only)
        with pytest.raises(APIConnectionError):
            once.files.create(file=("a.jsonl", b"{}\n"), purpose="user_data")
        assert api.requests[-1].status is None
        assert len(once.files.list().data) == files


def test_drop_next__a_create_whose_answer_was_lost_is_not_paid_twice(api: FakeAPI) -> None:
    api.drop_next(path="POST /v1/fine_tuning/jobs", answer_only=True)
    job_id = create(api.client)
    assert [job.id for job in api.client.jobs.list()] == [job_id]


def test_delay_next__takes_virtual_time(api: FakeAPI) -> None:
    before = api.clock.now()
    api.delay_next(50)
    api.client.models.retrieve("tiny")
    assert api.clock.now() - before == 50


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda api: api.fail_next(count=0), "count must be a whole number from 1 on, got 0."),
        (
            lambda api: api.fail_next(429, retry_after="soon"),
            "The seconds must be a number from 0 on, got 'soon'.",
        ),
        (lambda api: api.delay_next(-1), "The seconds must be a number from 0 on, got -1."),
        (
            lambda api: api.drop_next(path=5),
            "path must be text, such as 'POST /v1/files', got 5.",
        ),
    ],
)
def test_faults__that_cannot_be_are_refused_at_once(
    api: FakeAPI, call: Callable[[Any], None], message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        call(api)
    assert str(caught.value) == message


def test_advance__a_job_of_hours_goes_on_for_so_long() -> None:
    with FakeAPI(step_seconds=600) as api:
        job_id = create(api.client, hyperparameters={"n_epochs": 1, "batch_size": 1})
        assert api.client.jobs.retrieve(job_id).status in {"validating_files", "queued", "running"}
        api.advance(hours=1)
        assert api.client.jobs.retrieve(job_id).status == "running"
        steps = [e for e in api.client.jobs.list_events(job_id, limit=100) if e.type == "metrics"]
        assert len(steps) == 7  # one at once, and one every ten minutes
        with pytest.raises(WaitTimeoutError):
            api.client.jobs.wait(job_id, timeout=1800)
        api.advance(hours=100)
        job = api.client.jobs.retrieve(job_id)
        assert job.status == "succeeded"
        examples = EXAMPLES.read_text().count("\n")
        assert (job.finished_at or 0) - (job.created_at or 0) == 600 * examples


def test_advance__is_the_same_in_each_run() -> None:
    def told() -> list[tuple[int | None, str | None]]:
        with FakeAPI(step_seconds=60) as api:
            ids = [create(api.client, seed=n, hyperparameters={"n_epochs": 1}) for n in range(3)]
            for job_id in ids:
                api.client.jobs.wait(job_id)
            start = api.client.jobs.retrieve(ids[0]).created_at or 0
            events = [e for i in ids for e in api.client.jobs.list_events(i) if e.type == "metrics"]
            return [
                (event.created_at and event.created_at - start, event.message) for event in events
            ]

    assert told() == told()


def test_reset__forgets_everything_and_clients_stay(api: FakeAPI) -> None:
    with Client(api.api_key, base_url=api.url) as other:
        create(other)
        api.fail_next(count=5)
        api.reset()
        assert api.requests == []
        assert other.jobs.list().data == []
        assert api.client.files.list().data == []


def test_url__is_one_port_for_all_threads(api: FakeAPI) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(api.url)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    with Client("any", base_url=found[0]) as other:
        assert other.models.retrieve("tiny").id == "tiny"


def test_close__ends_client_and_port() -> None:
    api = FakeAPI()
    url, client = api.url, api.client
    api.close()
    with pytest.raises(ConfigurationError, match=r"^The embedded server has been closed\.$"):
        client.jobs.wait("ftjob-1")  # does not go on asking, as it does in an outage
    with pytest.raises(APIConnectionError), Client("k", base_url=url, max_retries=0) as other:
        other.models.retrieve("tiny")


def test_fake_api__is_found_by_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    script = "from finetune_client import Client; print(len(Client().models.list().data) > 0)"
    with fake_api() as api:
        assert os.environ["OPENAI_BASE_URL"] == api.url
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == "True\n"
        assert api.requests[-1].path == "/models"
    assert "OPENAI_BASE_URL" not in os.environ


def test_fake_api__may_leave_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://kept.example/v1")
    with fake_api(set_environment=False):
        assert os.environ["OPENAI_BASE_URL"] == "https://kept.example/v1"


def test_recorded_request__json_of_what_is_not_json() -> None:
    assert RecordedRequest(method="POST", path="/files", body=b"{").json is None
    assert RecordedRequest(method="POST", path="/files", body=None).json is None
