"""The WSGI app of one server: the table of its routes, and JSON for every response of the API."""

from __future__ import annotations

import itertools
import logging
import secrets
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.exceptions import HTTPException

from finetune_client.grading import GraderError
from finetune_client.local.http.access import check_access
from finetune_client.local.http.errors import RequestRefusedError, failure
from finetune_client.local.http.forms import BlobRequest, drop_unkept_blobs
from finetune_client.local.http.page_files import PAGE_FILES, page_file
from finetune_client.local.storage.database import StoreClosedError
from finetune_client.local.storage.store import BlobTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from finetune_client.local.api.chat import Chat
    from finetune_client.local.api.curves import Curves
    from finetune_client.local.api.files import Files
    from finetune_client.local.api.graders import Graders
    from finetune_client.local.api.jobs import Jobs
    from finetune_client.local.api.models import Models
    from finetune_client.local.api.permissions import Permissions
    from finetune_client.local.api.uploads import Uploads
    from finetune_client.local.http.api_keys import ApiKeys
    from finetune_client.local.storage.store import Store

    Route = tuple[str, str, Callable[..., Any]]

__all__ = ["make_app", "page_routes", "routes"]

_log = logging.getLogger("finetune_client.local")
_AZURE, _AZURE_CLASSIC = "/openai/v1", "/openai"
_PREFIXES = ("/v1", _AZURE, _AZURE_CLASSIC)
"""What the paths begin with: OpenAI's, and Azure's of either API, so that its clients work too."""

_JOBS = "/fine_tuning/jobs"
_PERMISSIONS = "/fine_tuning/checkpoints/<path:checkpoint>/permissions"


def routes(
    files: Files,
    uploads: Uploads,
    models: Models,
    jobs: Jobs,
    permissions: Permissions,
    graders: Graders,
    chat: Chat,
) -> list[Route]:
    """Return the routes of the server: method, path below each prefix, handler."""
    return [
        ("GET", "/files", files.list),
        ("POST", "/files", files.create),
        ("GET", "/files/<file_id>", files.retrieve),
        ("DELETE", "/files/<file_id>", files.delete),
        ("GET", "/files/<file_id>/content", files.content),
        ("POST", "/uploads", uploads.create),
        ("POST", "/uploads/<upload_id>/parts", uploads.add_part),
        ("POST", "/uploads/<upload_id>/complete", uploads.complete),
        ("POST", "/uploads/<upload_id>/cancel", uploads.cancel),
        ("POST", "/chat/completions", chat.create),
        ("POST", "/deployments/<path:deployment>/chat/completions", chat.create),
        ("GET", "/models", models.list),
        ("GET", "/models/<path:model>", models.retrieve),
        ("DELETE", "/models/<path:model>", models.delete),
        ("GET", _JOBS, jobs.list),
        ("POST", _JOBS, jobs.create),
        ("GET", f"{_JOBS}/<job_id>", jobs.retrieve),
        ("POST", f"{_JOBS}/<job_id>/cancel", jobs.cancel),
        ("POST", f"{_JOBS}/<job_id>/pause", jobs.pause),
        ("POST", f"{_JOBS}/<job_id>/resume", jobs.resume),
        ("GET", f"{_JOBS}/<job_id>/events", jobs.events),
        ("GET", f"{_JOBS}/<job_id>/checkpoints", jobs.checkpoints),
        ("GET", _PERMISSIONS, permissions.list),
        ("POST", _PERMISSIONS, permissions.create),
        ("DELETE", f"{_PERMISSIONS}/<permission_id>", permissions.delete),
        ("POST", "/fine_tuning/alpha/graders/run", graders.run),
        ("POST", "/fine_tuning/alpha/graders/validate", graders.validate),
    ]


def page_routes(curves: Curves) -> list[Route]:
    """Return the routes of the server's page: method, path, handler."""
    return [
        *(("GET", path, page_file) for path in PAGE_FILES),
        ("GET", "/ui/jobs/<job_id>/curve.svg", curves.draw),
    ]


def make_app(
    store: Store,
    table: list[Route],
    page: list[Route],
    allowed_hosts: Collection[str],
    api_keys: ApiKeys,
) -> flask.Flask:
    """Return an app with the routes of a table, below each prefix, and those of the page."""

    def let_in() -> None:
        flask.g.project = check_access(flask.request.environ, allowed_hosts, api_keys)
        _check_version()

    app = flask.Flask("finetune_client.local", static_folder=None, template_folder=None)
    # Flask makes the requests itself, and passes them nothing of ours.
    app.request_class = type("_Request", (BlobRequest,), {"store": store})
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    routes_below = [
        *((prefix, *route) for prefix, route in itertools.product(_PREFIXES, table)),
        *(("", *route) for route in page),
    ]
    for prefix, method, path, view in routes_below:
        app.add_url_rule(
            f"{prefix}{path}",
            endpoint=f"{method} {prefix}{path}",
            view_func=view,
            methods=[method],
            provide_automatic_options=False,
        )
    app.before_request(let_in)
    app.after_request(_with_request_id)
    app.teardown_request(lambda _: drop_unkept_blobs(store))
    app.register_error_handler(Exception, _error_response)
    return app


def _check_version() -> None:
    """Refuse a request to Azure's classic API without a version, as Azure does."""
    rule = flask.request.url_rule
    is_classic = (
        rule is not None
        and rule.rule.startswith(f"{_AZURE_CLASSIC}/")
        and not rule.rule.startswith(f"{_AZURE}/")
    )
    if is_classic and not flask.request.args.get("api-version"):
        message = "Resource not found. Azure's classic API needs ?api-version=, such as 2024-10-21."
        raise RequestRefusedError(404, message, code="404", param="api-version")


def _with_request_id(response: flask.Response) -> flask.Response:
    response.headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
    return response


def _error_response(error: Exception) -> tuple[flask.Response, int]:
    refused = _refusal(error)
    response = flask.jsonify(refused.body())
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response, refused.status


def _refusal(error: Exception) -> RequestRefusedError:
    if isinstance(error, RequestRefusedError):
        return error
    if isinstance(error, GraderError):
        return RequestRefusedError(400, error.message, code=error.code, param=error.param)
    if isinstance(error, BlobTooLargeError):
        return RequestRefusedError(413, str(error))
    if isinstance(error, StoreClosedError):
        return RequestRefusedError(503, str(error), type="server_error")
    if isinstance(error, HTTPException) and error.code in {404, 405}:
        message = f"Invalid URL ({flask.request.method} {flask.request.path})"
        return RequestRefusedError(error.code, message, code="unknown_url")
    if isinstance(error, HTTPException) and error.code is not None:
        return RequestRefusedError(error.code, error.description or error.name)
    _log.error("a request failed within the server", exc_info=error)
    return failure(error)
