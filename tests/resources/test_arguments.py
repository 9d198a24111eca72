"""What is plainly of the wrong kind ends in a sentence about it, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import RequestError
from finetune_client.models import FineTuningJobEvent
from tests.support.sent import sent_json

if TYPE_CHECKING:
    from collections.abc import Callable

    import responses

    from finetune_client import Client

EVENT: Any = FineTuningJobEvent(id="ev-1")
WRONG: Any = b"x"
FIVE: Any = 5
HALF: Any = 0.5
NONE: Any = None
CHECK = {"type": "string_check"}
BEGUN: dict[str, Any] = {"bytes": 1, "purpose": "fine-tune"}


class PathOfBytes:
    def __fspath__(self) -> bytes:
        return b"curve.csv"


CALLS: dict[str, tuple[Callable[[Client], object], str]] = {
    "events after bytes": (
        lambda client: client.jobs.list_events("ftjob-1", after=WRONG),
        "Cannot list: after: must be text, got b'x'.",
    ),
    "events after nothing": (
        lambda client: client.jobs.list_events("ftjob-1", after=""),
        "Cannot list: after: must not be empty.",
    ),
    "half an event": (
        lambda client: client.jobs.list_events("ftjob-1", limit=HALF),
        "Cannot list: limit: must be a whole number, got 0.5.",
    ),
    "checkpoints, two mistakes": (
        lambda client: client.jobs.checkpoints.list("ftjob-1", after=FIVE, limit=WRONG),
        "Cannot list: after: must be text, got 5; limit: must be a whole number, got b'x'.",
    ),
    "order": (
        lambda client: client.files.list(order=FIVE),
        "Cannot list: order: must be text, got 5.",
    ),
    "purpose": (
        lambda client: client.files.list(purpose=FIVE),
        "Cannot list: purpose: must be text, got 5.",
    ),
    "project": (
        lambda client: client.checkpoints.permissions.list("m", project_id=FIVE),
        "Cannot list: project_id: must be text, got 5.",
    ),
    "an event to follow after": (
        lambda client: client.jobs.follow("ftjob-1", after=EVENT),
        "after must be text, not FineTuningJobEvent; pass its id, 'ev-1'.",
    ),
    "no projects": (
        lambda client: client.checkpoints.permissions.create("m", project_ids=NONE),
        "Cannot create permissions: project_ids: is missing.",
    ),
    "one project": (
        lambda client: client.checkpoints.permissions.create("m", project_ids="a"),
        "Cannot create permissions: project_ids: must be an array of texts, at least one, got 'a'.",
    ),
    "a project of bytes": (
        lambda client: client.checkpoints.permissions.create("m", project_ids=[WRONG]),
        "Cannot create permissions: project_ids[0]: must be text, got b'x'.",
    ),
    "the grader's name": (
        lambda client: client.graders.run(grader=WRONG, model_sample="", item=FIVE),
        "Cannot run the grader: grader: must be an object, got b'x'; item: must be an object, got 5.",
    ),
    "no grader": (
        lambda client: client.graders.validate(grader=NONE),
        "Cannot validate the grader: grader: is missing.",
    ),
    "no sample": (
        lambda client: client.graders.run(grader=CHECK, model_sample=NONE),
        "Cannot run the grader: model_sample: is missing.",
    ),
    "an upload without names": (
        lambda client: client.uploads.create(**BEGUN, filename=NONE, mime_type=""),
        "Cannot begin the upload: filename: is missing; mime_type: must not be empty.",
    ),
    "no parts": (
        lambda client: client.uploads.complete("up-1", part_ids=NONE),
        "Cannot complete the upload: part_ids: is missing.",
    ),
    "md5": (
        lambda client: client.uploads.complete("up-1", part_ids=["a"], md5=FIVE),
        "Cannot complete the upload: md5: must be text, got 5.",
    ),
    "no jobs": (
        lambda client: client.jobs.wait_all(NONE),
        "fine_tuning_job_ids must be a list of ids; for one job take wait.",
    ),
    "on_event": (
        lambda client: client.jobs.wait("ftjob-1", on_event=FIVE),
        "on_event must be a function, not int.",
    ),
    "on_job": (
        lambda client: client.jobs.wait_all(["ftjob-1"], on_job=FIVE),
        "on_job must be a function, not int.",
    ),
    "progress": (
        lambda client: client.files.create(file=b"x", progress=FIVE),
        "progress must be a function, not int.",
    ),
    "extra_body": (
        lambda client: client.jobs.cancel("ftjob-1", extra_body=WRONG),
        "extra_body must be a mapping of keys to values, not bytes.",
    ),
    "upload": (lambda client: client.files.upload(NONE), "path must be a path, not NoneType."),
    "find": (lambda client: client.files.find(""), "path must be a path, not an empty text."),
    "download": (
        lambda client: client.files.download("file-1", WRONG),
        "path must be a path, not bytes.",
    ),
    "download to a path of bytes": (
        lambda client: client.files.download("file-1", PathOfBytes()),  # type: ignore[arg-type]  # wrong, as meant
        "path must be a path, not PathOfBytes.",
    ),
    "a folder to be": (
        lambda client: client.files.download("file-1", "results/"),
        "path must be the path of a file, not of a folder, got 'results/'.",
    ),
    "state": (
        lambda client: client.uploads.upload_file(b"x", state=FIVE),
        "state must be a path, not int.",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_call__refuses_what_is_of_another_kind(
    name: str, client: Client, server: responses.RequestsMock
) -> None:
    call, message = CALLS[name]
    with pytest.raises(RequestError) as caught:
        call(client)
    assert caught.value.message == message
    assert len(server.calls) == 0


def test_call__takes_what_holds_several_texts(
    client: Client, server: responses.RequestsMock
) -> None:
    rows = {"object": "list", "data": [], "has_more": False}
    path = "https://api.openai.com/v1/fine_tuning/checkpoints/m/permissions"
    server.post(path, json=rows)
    created = client.checkpoints.permissions.create("m", project_ids=iter(["a", "b"]))  # type: ignore[arg-type]  # it works all the same
    assert created.data == []
    assert server.calls[0].request.body == b'{"project_ids":["a","b"]}'
    assert client.jobs.wait_all({}) == []


def test_call__takes_objects_of_pydantic(client: Client, server: responses.RequestsMock) -> None:
    pydantic = pytest.importorskip("pydantic")
    settings = pydantic.create_model("Settings", n_epochs=(int, 3), batch_size=(int | None, None))
    method = pydantic.create_model("Method", type=(str, "supervised"), supervised=(dict, {}))
    grader = pydantic.create_model("Grader", type=(str, "string_check"), name=(str, "same"))
    base = "https://api.openai.com/v1/fine_tuning"
    server.post(f"{base}/jobs", json={"id": "ftjob-1"})
    server.post(f"{base}/alpha/graders/validate", json={"grader": CHECK})
    client.jobs.create(
        model="m",
        training_file="file-1",
        method=method(supervised={"hyperparameters": settings()}),
    )
    client.graders.validate(grader=grader())
    created, validated = (sent_json(call.request) for call in server.calls)
    hyperparameters = {"n_epochs": 3}
    assert created["method"]["supervised"]["hyperparameters"] == hyperparameters
    assert validated == {"grader": {"type": "string_check", "name": "same"}}
