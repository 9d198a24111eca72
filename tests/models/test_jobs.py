from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.models import (
    FineTuningJob,
    FineTuningJobError,
    FineTuningJobRequest,
    FineTuningJobStatus,
    Hyperparameters,
    Integration,
    WandbIntegration,
)


def job(**sent: Any) -> FineTuningJob:
    return FineTuningJob.from_dict({"id": "ftjob-1", **sent})


@pytest.mark.parametrize(
    "status",
    [
        "succeeded",
        "success",
        "completed",
        "SUCCESS",
        " Succeeded ",
        "early_stopped",
        "JOB_STATE_SUCCEEDED",
        "JOB_STATE_EARLY_STOPPED",
        "job_state_succeeded",
    ],
)
def test_status__success(status: str) -> None:
    assert (job(status=status).is_succeeded, job(status=status).is_failed) == (True, False)
    assert job(status=status).is_terminal


@pytest.mark.parametrize(
    "status",
    [
        "failed",
        "error",
        "user_error",
        "failed_validation",
        "FAILED",
        "expired",
        "JOB_STATE_FAILED",
        "JOB_STATE_EXPIRED",
    ],
)
def test_status__failure(status: str) -> None:
    assert (job(status=status).is_succeeded, job(status=status).is_failed) == (False, True)
    assert job(status=status).is_terminal


@pytest.mark.parametrize(
    "status",
    [
        "cancelled",
        "canceled",
        "stopped",
        "deleted",
        "Cancelled",
        "JOB_STATE_CANCELLED",
    ],
)
def test_status__ended_otherwise(status: str) -> None:
    assert (job(status=status).is_succeeded, job(status=status).is_failed) == (False, False)
    assert job(status=status).is_terminal


@pytest.mark.parametrize(
    "status",
    [
        "validating_files",
        "queued",
        "running",
        "paused",
        "pausing",
        "pending",
        "created",
        "novel",
        "resuming",
        "cancel_requested",
        "compressing",
        "uploading",
        "JOB_STATE_RUNNING",
        "JOB_STATE_PAUSED",
        "JOB_STATE_CANCELLING",
        "JOB_STATE_",
        "succeeded_JOB_STATE",
    ],
)
def test_status__going_on_or_not_known(status: str) -> None:
    found = job(status=status)
    assert (found.is_terminal, found.is_succeeded, found.is_failed) == (False, False, False)
    assert found.status == status


@pytest.mark.parametrize(
    ("status", "paused"),
    [
        ("paused", True),
        ("Paused", True),
        ("JOB_STATE_PAUSED", True),
        ("pausing", False),
        (None, False),
    ],
)
def test_status__paused(status: str | None, paused: bool) -> None:
    assert job(status=status).is_paused is paused


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_status__is_kept_as_sent(status: str) -> None:
    assert job(status=status).to_dict()["status"] == status


@pytest.mark.parametrize("status", [None, 5, ["succeeded"], {"succeeded": True}])
def test_status__of_another_kind_is_no_end(status: Any) -> None:
    assert not job(status=status).is_terminal


@pytest.mark.parametrize(
    ("status", "folded"),
    [(None, ""), (" Running\n", "running"), ("JOB_STATE_SUCCEEDED", "succeeded")],
)
def test_folded_status__is_what_statuses_are_compared_by(status: str | None, folded: str) -> None:
    assert FineTuningJob(id="ftjob-1", status=status).folded_status == folded


def test_status__constants_are_text() -> None:
    assert job(status="succeeded").status == FineTuningJobStatus.SUCCEEDED
    assert FineTuningJobStatus.PAUSED == "paused"


@pytest.mark.parametrize(
    "error", [None, {}, {"code": None, "message": None, "param": None}, {"new": None}]
)
def test_error__of_nothing_is_none(error: Any) -> None:
    found = job(error=error)
    assert found.error is None
    assert found.to_dict() == {"id": "ftjob-1"}


def test_error__with_anything_in_it_is_one() -> None:
    assert job(error={"code": "exceeded_quota"}).error == FineTuningJobError(code="exceeded_quota")
    assert job(error={"new": 1}).error == FineTuningJobError(extra={"new": 1})
    assert job(error={"code": 404}).to_dict()["error"] == {"code": 404}


def test_error__that_is_no_object_stays_in_extra() -> None:
    assert job(error="out of memory").extra == {"error": "out of memory"}


def test_unknown_keys__are_kept_with_their_nulls() -> None:
    sent = {"id": "ftjob-1", "trainingType": "globalstandard", "later": None}
    found = FineTuningJob.from_dict(sent)
    assert found.extra == {"trainingType": "globalstandard", "later": None}
    assert found.to_dict() == sent


def test_fields__win_over_what_stands_in_extra() -> None:
    found = job(created_at="2024-07-23", seed=True)
    found.created_at = 5
    assert found.to_dict() == {"id": "ftjob-1", "created_at": 5, "seed": True}
    assert found.created is not None
    assert found.created.year == 1970


