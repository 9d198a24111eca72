"""What users' tests do with a client: patch its calls, or replace all of it by a mock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import finetune_client
from finetune_client import Client
from finetune_client.resources import JobCheckpoints, Jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS = [
    ("jobs", "create"),
    ("jobs.checkpoints", "list"),
    ("checkpoints.permissions", "create"),
    ("graders", "run"),
    ("files", "create"),
    ("uploads", "create"),
    ("uploads.parts", "create"),
    ("models", "list"),
    ("webhooks", "unwrap"),
    ("fine_tuning.jobs", "create"),
    ("fine_tuning.jobs.checkpoints", "list"),
    ("fine_tuning.checkpoints.permissions", "create"),
    ("fine_tuning.alpha.graders", "run"),
]
every_call = pytest.mark.parametrize(("path", "name"), CALLS)


@pytest.fixture
def client() -> Iterator[Client]:
    with Client("sk-test") as made:
        yield made


def _reach(start: Any, path: str) -> Any:
    for name in path.split("."):
        start = getattr(start, name)
    return start


@every_call
def test_patch_object__replaces_a_call_and_puts_it_back(
    client: Client, path: str, name: str
) -> None:
    part = _reach(client, path)
    with mock.patch.object(part, name, return_value=7) as patched:
        assert getattr(_reach(client, path), name)("x", y=1) == 7
    patched.assert_called_once_with("x", y=1)
    assert getattr(part, name).__self__ is part


@every_call
def test_assignment__replaces_a_call(client: Client, path: str, name: str) -> None:
    setattr(_reach(client, path), name, mock.Mock(return_value=7))
    assert getattr(_reach(client, path), name)() == 7


def test_patch_object__on_one_path_is_seen_on_the_other(client: Client) -> None:
    with mock.patch.object(client.jobs, "retrieve", return_value=7):
        call: Any = client.fine_tuning.jobs.retrieve
        assert call("ftjob-1") == 7


@pytest.mark.parametrize("name", ["jobs", "checkpoints", "alpha"])
def test_patch_object__replaces_a_part(client: Client, name: str) -> None:
    before = getattr(client.fine_tuning, name)
    with mock.patch.object(client.fine_tuning, name) as patched:
        assert getattr(client.fine_tuning, name) is patched
    assert getattr(client.fine_tuning, name) is before


def _class_of_a_spec() -> Any:
    return mock.create_autospec(Client)("sk-test")


MOCKS: dict[str, Callable[[], Any]] = {
    "spec of the class": lambda: mock.MagicMock(spec=Client),
    "spec of a client": lambda: mock.MagicMock(spec=Client("sk-test")),
    "autospec of the class": _class_of_a_spec,
    "autospec of an instance": lambda: mock.create_autospec(Client, instance=True),
    "autospec of a client": lambda: mock.create_autospec(Client("sk-test")),
}


@pytest.mark.parametrize("kind", MOCKS)
@every_call
def test_mock__has_every_call(kind: str, path: str, name: str) -> None:
    made = MOCKS[kind]()
    call = getattr(_reach(made, path), name)
    call.return_value = 7
    assert call.return_value == 7
    assert made.with_options() is not None
    with pytest.raises(AttributeError):
        _ = made.jobz


def test_autospec__knows_the_arguments() -> None:
    made = mock.create_autospec(Client, instance=True)
    made.jobs.create(model="m", training_file="file-1")
    made.jobs.create.assert_called_once_with(model="m", training_file="file-1")
    with pytest.raises(TypeError, match=r"missing a required .*argument: 'model'"):
        made.jobs.create(training_file="file-1")
    with pytest.raises(AttributeError):
        made.jobs.craete()


def test_patch__of_the_name_that_a_module_imported() -> None:
    with mock.patch("finetune_client.Client", autospec=True) as made:
        made.return_value.jobs.create.return_value = 7
        client: Any = finetune_client.Client("sk-test")
        assert client.jobs.create(model="m", training_file="file-1") == 7


def test_patch__of_a_method_of_the_class(client: Client) -> None:
    with mock.patch("finetune_client.resources.Jobs.create", autospec=True) as patched:
        client.jobs.create(model="m", training_file="file-1")
    patched.assert_called_once_with(client.jobs, model="m", training_file="file-1")


def test_part__is_its_class_on_the_class() -> None:
    found: list[Any] = [Client.jobs, Jobs.checkpoints]
    assert found == [Jobs, JobCheckpoints]
