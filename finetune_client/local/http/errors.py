"""An error answer as an exception, and the errors that several handlers raise."""

from __future__ import annotations

from typing import Any

from finetune_client.local.storage.store import system_reason

__all__ = [
    "ConnectionDroppedError",
    "RequestRefusedError",
    "failure",
    "invalid_value",
    "missing_parameter",
    "no_such_file",
    "no_such_job",
    "no_such_model",
]


class ConnectionDroppedError(ConnectionResetError):
    """The connection is to be dropped instead of being answered."""


class RequestRefusedError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: The status of the response.
        message, code, param, type: The fields of the body's ``error`` object.
        retry_after: The seconds of a ``Retry-After`` header; `None` for no such header.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        type: str = "invalid_request_error",
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.type = type
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """Return the body of the response, the API's ``ErrorResponse``."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error}


def failure(error: Exception) -> RequestRefusedError:
    """Return the error for a request that failed within the server."""
    message = f"The server had an error while processing your request{system_reason(error)}"
    return RequestRefusedError(500, message, type="server_error")


def missing_parameter(name: str, hint: str = "") -> RequestRefusedError:
    """Return the error for a parameter that is required; ``hint`` is a further sentence."""
    message = f"Missing required parameter: '{name}'.{f' {hint}' if hint else ''}"
    return RequestRefusedError(400, message, code="missing_required_parameter", param=name)


def invalid_value(message: str, param: str) -> RequestRefusedError:
    """Return the error for a parameter whose value is not allowed."""
    return RequestRefusedError(400, message, code="invalid_value", param=param)


def no_such_file(file_id: str, param: str = "id") -> RequestRefusedError:
    """Return the error for a file that does not exist."""
    return RequestRefusedError(404, f"No such File object: {file_id}", param=param)


def no_such_job(job_id: str) -> RequestRefusedError:
    """Return the error for a job that does not exist."""
    return RequestRefusedError(
        404,
        f"Could not find fine tune: {job_id}",
        code="fine_tune_not_found",
        param="fine_tune_id",
    )


def no_such_model(name: str, *, status: int = 404, hint: str = "") -> RequestRefusedError:
    """Return the error for a model that does not exist; ``hint`` is a further sentence."""
    message = f"The model '{name}' does not exist{f'. {hint}' if hint else ''}"
    return RequestRefusedError(status, message, code="model_not_found", param="model")
