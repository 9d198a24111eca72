"""What `jobs.create` checks, uploads and sends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import finetune_client
from finetune_client import Client
from finetune_client.errors import (
    ConfigurationError,
    RequestError,
    TrainingDataError,
    UnknownFieldWarning,
)
from tests.support.sent import sent_bytes, sent_json

if TYPE_CHECKING:
    import responses

    from finetune_client.resources import CreateStep, RequestOptions
    from tests.support.fake_time import FakeTime

ROOT = Path(__file__).parents[3]
BASE = "https://api.openai.com/v1"
JOB = {"id": "ftjob-1", "object": "fine_tuning.job"}


def _line(number: int) -> str:
    turns = [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": "a"}]
    return json.dumps({"messages": turns})


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(map(_line, range(12))) + "\n")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"messages": []}\n' * 12)
    return path


def _stored(path: Path, id: str) -> dict[str, Any]:
    size = path.stat().st_size
    return {
        "id": id,
        "object": "file",
        "bytes": size,
        "filename": path.name,
        "purpose": "fine-tune",
    }


class Storing:
    """A server that reads the file that is sent, which older versions of `responses` do not do."""

    def __init__(self, server: responses.RequestsMock, stored: dict[str, Any]) -> None:
        self.stored = stored
        self.form = b""
        server.add_callback("POST", f"{BASE}/files", self.store)

    def store(self, request: Any) -> tuple[int, dict[str, str], str]:
        self.form = sent_bytes(request)
        return 200, {}, json.dumps(self.stored)


def test_create__lists_all_problems_and_sends_nothing(
    client: Client, server: responses.RequestsMock
) -> None:
    with pytest.raises(RequestError) as caught:
        client.jobs.create(
            model="",
            training_file="file-1",
            seed=-1,
            suffix="x" * 65,
            method={"type": "dpo", "dpo": {"hyperparameters": {"beta": 3}}},
        )
    assert len(caught.value.problems) == 4
    assert caught.value.message == (
        "The job cannot be created so, and nothing was sent:"
        + "".join(f"\n- {problem}" for problem in caught.value.problems)
    )


def test_create__sends_anyway_if_asked(client: Client, server: responses.RequestsMock) -> None:
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    client.jobs.create(model="m", training_file="file-1", seed=-1, check=False)
    assert sent_json(server.calls[0].request)["seed"] == -1


def test_create__refuses_the_name_of_a_file_with_a_hint(
    client: Client, server: responses.RequestsMock, good: Path
) -> None:
    with pytest.raises(RequestError) as caught:
        client.jobs.create(model="m", training_file=str(good), validation_file=str(good))
    assert caught.value.problems == [
        f"{name}: {str(good)!r} is the name of a file here, not the id of one; pass "
        f"pathlib.Path({str(good)!r}) to have it checked and uploaded"
        for name in ("training_file", "validation_file")
    ]


def test_create__takes_an_id_longer_than_a_name_of_a_file_can_be(
    client: Client, server: responses.RequestsMock
) -> None:
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    client.jobs.create(model="m", training_file="f" * 5000)
    assert sent_json(server.calls[0].request)["training_file"] == "f" * 5000


def test_create__takes_an_id_even_if_a_file_is_called_so(
    client: Client,
    server: responses.RequestsMock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file-1").touch()
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    assert client.jobs.create(model="m", training_file="file-1").id == "ftjob-1"


def test_create__checks_uploads_and_names_a_path(
    client: Client, server: responses.RequestsMock, good: Path, tmp_path: Path
) -> None:
    other = tmp_path / "valid.jsonl"
    other.write_text("\n".join(map(_line, range(50, 53))) + "\n")  # fewer than a training file's 10
    server.post(f"{BASE}/files", json=_stored(good, "file-t"))
    server.post(f"{BASE}/files", json=_stored(other, "file-v"))
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    client.jobs.create(model="gpt-4o-mini", training_file=good, validation_file=other)
    body = sent_json(server.calls[-1].request)
    assert (body["training_file"], body["validation_file"]) == ("file-t", "file-v")


def test_create__waits_for_a_file_that_the_server_is_still_at_work_on(
    client: Client, server: responses.RequestsMock, time: FakeTime, good: Path
) -> None:
    stored = _stored(good, "file-t")
    server.post(f"{BASE}/files", json={**stored, "status": "pending"})
    server.get(f"{BASE}/files/file-t", json={**stored, "status": "running"})
    server.get(f"{BASE}/files/file-t", json={**stored, "status": "processed"})
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    client.jobs.create(model="gpt-4o-mini", training_file=good)
    assert [call.request.method for call in server.calls] == ["POST", "GET", "GET", "POST"]
    assert time.sleeps == [2.0]


def test_create__sends_with_each_request_what_was_asked_for(
    client: Client, server: responses.RequestsMock, good: Path
) -> None:
    stored = _stored(good, "file-t")
    server.post(f"{BASE}/files", json={**stored, "status": "pending"})
    server.get(f"{BASE}/files/file-t", json={**stored, "status": "processed"})
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    client.jobs.create(
        model="gpt-4o-mini",
        training_file=good,
        extra_headers={"X-Team": "a"},
        extra_query={"q": 1},
        timeout=9,
    )
    sent = [call.request for call in server.calls]
    assert [str(request.url).partition("?")[2] for request in sent] == ["q=1"] * 3
    assert [request.headers.get("X-Team") for request in sent] == ["a"] * 3


def test_create__reports_each_step_in_its_order(
    client: Client, server: responses.RequestsMock, good: Path
) -> None:
    Storing(server, _stored(good, "file-t"))
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    steps: list[CreateStep] = []
    job = client.jobs.create(model="gpt-4o-mini", training_file=good, on_step=steps.append)
    kinds = [step.kind for step in steps]
    assert kinds[0] == "checked"
    assert kinds[-3:] == ["uploaded", "creating", "created"]
    assert set(kinds[1:-3]) == {"uploading"}
    size = good.stat().st_size
    assert steps[0].report is not None
    assert steps[0].report.ok
    assert [(step.sent, step.total) for step in steps[1:-3]] == [(0, size), (size, size)]
    assert {step.path for step in steps[:-2]} == {good}
    assert steps[-3].file is not None
    assert steps[-3].file.id == "file-t"
    assert steps[-1].job is job


def test_create__reports_the_job_that_has_the_key(
    client: Client, server: responses.RequestsMock, good: Path
) -> None:
    job = {**JOB, "metadata": {"idempotency_key": "run-7"}}
    server.get(f"{BASE}/fine_tuning/jobs", json={"data": [job], "has_more": False})
    steps: list[CreateStep] = []
    found = client.jobs.create(
        model="m", training_file=good, idempotency_key="run-7", on_step=steps.append
    )
    assert [(step.kind, step.job) for step in steps] == [("found", found)]


@pytest.mark.parametrize("kind", ["checked", "uploaded", "creating"])
def test_create__ends_with_what_a_step_raises(
    kind: str, client: Client, server: responses.RequestsMock, good: Path
) -> None:
    def stop(step: CreateStep) -> None:
        if step.kind == kind:
            raise KeyboardInterrupt

    if kind != "checked":
        server.post(f"{BASE}/files", json=_stored(good, "file-t"))
    with pytest.raises(KeyboardInterrupt):
        client.jobs.create(model="gpt-4o-mini", training_file=good, on_step=stop)
    assert f"{BASE}/fine_tuning/jobs" not in [call.request.url for call in server.calls]


def test_create__on_step_is_a_function(client: Client, server: responses.RequestsMock) -> None:
    with pytest.raises(RequestError) as caught:
        client.jobs.create(model="m", training_file="file-1", on_step=5)  # type: ignore[arg-type]  # wrong, as meant
    assert caught.value.message == "on_step must be a function, not int."


def test_create__lets_the_files_that_it_uploads_expire(
    client: Client, server: responses.RequestsMock, good: Path
) -> None:
    storing = Storing(server, _stored(good, "file-t"))
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    client.jobs.create(model="gpt-4o-mini", training_file=good, expires_after=3600)
    assert b'name="expires_after[seconds]"\r\n\r\n3600\r\n' in storing.form
    assert "expires_after" not in sent_json(server.calls[1].request)


EXTRA = {"custom_llm_provider": "azure", "trainingType": "Standard"}


@pytest.mark.parametrize(
    ("provider", "upload_options", "form", "headers"),
    [
        ("openai", None, {}, "job"),
        ("litellm", None, {"custom_llm_provider": "azure"}, "job"),
        ("openai", {"extra_body": {"route": "a"}}, {"route": "a"}, "job"),
        (
            "litellm",
            {"extra_body": {"custom_llm_provider": "openai"}, "extra_headers": {"X-For": "file"}},
            {"custom_llm_provider": "openai"},
            "file",
        ),
    ],
)
def test_create__what_goes_into_the_form_of_a_file(
    server: responses.RequestsMock,
    good: Path,
    provider: str,
    upload_options: RequestOptions | None,
    form: dict[str, str],
    headers: str,
) -> None:
    storing = Storing(server, _stored(good, "file-t"))
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    with Client("sk-1", base_url=BASE, provider=provider) as client:
        client.jobs.create(
            model="gpt-4o-mini",
            training_file=good,
            extra_body=EXTRA,
            extra_headers={"X-For": "job"},
            upload_options=upload_options,
        )
    sent = storing.form.decode()
    for name in {*EXTRA, "route"}:
        part = f'name="{name}"\r\n\r\n'
        assert sent.count(part) == (name in form)
        assert name not in form or part + form[name] in sent
    assert server.calls[0].request.headers["X-For"] == headers
    assert server.calls[1].request.headers["X-For"] == "job"
    assert sent_json(server.calls[1].request).items() >= EXTRA.items()
    assert "route" not in sent_json(server.calls[1].request)


@pytest.mark.parametrize(
    ("upload_options", "kind", "message"),
    [
        (["a"], RequestError, "upload_options must be a mapping of options, not list."),
        (
            {"extra_body": ["a"]},
            RequestError,
            "extra_body must be a mapping of keys to values, not list.",
        ),
        (
            {"extra_boby": {}},
            TypeError,
            (
                "unexpected keyword argument 'extra_boby'; beside its own arguments a call takes "
                "extra_body, extra_headers, extra_query, timeout"
            ),
        ),
    ],
)
def test_create__upload_options_are_checked_before_anything_is_sent(
    client: Client,
    server: responses.RequestsMock,
    good: Path,
    upload_options: Any,
    kind: type[Exception],
    message: str,
) -> None:
    with pytest.raises(kind) as caught:
        client.jobs.create(model="gpt-4o-mini", training_file=good, upload_options=upload_options)
    assert str(caught.value) == message


@pytest.mark.skipif(sys.platform == "win32", reason="names are not bytes there")
def test_create__takes_a_path_that_is_not_utf8(
    client: Client, server: responses.RequestsMock, good: Path
) -> None:
    renamed = good.rename(os.fsdecode(os.fsencode(good.parent) + b"/b\xff.jsonl"))
    server.post(f"{BASE}/files", json=_stored(good.parent, "file-t") | {"bytes": None})
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    assert client.jobs.create(model="gpt-4o-mini", training_file=renamed).id == "ftjob-1"


def test_create__with_a_file_id_loads_nothing_that_checks_or_uploads_files() -> None:
    code = """
