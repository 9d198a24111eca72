"""Every exception of the package, each with its facts as attributes.

::

    FineTuneError
    ├── APIError                        the exchange with the server went wrong
    │   ├── APIConnectionError          no usable answer came
    │   │   └── APITimeoutError         (also TimeoutError)
    │   ├── APIStatusError              the server answered with an error status
    │   │   ├── BadRequestError             400
    │   │   ├── AuthenticationError         401
    │   │   ├── PermissionDeniedError       403
    │   │   ├── NotFoundError               404
    │   │   ├── ConflictError               409
    │   │   ├── UnprocessableEntityError    422
    │   │   ├── RateLimitError              429
    │   │   └── InternalServerError         500 and above
    │   ├── APIResponseError            a 2xx answer that cannot be read
    │   ├── PaginationError             a list that would never end
    │   ├── IntegrityError              a transfer that is not whole
    │   └── RedirectRefusedError        a redirect that is not safe to follow
    ├── JobMayExistError                the outcome of a paid create is unknown
    ├── JobFailedError                  a job ended without a model
    ├── WaitTimeoutError                waiting ended before the job did (also TimeoutError)
    │   └── JobStalledError             nothing has happened to the job for too long
    ├── ConfigurationError              the client cannot be set up so (also ValueError)
    ├── RequestError                    a request that must not be sent (also ValueError)
    ├── DecodeError                     an object that cannot be read (also ValueError)
    ├── InvalidWebhookSignatureError    a webhook that is not the service's (also ValueError)
    └── TrainingDataError               a training file that is not fit to be used

No exception holds a request, a response or a key, and all of them can be pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "DecodeError",
    "FineTuneError",
    "IntegrityError",
    "InternalServerError",
    "InvalidWebhookSignatureError",
    "JobFailedError",
    "JobMayExistError",
    "JobStalledError",
    "NotFoundError",
    "Outcome",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimitError",
    "RedirectRefusedError",
    "RequestError",
    "ShutdownWarning",
    "TrainingDataError",
    "UnknownFieldWarning",
    "UnprocessableEntityError",
    "WaitTimeoutError",
]

Outcome = Literal["refused", "not_sent", "ambiguous", "bad_answer"]
"""What is known of a request that failed: the server refused it; it never reached the server;
it may or may not have been carried out; it was answered with success, unreadably."""


class UnknownFieldWarning(UserWarning):
    """A dict given to a call has a key that no field knows; it is sent all the same."""


class ShutdownWarning(UserWarning):
    """A service, or a model that a job is to start from, ends soon; the request is sent all the same."""


class FineTuneError(Exception):
    """The base of every exception here. `message` is the whole sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Callable[..., FineTuneError], tuple[Any, ...]]:
        return _restore, (type(self), dict(self.__dict__))


def _restore(cls: type[FineTuneError], facts: dict[str, Any]) -> FineTuneError:
    error = cls.__new__(cls, facts["message"])
    error.args = (facts["message"],)
    error.__dict__.update(facts)
    return error


class APIError(FineTuneError):
    """The exchange with the server went wrong.

    It can be made with the official SDK's arguments, as tests do that let a call fail: of
    ``response``, ``request`` and ``body`` its facts are taken, and none of the first two is kept.

    Attributes:
        outcome: What is known of the request, see `Outcome`.
        attempts: How many times it was sent (or tried to be).
        method: ``"POST"``.
        path: The path asked for, without the host and the query.
        request_id: The server's name for the request, if it gave one.
        retry_after: Seconds the server asked to wait, if it did.
        status_code: The status of the answer, if there was one.
        code: The error's code in the API's words, as text.
        param: The parameter the error is about.
        type: The error's type in the API's words.
        body: The error as the server sent it: its inner ``error`` object, else the JSON, else text.
    """

    _DEFAULT_MESSAGE: ClassVar[str] = "The exchange with the server went wrong."

    def __init__(
        self,
        message: object = None,
        request: Any = None,
        *,
        response: Any = None,
        outcome: Outcome = "refused",
        attempts: int = 1,
        method: str | None = None,
        path: str | None = None,
        status_code: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        code: str | None = None,
        param: str | None = None,
        type: str | None = None,
        body: Any = None,
    ) -> None:
        if not isinstance(message, str):  # APITimeoutError(request) in the official SDK
            message, request = self._DEFAULT_MESSAGE, request or message
        super().__init__(message)
        request = request or getattr(response, "request", None)
        # What the transport makes of a body is in the other arguments already.
        is_official = request is not None or response is not None
        said = body if is_official and isinstance(body, dict) else {}
        self.outcome: Outcome = outcome
        self.attempts = attempts
        self.method = method or getattr(request, "method", None)
        self.path = path or _path_of(request)
        self.status_code = status_code or getattr(response, "status_code", None)
        self.request_id = request_id or _header(response, "x-request-id")
        self.retry_after = retry_after
        self.code = code or _text(said.get("code"))
        self.param = param or _text(said.get("param"))
        self.type = type or _text(said.get("type"))
        self.body = body


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def _path_of(request: Any) -> str | None:
    url = getattr(request, "url", None)
    return None if url is None else urlsplit(str(url)).path


