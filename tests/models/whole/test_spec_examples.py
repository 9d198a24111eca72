"""Every example of the published API document is read and given back.

`tests/payloads/spec_examples.json` holds them all, those that are no JSON repaired.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetune_client import models
from tests.support.model_values import leaves

EXAMPLES: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "payloads" / "spec_examples.json").read_text(encoding="utf-8")
)

ROWS: dict[str, Any] = {
    "files.get.200": models.FileObject,
    "fine_tuning.checkpoints._fine_tuned_model_checkpoint_.permissions.get.200": (
        models.CheckpointPermission
    ),
    "fine_tuning.checkpoints._fine_tuned_model_checkpoint_.permissions.post.200": (
        models.CheckpointPermission
    ),
    "fine_tuning.jobs._fine_tuning_job_id_.checkpoints.get.200": models.FineTuningJobCheckpoint,
    "fine_tuning.jobs._fine_tuning_job_id_.events.get.200": models.FineTuningJobEvent,
    "fine_tuning.jobs.get.200": models.FineTuningJob,
    "models.get.200": models.Model,
}
"""Lists, and what their rows are."""
STARTS: dict[str, Any] = {
    "files._file_id_.delete.200": models.Deleted,
    "files._file_id_.get.200": models.FileObject,
    "files.post.200": models.FileObject,
    "fine_tuning.alpha.graders.run.post.200": models.GraderRun,
    "fine_tuning.alpha.graders.validate.post": models.GraderValidation,
    "fine_tuning.checkpoints._fine_tuned_model_checkpoint_.permissions._permission_id_": (
        models.Deleted
    ),
    "fine_tuning.jobs._fine_tuning_job_id_": models.FineTuningJob,
    "fine_tuning.jobs.post.200": models.FineTuningJob,
    "fine_tuning.jobs.post.request": models.FineTuningJobRequest,
    "models._model_.delete": models.Deleted,
    "models._model_.get": models.Model,
    "schema.FineTuningCheckpointPermission": models.CheckpointPermission,
    "schema.FineTuningJobCheckpoint": models.FineTuningJobCheckpoint,
    "schema.FineTuningJobEvent": models.FineTuningJobEvent,
    "schema.FineTuningJob": models.FineTuningJob,
    "schema.GraderLabelModel": models.LabelModelGrader,
    "schema.GraderMulti": models.MultiGrader,
    "schema.GraderPython": models.PythonGrader,
    "schema.GraderScoreModel": models.ScoreModelGrader,
    "schema.GraderStringCheck": models.StringCheckGrader,
    "schema.GraderTextSimilarity": models.TextSimilarityGrader,
    "schema.Model": models.Model,
    "schema.OpenAIFile": models.FileObject,
    "schema.UploadPart": models.UploadPart,
    "schema.Upload": models.Upload,
    "uploads._upload_id_.cancel.post.200": models.Upload,
    "uploads._upload_id_.complete.post.200": models.Upload,
    "uploads._upload_id_.parts.post.200": models.UploadPart,
    "uploads.post.200": models.Upload,
}
"""The longest start of an example's name -> what it is."""
NO_TYPE = {
    "files.post.request": "a form",
    "fine_tuning.checkpoints._fine_tuned_model_checkpoint_.permissions.post.request": "one list",
    "uploads._upload_id_.complete.post.request": "one list",
    "uploads._upload_id_.parts.post.request": "a form",
    "uploads.post.request": "five arguments",
}
GRADER_RUNS = "fine_tuning.alpha.graders.run.post.request"


def type_of(name: str) -> Any:
    found = [start for start in STARTS if name.startswith(start)]
    return STARTS[max(found, key=len)] if found else None


def given_back(name: str, sent: Any) -> Any:
    if name in ROWS:
        page = models.Page.from_dict(sent, ROWS[name])
        assert not page.unreadable
        return page.to_dict()
    if name.startswith(GRADER_RUNS):
        return {**sent, "grader": models.read_grader(sent["grader"]).to_dict()}
    return type_of(name).from_dict(sent).to_dict()


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - set(NO_TYPE)))
def test_example__is_given_back(name: str) -> None:
    sent = EXAMPLES[name]
    assert set(leaves(given_back(name, sent))) == set(leaves(sent))


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - set(NO_TYPE)))
def test_example__has_a_field_for_every_key(name: str) -> None:
    if name in ROWS:
        value: Any = models.Page.from_dict(EXAMPLES[name], ROWS[name])
    elif name.startswith(GRADER_RUNS):
        value = models.read_grader(EXAMPLES[name]["grader"])
    else:
        value = type_of(name).from_dict(EXAMPLES[name])
    assert extras(value) == []


def extras(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [found for one in value for found in extras(one)]
    if not hasattr(value, "extra"):
        return []
    inside = [getattr(value, name) for name in value.__slots__ if name != "extra"]
    return [value.extra] * bool(value.extra) + extras(inside)


@pytest.mark.parametrize("name", [n for n in EXAMPLES if n.startswith("fine_tuning.jobs.post.req")])
def test_example_request__has_no_problems(name: str) -> None:
    request = models.FineTuningJobRequest.from_dict(EXAMPLES[name])
    assert request.problems() == []
    assert models.unknown_fields(request) == []
    assert models.unknown_fields(EXAMPLES[name]) == []
    given = models.FineTuningJobRequest(**EXAMPLES[name])
    assert given.to_dict() == request.to_dict() == EXAMPLES[name]


def test_examples__are_all_known() -> None:
    read = [name for name in EXAMPLES if name in ROWS or type_of(name) or name in NO_TYPE]
    runs = [name for name in EXAMPLES if name.startswith(GRADER_RUNS)]
    assert sorted([*read, *runs]) == sorted(EXAMPLES)
    assert len(EXAMPLES) == 58