import sys, responses
from finetune_client import Client
with responses.RequestsMock() as server, Client("sk-test") as client:
    server.post("https://api.openai.com/v1/fine_tuning/jobs", json={"id": "ftjob-1"})
    assert client.jobs.create(model="m", training_file="file-1").id == "ftjob-1"
print(*(name for name in sys.modules if name.startswith("finetune_client.")))
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    loaded = {".".join(name.split(".")[1:3]) for name in child.stdout.split()}
    assert "resources.jobs" in loaded
    unused = {"training_data", "metrics", "waiting", "resources.files", "resources.checkpoints"}
    assert loaded & unused == set()


def test_create__refuses_a_file_that_is_not_fit(
    client: Client, server: responses.RequestsMock, good: Path, bad: Path
) -> None:
    with pytest.raises(TrainingDataError) as caught:
        client.jobs.create(model="m", training_file=good, validation_file=bad)
    assert caught.value.message.startswith(
        "bad.jsonl is not fit to train on, and nothing was sent. The first problem: Line 1: "
    )
    assert caught.value.message.endswith("See error.problems, or finetune check, for all of them.")
    assert not caught.value.report.ok
    assert caught.value.problems == caught.value.report.problems


def test_create__uploads_a_file_that_is_not_fit_if_asked(
    client: Client, server: responses.RequestsMock, bad: Path
) -> None:
    server.post(f"{BASE}/files", json=_stored(bad, "file-b"))
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    client.jobs.create(model="m", training_file=bad, check=False)
    assert sent_json(server.calls[-1].request)["training_file"] == "file-b"


