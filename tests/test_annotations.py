"""Annotations can be read at run time, as pydantic, FastAPI, cattrs and dacite do."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

import finetune_client
from finetune_client import errors, local, metrics, models, providers, resources, training_data
from finetune_client.models import FineTuningJob, FineTuningJobError, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = (finetune_client, errors, models, resources, metrics, providers, training_data, local)


def _functions(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if inspect.isfunction(value):
        yield name, value
    elif inspect.isclass(value):
        yield name, value
        members = {key: one for base in reversed(value.__mro__) for key, one in vars(base).items()}
        for key, member in members.items():
            if key.startswith("_") and key not in {"__init__", "__iter__", "__enter__", "__exit__"}:
                continue
            for kind in ("fget", "func", "__func__"):
                member = getattr(member, kind, member)  # noqa: PLW2901 - unwrapped
            if inspect.isfunction(member) and member.__module__.startswith("finetune_client"):
                yield f"{name}.{key}", member


PUBLIC = dict(
    pair
    for package in PACKAGES
    for name in dir(package)
    if not inspect.ismodule(getattr(package, name))
    if str(getattr(getattr(package, name), "__module__", "")).startswith("finetune_client")
    for pair in _functions(f"{package.__name__}.{name}", getattr(package, name))
)


@pytest.mark.parametrize("name", PUBLIC)
def test_annotations__can_be_read(name: str) -> None:
    get_type_hints(PUBLIC[name])


def test_annotations__of_a_part_name_its_class() -> None:
    hints = get_type_hints(finetune_client.Client.with_options)
    assert set(hints) == {"api_key", "options", "return"}
    assert get_type_hints(resources.Jobs.retrieve)["return"] is FineTuningJob


DATACLASSES = [one for name, one in PUBLIC.items() if name.startswith("finetune_client.models.")]
DATACLASSES = [one for one in DATACLASSES if dataclasses.is_dataclass(one) and one is not Page]


@pytest.mark.parametrize("model", DATACLASSES, ids=lambda model: model.__name__)
def test_pydantic__takes_every_model(model: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    assert model.__name__ in str(pydantic.TypeAdapter(model).json_schema())


JOB = {"id": "ftjob-1", "error": {"code": "bad", "extra": {}}, "extra": {}}
READ = FineTuningJob(id="ftjob-1", error=FineTuningJobError(code="bad"))


def test_pydantic__reads_and_writes_a_job_in_a_field() -> None:
    pydantic = pytest.importorskip("pydantic")
    holder = pydantic.create_model("Holder", job=FineTuningJob, page=(Page[FineTuningJob], None))
    assert holder(job=READ).job is READ
    assert holder(job=JOB).job == READ
    assert holder(job=READ).model_dump(exclude_none=True)["job"] == JOB


def test_cattrs__reads_and_writes_a_job() -> None:
    converter = pytest.importorskip("cattrs").Converter()
    written = converter.unstructure(READ)
    assert converter.structure(written, FineTuningJob) == READ


def test_dacite__reads_a_job() -> None:
    assert pytest.importorskip("dacite").from_dict(FineTuningJob, JOB) == READ