def _header(response: Any, name: str) -> str | None:
    headers = getattr(response, "headers", None)
    return headers.get(name) if isinstance(headers, Mapping) else None


class APIConnectionError(APIError):
    """No usable answer came: not connected, cut off, or not in time."""

    _DEFAULT_MESSAGE = "Connection error."


class APITimeoutError(APIConnectionError, TimeoutError):
    """The server did not take the connection, or did not answer, in time."""

    _DEFAULT_MESSAGE = "Request timed out."


class APIStatusError(APIError):
    """The server answered with an error status, which `status_code` holds."""

    status_code: int


class BadRequestError(APIStatusError):
    """400: the request is not valid."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong or expired."""


class PermissionDeniedError(APIStatusError):
    """403: the key may not do this."""


class NotFoundError(APIStatusError):
    """404: there is no such thing, or not for this key."""


class ConflictError(APIStatusError):
    """409: the thing is in a state that does not allow this."""


class UnprocessableEntityError(APIStatusError):
    """422: the request is well formed but cannot be carried out."""


class RateLimitError(APIStatusError):
    """429: too many requests, or the quota is used up (`code` tells which)."""


class InternalServerError(APIStatusError):
    """500 and above: the server, or a proxy before it, failed."""


class APIResponseError(APIError):
    """A 2xx answer that cannot be read: not JSON, not the thing asked for, or too large."""


class PaginationError(APIError):
    """A list that cannot be walked to its end: its cursors repeat, or one is not valid Unicode."""


class IntegrityError(APIError):
    """A transfer that is not whole: a length or a checksum is not what it should be."""


class RedirectRefusedError(APIError):
    """A redirect that is not safe to follow; nothing was sent to where it points."""


class JobMayExistError(FineTuneError):
    """A job was asked for and its outcome is unknown: it may exist, and may be billed.

    It is no `APIConnectionError`, so that code which retries those does not pay twice.

    Attributes:
        idempotency_key: The key of the call; with it the same call can be made again safely.
        candidates: The jobs born since with the same model and training file, newest first.
        outcome, status_code, request_id: What is known of the request that failed.
    """

    def __init__(
        self,
        message: str,
        *,
        idempotency_key: str | None = None,
        candidates: Sequence[Any] = (),
        outcome: Outcome = "ambiguous",
        status_code: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key
        self.candidates = list(candidates)
        self.outcome: Outcome = outcome
        self.status_code = status_code
        self.request_id = request_id


class JobFailedError(FineTuneError):
    """A job ended without a model. `job` is its last state; `code` and `param` are its error's."""

    def __init__(
        self,
        message: str,
        *,
        job: Any = None,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.job = job
        self.code = code
        self.param = param


class WaitTimeoutError(FineTuneError, TimeoutError):
    """Waiting ended before the thing waited for did; `job` is its last known state, if any.

    Where several were waited for, `jobs` holds the last known state of each that did not end.
    """

    def __init__(self, message: str, *, job: Any = None, jobs: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.job = job
        self.jobs = list(jobs)


class JobStalledError(WaitTimeoutError):
    """A job had no event and no change of status for too long; `job` is its last known state."""


class ConfigurationError(FineTuneError, ValueError):
    """The client cannot be set up so, or its provider lacks what was asked; nothing was sent.

    It also tells what a test tool that stands in for the network has no answer for.
    """


class RequestError(FineTuneError, ValueError):
    """A request that must not be sent; `problems` lists all that is wrong with it."""

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = list(problems)


class DecodeError(FineTuneError, ValueError):
    """An object that cannot be read; `path` names the place."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class InvalidWebhookSignatureError(FineTuneError, ValueError):
    """A webhook whose signature is missing, wrong or out of its time; it must not be believed."""


class TrainingDataError(FineTuneError):
    """A training file that is not fit to be used; `report` says why, `problems` lists it."""

    def __init__(self, message: str, *, report: Any = None, problems: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.report = report
        self.problems = list(problems)