def test_create__warns_of_a_key_that_no_field_knows_and_sends_it(
    client: Client, server: responses.RequestsMock
) -> None:
    server.post(f"{BASE}/fine_tuning/jobs", json=JOB)
    with pytest.warns(UnknownFieldWarning, match="n_epochs") as caught:
        client.jobs.create(model="m", training_file="file-1", hyperparameters={"n_epoch": 3})
    assert caught[0].filename == __file__
    assert sent_json(server.calls[0].request)["hyperparameters"] == {"n_epoch": 3}


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("metadata", {"a": "b"}),
        ("integrations", [{"type": "wandb", "wandb": {"project": "p"}}]),
    ],
)
def test_create__says_what_the_provider_lacks(
    argument: str, value: Any, server: responses.RequestsMock
) -> None:
    with (
        Client.azure("https://x.openai.azure.com", api_key="k", api_version="2024-10-21") as client,
        pytest.raises(ConfigurationError, match=f"does not support a job's {argument}"),
    ):
        client.jobs.create(model="m", training_file="file-1", **{argument: value})


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.jobs.pause("ftjob-1"),
        lambda client: client.jobs.resume("ftjob-1"),
        lambda client: client.jobs.list(metadata={"a": "b"}),
        lambda client: client.jobs.list(without_metadata=True),
        lambda client: client.graders.validate(grader={"type": "python"}),
        lambda client: client.checkpoints.permissions.list("ft:m"),
    ],
)
def test_calls__say_what_the_provider_lacks(call: Any, server: responses.RequestsMock) -> None:
    with (
        Client.azure("https://x.openai.azure.com", api_key="k", api_version="2024-10-21") as client,
        pytest.raises(ConfigurationError, match="The provider 'azure-classic' does not support"),
    ):
        call(client)