def test_object__is_written_only_if_it_was_there() -> None:
    assert FineTuningJob(id="a").to_dict() == {"id": "a"}
    assert job(object="fine-tune").to_dict() == {"id": "ftjob-1", "object": "fine-tune"}


def test_nested__wrong_kinds_stay_and_the_rest_is_read() -> None:
    sent = {
        "method": {"supervised": {}},
        "hyperparameters": [1],
        "integrations": [{"type": "wandb", "wandb": {"project": "p", "tags": ["a", 5]}}, None],
        "result_files": ["file-1", 5],
    }
    found = job(**sent)
    assert found.extra == sent
    assert (found.method, found.hyperparameters, found.integrations) == (None, None, None)


def test_nested__are_read() -> None:
    found = job(
        hyperparameters={"n_epochs": 3},
        integrations=[{"type": "wandb", "wandb": {"project": "p", "run_id": "r"}}, {"type": "x"}],
    )
    assert found.hyperparameters == Hyperparameters(n_epochs=3)
    assert found.integrations == [
        Integration.of(WandbIntegration(project="p", run_id="r")),
        Integration(type="x"),
    ]


def test_reading__shares_no_containers_of_its_own_with_the_answer() -> None:
    sent: dict[str, Any] = {"id": "a", "metadata": {"k": "v"}, "result_files": ["f"]}
    found = FineTuningJob.from_dict(sent)
    assert found.metadata is not None
    assert found.result_files is not None
    found.metadata["k"] = "other"
    found.result_files.append("g")
    found.extra["new"] = 1
    assert sent == {"id": "a", "metadata": {"k": "v"}, "result_files": ["f"]}


def test_repr__is_short_and_shows_what_matters() -> None:
    found = job(
        status="failed",
        model="gpt-4o-mini",
        training_file="file-1",
        fine_tuned_model="ft:gpt-4o-mini:org::1",
        error={"code": "invalid_n_examples", "message": "m" * 500},
    )
    assert repr(found) == (
        "FineTuningJob(id='ftjob-1', status='failed', model='gpt-4o-mini', "
        "fine_tuned_model='ft:gpt-4o-mini:org::1', error=FineTuningJobError("
        f"code='invalid_n_examples', message='{'m' * 37}...{'m' * 38}'))"
    )
    assert repr(FineTuningJob(id="a")) == "FineTuningJob(id='a')"
    assert repr(Hyperparameters(n_epochs=3, extra={"a": 1})) == (
        "Hyperparameters(n_epochs=3, extra={'a': 1})"
    )


def test_mappings__of_other_kinds_are_read() -> None:
    from types import MappingProxyType

    sent = MappingProxyType({"id": "a", "metadata": MappingProxyType({"k": "v"})})
    assert FineTuningJob.from_dict(sent).to_dict() == {"id": "a", "metadata": {"k": "v"}}


@pytest.mark.parametrize("number", [-1, -1.0])
def test_hyperparameters__minus_one_is_kept_and_can_be_sent_again(number: float) -> None:
    """Azure's word for "auto", in answers too; no other server takes it."""
    answered = {"n_epochs": number, "batch_size": -1, "learning_rate_multiplier": number}
    method = {"type": "supervised", "supervised": {"hyperparameters": answered}}
    found = job(hyperparameters=answered, method=method)
    assert found.hyperparameters is not None
    assert found.hyperparameters.n_epochs == -1
    assert found.hyperparameters.to_dict() == answered
    for again in ({"hyperparameters": found.hyperparameters}, {"method": found.method}):
        request = FineTuningJobRequest(model="m", training_file="file-1", **again)
        assert request.problems("azure") == []
        assert len(request.problems("openai")) == 3


def test_idempotency_key__is_apart_from_the_metadata_that_the_user_gave() -> None:
    sent = {"id": "ftjob-1", "metadata": {"sweep": "one", "idempotency_key": "run-7"}}
    found = FineTuningJob.from_dict(sent)
    assert found.metadata == {"sweep": "one"}
    assert found.idempotency_key == "run-7"
    assert found.to_dict() == sent
    assert sent["metadata"] == {"sweep": "one", "idempotency_key": "run-7"}


def test_idempotency_key__alone_leaves_no_metadata() -> None:
    found = job(metadata={"idempotency_key": "run-7"})
    assert (found.metadata, found.idempotency_key) == ({}, "run-7")
    found.metadata = None
    assert found.to_dict() == {"id": "ftjob-1", "metadata": {"idempotency_key": "run-7"}}


@pytest.mark.parametrize("metadata", [None, {}, {"a": "b"}, {"idempotency_key": 7}])
def test_idempotency_key__is_none_where_there_is_none(metadata: Any) -> None:
    found = job(metadata=metadata)
    assert (found.metadata, found.idempotency_key) == (metadata, None)
