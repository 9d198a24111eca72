"""An error answer as an exception: what goes wrong in a handler and how the wire says it."""

from __future__ import annotations

from typing import Any

__all__ = ["WireError", "because", "no_such_file", "no_such_job", "no_such_model"]


class WireError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: The status of the answer.
        message, code, param, type: What the body's ``error`` object says.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        type: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.type = type

    def body(self) -> dict[str, Any]:
        """Give the body of the answer, the API's ``ErrorResponse``."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error}


def because(error: Exception) -> str:
    """Give the end of a sentence: why the system refused, such as a disk that is full."""
    reason = error.strerror if isinstance(error, OSError) else None
    return f": {reason}." if reason else "."


def no_such_file(file_id: str, param: str = "id") -> WireError:
    """Make the answer about a file that is not there."""
    return WireError(404, f"No such File object: {file_id}", param=param)


def no_such_job(job_id: str) -> WireError:
    """Make the answer about a job that is not there."""
    return WireError(
        404,
        f"Could not find fine tune: {job_id}",
        code="fine_tune_not_found",
        param="fine_tune_id",
    )


def no_such_model(name: str, *, status: int = 404) -> WireError:
    """Make the answer about a model that is not there."""
    return WireError(
        status, f"The model '{name}' does not exist", code="model_not_found", param="model"
    )
