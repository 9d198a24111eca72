"""What a provider lacks is refused in one sentence, and sent all the same where that is asked for."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args

import pytest
import responses

from finetune_client import Client
from finetune_client.errors import ConfigurationError, FineTuneError
from finetune_client.providers import Feature, Provider

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "https://api.example/v1"
METHOD = {"type": "supervised", "supervised": {}}
JOB: dict[str, Any] = {"model": "m", "training_file": "file-1"}
GRADER = {
    "type": "string_check",
    "name": "a",
    "input": "a",
    "reference": "a",
    "operation": "eq",
}

CALLS: list[tuple[Feature, str, Callable[[Client], Any]]] = [
    ("cancel", "cancelling a job", lambda client: client.jobs.cancel("j")),
    (
        "checkpoints",
        "listing a job's checkpoints",
        lambda client: client.jobs.checkpoints.list("j"),
    ),
    ("delete_model", "deleting a model", lambda client: client.models.delete("m")),
    ("events", "listing a job's events", lambda client: client.jobs.list_events("j")),
    ("file_content", "reading a file's content", lambda client: client.files.content("f")),
    ("file_content", "reading a file's content", lambda client: client.files.download("f", "x")),
    ("file_content", "reading a file's content", lambda client: next(client.files.stream("f"))),
    ("file_delete", "deleting a file", lambda client: client.files.delete("f")),
    (
        "file_expiry",
        "expires_after",
        lambda client: client.files.create(file=b"x", expires_after=3600),
    ),
    (
        "files_paging",
        "limit, order and after of files.list",
        lambda client: client.files.list(limit=5),
    ),
    (
        "graders",
        "running and validating graders",
        lambda client: client.graders.validate(grader=GRADER),
    ),
    (
        "integrations",
        "a job's integrations",
        lambda client: client.jobs.create(
            **JOB, integrations=[{"type": "wandb", "wandb": {"project": "p"}}]
        ),
    ),
    (
        "metadata",
        "a job's metadata",
        lambda client: client.jobs.create(**JOB, metadata={"a": "b"}),
    ),
    (
        "metadata_filter",
        "listing jobs by metadata",
        lambda client: client.jobs.list(metadata={"a": "b"}),
    ),
    ("method", "a job's method", lambda client: client.jobs.create(**JOB, method=METHOD)),
    (
        "method_and_hyperparameters",
        "method and hyperparameters in one job",
        lambda client: client.jobs.create(**JOB, method=METHOD, hyperparameters={"n_epochs": 2}),
    ),
    ("pause", "pausing a job", lambda client: client.jobs.pause("j")),
    ("pause", "resuming a job", lambda client: client.jobs.resume("j")),
    (
        "permissions",
        "checkpoint permissions",
        lambda client: client.checkpoints.permissions.list("m"),
    ),
    ("suffix", "a job's suffix", lambda client: client.jobs.create(**JOB, suffix="mine")),
    ("uploads", "uploads.cancel", lambda client: client.uploads.cancel("u")),
    (
        "weights",
        "downloading a model's weights",
        lambda client: client.models.download("j", "x"),
    ),
]

ALSO_NEEDED: dict[Feature, set[Feature]] = {
    "method_and_hyperparameters": {"method"},
    "weights": {"file_content"},
}


def _client(provider: Provider) -> Client:
    return Client("sk-test", base_url=BASE, provider=provider, max_retries=0)


def _lacking(feature: Feature) -> Provider:
    return Provider(name="acme", lacks={feature: "it is not in its guide"})


@pytest.mark.parametrize(("feature", "what", "call"), CALLS, ids=[what for _, what, _ in CALLS])
def test_lacking__is_refused_in_one_sentence(
    feature: Feature, what: str, call: Callable[[Client], Any], server: responses.RequestsMock
) -> None:
    with _client(_lacking(feature)) as client, pytest.raises(ConfigurationError) as caught:
        call(client)
    assert caught.value.message == (
        f"The provider 'acme' does not support {what}: it is not in its guide. Nothing was sent. "
        "To ask all the same, give the client provider=dataclasses.replace(provider, lacks={})."
    )


@pytest.mark.parametrize(("feature", "what", "call"), CALLS, ids=[what for _, what, _ in CALLS])
def test_lacking__only_what_needs_it_is_refused(
    feature: Feature, what: str, call: Callable[[Client], Any]
) -> None:
    needed = {feature, *ALSO_NEEDED.get(feature, ())}
    others = {other: "no" for other in get_args(Feature) if other not in needed}
    for lacks in ({}, others):
        with responses.RequestsMock() as server, _client(Provider(name="acme", lacks=lacks)) as one:
            for method in ("GET", "POST", "DELETE"):
                server.add(method, re.compile(".*"), status=418)
            server.assert_all_requests_are_fired = False
            with suppress(FineTuneError):
                call(one)
            assert server.calls, what


def test_calls__tell_every_feature_apart() -> None:
    # Result files are read only if there are any: see `jobs.metrics`.
    assert {feature for feature, _, _ in CALLS} == set(get_args(Feature)) - {"result_files"}
