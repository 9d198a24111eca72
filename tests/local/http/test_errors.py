from __future__ import annotations

import pytest

from finetune_client.local.http.errors import (
    RequestRefusedError,
    invalid_value,
    missing_parameter,
    no_such_file,
    no_such_job,
    no_such_model,
)


def test_body__has_the_four_keys_of_the_api() -> None:
    error = RequestRefusedError(409, "It is running.", code="conflict", param="id")
    assert error.body() == {
        "error": {
            "message": "It is running.",
            "type": "invalid_request_error",
            "param": "id",
            "code": "conflict",
        }
    }
    assert str(error) == "It is running."


@pytest.mark.parametrize(
    ("error", "status", "code", "param", "message"),
    [
        (
            missing_parameter("model"),
            400,
            "missing_required_parameter",
            "model",
            "Missing required parameter: 'model'.",
        ),
        (
            missing_parameter("file", "It must be a file part of a form."),
            400,
            "missing_required_parameter",
            "file",
            "Missing required parameter: 'file'. It must be a file part of a form.",
        ),
        (
            invalid_value("seed is below 0.", "seed"),
            400,
            "invalid_value",
            "seed",
            "seed is below 0.",
        ),
        (no_such_file("file-1"), 404, None, "id", "No such File object: file-1"),
        (
            no_such_file("file-1", "training_file"),
            404,
            None,
            "training_file",
            "No such File object: file-1",
        ),
        (
            no_such_job("ftjob-1"),
            404,
            "fine_tune_not_found",
            "fine_tune_id",
            "Could not find fine tune: ftjob-1",
        ),
        (no_such_model("m"), 404, "model_not_found", "model", "The model 'm' does not exist"),
        (
            no_such_model("m", status=400),
            400,
            "model_not_found",
            "model",
            "The model 'm' does not exist",
        ),
    ],
)
def test_errors__that_several_handlers_raise(
    error: RequestRefusedError, status: int, code: str | None, param: str, message: str
) -> None:
    assert (error.status, error.code, error.param, error.message) == (status, code, param, message)
