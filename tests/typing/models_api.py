"""What type checkers must see and refuse. They read this file; nobody runs it.

A line with ``type: ignore`` must be an error: mypy reports an ignore that is not needed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from typing_extensions import assert_type

from finetune_client.models import (
    AUTO,
    Auto,
    AutoOr,
    ChatExample,
    ChatMessage,
    DpoMethod,
    FineTuningJob,
    FineTuningJobCheckpoint,
    FineTuningJobError,
    FineTuningJobEvent,
    FineTuningJobRequest,
    FineTuningJobStatus,
    FineTuningMethod,
    Grader,
    GraderRun,
    GraderValidation,
    Hyperparameters,
    Integration,
    Limits,
    MultiGrader,
    Page,
    PythonGrader,
    ReinforcementMethod,
    StringCheckGrader,
    SupervisedHyperparameters,
    SupervisedMethod,
    WandbIntegration,
    job_list_query,
    read_grader,
    unknown_fields,
)


def auto_narrows(epochs: AutoOr[int] | None) -> int | None:
    assert_type(epochs, int | Auto | None)
    if epochs is AUTO:
        assert_type(epochs, Literal[Auto.AUTO])
        return None
    assert_type(epochs, int | None)
    return epochs


def settings_have_three_states() -> None:
    Hyperparameters(n_epochs=None)
    Hyperparameters(n_epochs=AUTO, batch_size=4, learning_rate_multiplier=1)
    SupervisedHyperparameters(learning_rate_multiplier=0.5)
    Hyperparameters(n_epochs="auto")  # type: ignore[arg-type]
    Hyperparameters(n_epochs=1.5)  # type: ignore[arg-type]
    Hyperparameters(n_epoch=3)  # type: ignore[call-arg]
    Hyperparameters(3)  # type: ignore[call-arg]


def a_job_is_read(data: dict[str, Any]) -> None:
    job = FineTuningJob.from_dict(data)
    assert_type(job, FineTuningJob)
    assert_type(job.id, str)
    assert_type(job.status, str | None)
    assert_type(job.is_terminal, bool)
    assert_type(job.created, datetime | None)
    assert_type(job.error, FineTuningJobError | None)
    assert_type(job.result_files, list[str] | None)
    assert_type(job.integrations, list[Integration] | None)
    assert_type(job.to_dict(), dict[str, Any])
    if job.method and job.method.supervised and job.method.supervised.hyperparameters:
        assert_type(job.method.supervised.hyperparameters.n_epochs, int | Auto | None)
    if job.status == FineTuningJobStatus.SUCCEEDED:
        assert_type(job.fine_tuned_model, str | None)
    FineTuningJob()  # type: ignore[call-arg]
    job.no_such_field  # type: ignore[attr-defined]  # noqa: B018


def a_page_knows_its_rows(data: dict[str, Any], rows: list[Any]) -> None:
    page = Page.from_dict(data, FineTuningJob)
    assert_type(page, Page[FineTuningJob])
    assert_type(page.data, list[FineTuningJob])
    for job in page:
        assert_type(job, FineTuningJob)
    assert_type(Page.from_dict(rows, FineTuningJobCheckpoint).data, list[FineTuningJobCheckpoint])
    assert_type(Page.from_dict(rows, FineTuningJobEvent).has_more, bool | None)
    Page.from_dict(data, str)  # type: ignore[type-var]


def methods_are_made_of_settings() -> None:
    assert_type(FineTuningMethod.of(SupervisedMethod()), FineTuningMethod)
    FineTuningMethod.of(DpoMethod())
    FineTuningMethod.of(Hyperparameters())  # type: ignore[arg-type]
    assert_type(Integration.of(WandbIntegration(project="p")), Integration)


def a_request_takes_models_and_dicts(plain: dict[str, Any]) -> None:
    request = FineTuningJobRequest(
        model="m",
        training_file="file-1",
        method=SupervisedMethod(hyperparameters=Hyperparameters(n_epochs=AUTO)),
        integrations=[WandbIntegration(project="p"), plain],
        metadata={"k": "v"},
    )
    FineTuningJobRequest(model="m", method=plain, hyperparameters=plain)
    FineTuningJobRequest(method=5)  # type: ignore[arg-type]
    FineTuningJobRequest(metadata={"k": 5})  # type: ignore[dict-item]
    assert_type(request.problems(), list[str])
    request.problems(limits="azure")
    request.problems(Limits(suffix=100))
    assert_type(unknown_fields(request), list[str])
    unknown_fields(plain)


def graders_are_one_of_some(data: dict[str, Any]) -> None:
    grader = read_grader(data)
    assert_type(grader, Grader)
    assert_type(grader.name, str | None)
    if isinstance(grader, MultiGrader):
        assert_type(grader.named_graders, dict[str, Grader])
    MultiGrader(graders={"a": StringCheckGrader(name="a"), "b": PythonGrader()})
    MultiGrader(graders=[StringCheckGrader(name="a"), PythonGrader(name="b")])
    MultiGrader(graders=5)  # type: ignore[arg-type]
    ReinforcementMethod(grader=grader)
    assert_type(GraderRun.from_dict(data).reward, float | None)
    assert_type(GraderValidation.from_dict(data).grader, Grader | None)


def training_lines_are_built(example: ChatExample) -> None:
    assert_type(example.messages, list[ChatMessage] | None)
    ChatExample(messages=[ChatMessage(role="user", content="hi")])
    ChatExample(messages=["hi"])  # type: ignore[list-item]


def lists_are_filtered() -> None:
    assert_type(job_list_query(metadata={"k": "v"}, without_metadata=False), dict[str, Any])
    job_list_query(meta={})  # type: ignore[call-arg]