def test_list__refuses_both_filters(client: Client) -> None:
    with pytest.raises(RequestError, match="cannot be given together with without_metadata"):
        client.jobs.list(metadata={"a": "b"}, without_metadata=True)


@pytest.mark.parametrize("name", ["", "..", "a\nb", "%2e%2e", None])
@pytest.mark.parametrize(
    "call",
    [
        lambda client, name: client.jobs.retrieve(name),
        lambda client, name: client.jobs.cancel(name),
        lambda client, name: client.jobs.follow(name),
        lambda client, name: client.jobs.wait(name),
        lambda client, name: client.jobs.wait_all([name]),
        lambda client, name: client.jobs.list_events(name),
        lambda client, name: client.jobs.checkpoints.list(name),
        lambda client, name: client.models.retrieve(name),
        lambda client, name: client.checkpoints.permissions.list(name),
    ],
)
def test_calls__refuse_an_id_that_is_none(
    call: Any, name: Any, client: Client, server: responses.RequestsMock
) -> None:
    with pytest.raises(RequestError):
        call(client, name)


def test_wait_all__refuses_one_text(client: Client, server: responses.RequestsMock) -> None:
    with pytest.raises(RequestError) as caught:
        client.jobs.wait_all("ftjob-1")
    assert caught.value.message == (
        "fine_tuning_job_ids must be a list of ids; for one job take wait."
    )


def test_modules__are_reached_from_the_package() -> None:
    assert callable(finetune_client.webhooks.unwrap)
    assert callable(finetune_client.training_data.check)


def test_resource__says_what_it_is(client: Client) -> None:
    assert repr(client.jobs) == "<Jobs of openai>"
