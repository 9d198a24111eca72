"""The page for those who come from the official SDK, row by row."""

from __future__ import annotations

import dataclasses
import inspect
import json
import logging
import re
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest
import responses

import finetune_client
from finetune_client import Client, models
from finetune_client.errors import APIError, APIStatusError, RequestError
from finetune_client.models import FineTuningJob, GraderRun, GraderRunErrors, InputText
from finetune_client.resources import (
    FileBytes,
    Files,
    Pager,
    RawResponse,
    RequestOptions,
    StreamingResponse,
)
from finetune_client.transport.config import ClientOptions, NetworkOptions
from finetune_client.webhooks import WebhookEvent
from tests.support.sent import sent_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
OFFICIAL = json.loads((ROOT / "tests/payloads/official_sdk.json").read_text(encoding="utf-8"))


def _table(title: str) -> dict[str, str]:
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").partition(" | ") for line in section.splitlines() if line[:1] == "|"]
    return {head: rest for head, _, rest in rows[2:]}


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


CALLS = {
    _names(head)[0]: _names(rest)
    for head, rest in _table("The same: calls and their arguments").items()
}
RESULTS = {
    _names(head)[0]: _names(rest)
    for head, rest in _table("The same: attributes of results").items()
}
OTHERS = _table("Not the same")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client("sk-test") as made:
        yield made


def _reach(client: Client, path: str) -> Any:
    return reduce(getattr, path.split(".")[1:], client)


@pytest.mark.parametrize("call", CALLS)
def test_call__takes_the_official_arguments(call: str, client: Client) -> None:
    taken = inspect.signature(_reach(client, call)).parameters
    assert [name for name in CALLS[call] if name not in taken] == []


@pytest.mark.parametrize("result", RESULTS)
def test_result__has_the_official_attributes(result: str) -> None:
    here = {one.name for one in dataclasses.fields(getattr(models, result))}
    assert [name for name in RESULTS[result] if name not in here] == []


def test_page__leaves_out_no_official_call_and_no_argument() -> None:
    for call, arguments in OFFICIAL["calls"].items():
        if call in CALLS:
            left = set(arguments) - set(CALLS[call])
            assert not left or f"`{call}`" in OTHERS, call
        else:
            assert any(call in _names(head) for head in OTHERS), call


def test_page__leaves_out_no_official_attribute() -> None:
    for result, attributes in OFFICIAL["results"].items():
        for name in attributes:
            assert name in RESULTS[result] or f"`{name}`" in OTHERS, f"{result}.{name}"


@pytest.mark.parametrize("inner", OFFICIAL["inside"])
def test_result__has_the_official_attributes_inside(inner: str) -> None:
    here = {one.name for one in dataclasses.fields(getattr(models, inner))}
    others = {name for head in OTHERS for name in _names(head)}
    assert [name for name in OFFICIAL["inside"][inner] if name not in here | others] == []


def test_shorter_paths__lead_to_the_same_objects(client: Client) -> None:
    assert client.fine_tuning.jobs is client.jobs
    assert client.fine_tuning.checkpoints is client.checkpoints
    assert client.fine_tuning.alpha.graders is client.graders
    assert RequestOptions.__optional_keys__ == {
        "extra_headers",
        "extra_query",
        "extra_body",
        "timeout",
    }


def _lack(*names: str) -> Callable[[Client], bool]:
    def lack(client: Client) -> bool:
        things = [client.jobs, client.files, FineTuningJob(id="x"), Pager]
        return not any(hasattr(thing, name) for thing in things for name in names)

    return lack


def _absent(name: str) -> Callable[[Client], bool]:
    return lambda _: not hasattr(finetune_client, name)


def _renamed(official: str, here: str) -> Callable[[Client], bool]:
    def check(_: Client) -> bool:
        arguments = inspect.signature(Client).parameters
        return official not in arguments and here in arguments

    return check


def _no_problem_names_are_sent(client: Client) -> bool:
    try:
        client.jobs.create(model="m", training_file="file-1", seed=-1)
    except RequestError:
        return True
    return False


def _headers_of_a_part_are_refused(client: Client) -> bool:
    part: Any = ("a.jsonl", b"{}", "text/jsonl", {"X-Part": "1"})
    try:
        client.files.create(file=part)
    except RequestError as error:
        return "(name, content[, content type])" in error.message
    return False


def _refuses_plain_http(_: Client) -> bool:
    try:
        Client("sk-test", base_url="http://api.example.com/v1")
    except finetune_client.ConfigurationError as error:
        return "allow_http" in error.message
    return False


def _extra_body_of_a_list_is_refused(client: Client) -> bool:
    try:
        client.jobs.list(extra_body={"target_model_names": "m"})
    except RequestError as error:
        return "extra_query" in error.message
    return False


def _sent(call: Callable[[Client], object], answer: dict[str, Any]) -> requests.PreparedRequest:
    """Return the first request of a call that is answered so."""
    with (
        responses.RequestsMock() as server,
        Client("sk-test", admin_key="sk-admin", base_url="https://api.openai.com/v1") as client,
    ):
        server.add(responses.GET, re.compile(".*"), json=answer)
        server.add(responses.POST, re.compile(".*"), json=answer)
        server.assert_all_requests_are_fired = False
        call(client)
        return server.calls[0].request


def _permissions_are_sent_with_the_admin_key(_: Client) -> bool:
    sent = _sent(lambda client: client.checkpoints.permissions.list("ft:m"), {"data": []})
    return sent.headers["Authorization"] == "Bearer sk-admin"


def _bytes_are_called_upload_jsonl(_: Client) -> bool:
    sent = _sent(
        lambda client: client.files.create(file=b"{}", purpose="fine-tune"),
        {"id": "file-1", "bytes": 2},
    )
    return b'filename="upload.jsonl"' in sent_bytes(sent)


def _returns(call: Callable[..., Any]) -> str:
    return str(inspect.signature(call).return_annotation)


NAMED = {name for head in OTHERS for name in _names(head)}


@pytest.mark.parametrize("call", OFFICIAL["positional"])
def test_call__takes_the_same_arguments_by_position(call: str, client: Client) -> None:
    if call in CALLS:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = inspect.signature(_reach(client, call)).parameters.values()
        taken = [one.name for one in parameters if one.kind in kinds]
        official = OFFICIAL["positional"][call]
        assert taken[: len(official)] == official or f"`{call}`" in OTHERS


CONSTRUCTORS: dict[str, Callable[[], set[str]]] = {
    "OpenAI": lambda: set(inspect.signature(Client).parameters),
    "AzureOpenAI": lambda: (
        {*inspect.signature(Client.azure).parameters} | NetworkOptions.__optional_keys__
    ),
    "with_options": lambda: (
        {*inspect.signature(Client.with_options).parameters} | ClientOptions.__optional_keys__
    ),
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_page__leaves_out_no_argument_of_a_constructor(name: str) -> None:
    row = OTHERS.get(f"`{name}`", "")
    taken = CONSTRUCTORS[name]() | NAMED | set(_names(row))
    assert [one for one in OFFICIAL["constructors"][name] if one not in taken] == []


def test_page__leaves_out_no_attribute_of_the_client(client: Client) -> None:
    left = [one for one in OFFICIAL["client"] if not hasattr(client, one)]
    assert [one for one in left if one not in NAMED] == []


OBJECTS: dict[str, tuple[type, str]] = {
    "raw response": (RawResponse, "`with_raw_response`, `with_streaming_response`"),
    "streaming response": (StreamingResponse, "`with_raw_response`, `with_streaming_response`"),
    "file content": (get_type_hints(Files.content)["return"], "`client.files.content`"),
    "list": (Pager, ""),
    "model": (FineTuningJob, ""),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_page__leaves_out_no_attribute_of_an_object(name: str) -> None:
    kind, row = OBJECTS[name]
    told = {re.sub(r"[.()]|\(.*", "", one) for one in _names(OTHERS.get(row, ""))}
    left = [one for one in OFFICIAL["objects"][name] if one not in told | NAMED]
    ours = [one for one in kind.__mro__ if one.__module__.startswith("finetune_client.")]
    set_by_constructor = re.findall(r"self\.(\w+)", "".join(map(inspect.getsource, ours)))
    assert [one for one in left if one not in {*dir(kind), *set_by_constructor}] == []


def test_page__leaves_out_no_error() -> None:
    left = [one for one in OFFICIAL["errors"] if not hasattr(finetune_client, one)]
    assert [one for one in left if one not in NAMED] == []


DIFFERENT: dict[str, Callable[[Client], bool]] = {
    (
        "`client.webhooks.create`, `client.webhooks.delete`, `client.webhooks.list`, "
        "`client.webhooks.retrieve`, `client.webhooks.rotate_secret`, `client.webhooks.test`, "
        "`client.webhooks.update`, `client.webhooks.event_types.list`"
    ): lambda client: (
        not {"create", "delete", "list", "retrieve", "test", "event_types"}
        & set(dir(client.webhooks))
    ),
    "`azure_endpoint`": lambda _: (
        next(iter(inspect.signature(Client.azure).parameters)) == "endpoint"
    ),
    "`azure_ad_token`, `azure_ad_token_provider`": lambda _: (
        "token" in inspect.signature(Client.azure).parameters
    ),
    "`azure_deployment`": lambda _: (
        "azure_deployment" not in inspect.signature(Client.azure).parameters
    ),
    "`workload_identity`, `data_residency`": lambda _: (
        not {"workload_identity", "data_residency"} & {*inspect.signature(Client).parameters}
    ),
    "`websocket_base_url`": lambda _: (
        "websocket_base_url" not in inspect.signature(Client).parameters
    ),
    "`provider`": lambda client: client.provider.name == "openai",
    "`set_default_headers`, `set_default_query`": lambda _: (
        not {"set_default_headers", "set_default_query"} & ClientOptions.__optional_keys__
    ),
    "`with_options`": lambda _: (
        not {"organization", "project", "base_url", "provider", "admin_key"}
        & ClientOptions.__optional_keys__
    ),
    "`copy`": lambda client: not hasattr(client, "copy"),
    "`get`, `post`, `put`, `patch`, `delete`": lambda client: (
        not any(hasattr(client, verb) for verb in ("get", "post", "put", "patch", "delete"))
    ),
    "`request`": lambda client: (
        [*inspect.signature(client.request).parameters][:3] == ["method", "path", "json"]
    ),
    (
        "`auth_headers`, `custom_auth`, `get_api_list`, `is_closed`, `platform_headers`, `qs`, "
        "`user_agent`"
    ): lambda client: not any(hasattr(client, one) for one in ("qs", "is_closed", "user_agent")),
    (
        "`client.api_key`, `client.admin_api_key`, `client.organization`, `client.project`, "
        "`client.webhook_secret`, `client.timeout`, `client.max_retries`"
    ): lambda client: (
        not any(
            hasattr(client, one)
            for one in (
                *("api_key", "admin_api_key", "organization", "project"),
                *("webhook_secret", "timeout", "max_retries"),
            )
        )
        and client.base_url == f"{client.base_url}"
    ),
    "`openai.api_key`, `openai.files`": lambda _: (
        not {"api_key", "files"} & set(dir(finetune_client))
    ),
    "`OPENAI_LOG`": lambda _: "finetune_client" in logging.Logger.manager.loggerDict,
    "`construct`, `model_construct`": lambda _: (
        not {"construct", "model_construct"} & set(dir(FineTuningJob))
    ),
    (
        "`OAuthError`, `ContentFilterFinishReasonError`, `LengthFinishReasonError`, "
        "`WebSocketConnectionClosedError`, `WebSocketQueueFullError`"
    ): _absent("OAuthError"),
    "`extra_body`": _extra_body_of_a_list_is_refused,
    "permissions of checkpoints": _permissions_are_sent_with_the_admin_key,
    "files without a name": _bytes_are_called_upload_jsonl,
    "files in parts": lambda client: (
        "md5" in inspect.signature(client.uploads.upload_file).parameters
    ),
    "plain http": _refuses_plain_http,
    "redirects": lambda _: issubclass(finetune_client.RedirectRefusedError, APIError),
    "`X-Stainless-Lang`": lambda client: not client._session.config.headers,
    "`with_raw_response`, `with_streaming_response`": lambda _: (
        not {"http_version", "retries_taken"} & {*dir(RawResponse), *dir(StreamingResponse)}
        and not inspect.signature(RawResponse.parse).parameters.keys() - {"self"}
    ),
    "`model_dump`, `model_dump_json`": lambda _: (
        FineTuningJob(id="x").model_dump(exclude_unset=True) == {"id": "x"}
        and FineTuningJob(id="x").model_dump()["seed"] is None
    ),
    "`dict(job)`": lambda _: (
        dict(FineTuningJob.from_dict({"id": "x", "method": {"type": "dpo"}}))["method"]["type"]
        == "dpo"
    ),
    "`to_dict`, `to_json`": lambda _: (
        not inspect.signature(FineTuningJob(id="x").to_dict).parameters
        and [*inspect.signature(FineTuningJob(id="x").to_json).parameters] == ["indent"]
    ),
    "`model_validate`": _lack("model_validate"),
    (
        "`dict`, `json`, `copy`, `model_copy`, `model_fields_set`, `model_json_schema` and what else "
        "objects have from pydantic"
    ): lambda _: (
        not any(hasattr(FineTuningJob(id="x"), one) for one in ("dict", "json", "model_copy"))
        and FineTuningJob.from_dict({"id": "x", "new": 1}).model_extra == {"new": 1}
    ),
    "`_request_id`": _lack("_request_id"),
    "`client.chat.completions.create`": lambda client: (
        "stream_options" not in inspect.signature(client.chat.completions.create).parameters
    ),
    (
        "`completion.usage.prompt_tokens_details`, `completion.choices[0].logprobs` and what else "
        "is deeper in an answer"
    ): lambda _: (
        models.Usage.from_dict({"prompt_tokens_details": {"a": 1}}).prompt_tokens_details
        == {"a": 1}
    ),
    "`client.files.content`": lambda client: (
        _returns(client.files.content) == "FileBytes"
        and not hasattr(FileBytes, "response")
        and not hasattr(FileBytes, "stream_to_file")
    ),
    "`client.webhooks.unwrap`": lambda client: (
        _returns(client.webhooks.unwrap) == "webhooks.WebhookEvent"
        and hasattr(WebhookEvent(), "job_id")
    ),
    "`client.files.wait_for_processing`": lambda client: (
        "file_id" in inspect.signature(client.files.wait_for_processing).parameters
    ),
    "`api_model_grader_token_usage_per_model`": lambda _: (
        not hasattr(GraderRun(), "api_model_grader_token_usage_per_model")
    ),
    "`(name, content, type, headers)`": _headers_of_a_part_are_refused,
    (
        "`api_model_grader_parse_error`, `api_model_grader_refusal_error`, "
        "`api_model_grader_server_error`, `api_model_grader_server_error_details`"
    ): lambda _: (
        GraderRunErrors.from_dict({"model_grader_parse_error": True}).model_grader_parse_error
        is True
    ),
    "`prompt_cache_breakpoint`": lambda _: (
        InputText(prompt_cache_breakpoint={"mode": "explicit"}).to_dict()
        == {"type": "input_text", "prompt_cache_breakpoint": {"mode": "explicit"}}
    ),
    "`has_next_page`": _lack("has_next_page"),
    "`get_next_page`": _lack("get_next_page"),
    "`iter_pages`": lambda _: not hasattr(Pager, "iter_pages") and hasattr(Pager, "pages"),
    "`next_page_info`": _lack("next_page_info"),
    "`openai.types`": lambda _: not hasattr(finetune_client, "types"),
    "`OpenAIError`": _absent("OpenAIError"),
    "`APIResponseValidationError`": _absent("APIResponseValidationError"),
    "`AzureOpenAI`": _absent("AzureOpenAI"),
    "`default_headers`": _renamed("default_headers", "headers"),
    "`default_query`": _renamed("default_query", "query"),
    "`admin_api_key`": _renamed("admin_api_key", "admin_key"),
    "`AsyncOpenAI`": _absent("AsyncOpenAI"),
    "`NOT_GIVEN`": lambda _: not hasattr(finetune_client, "NOT_GIVEN"),
    "`httpx.Timeout`": lambda client: client.with_options(timeout=(1, 2)) is not client,
    "`http_client`": lambda _: "http_client" not in inspect.signature(Client).parameters,
    "attributes of errors": lambda _: (
        not hasattr(APIStatusError("x", status_code=400), "response")
        and not hasattr(APIError("x"), "request")
    ),
    "missing attributes": lambda _: (
        (job := FineTuningJob.from_dict({"id": "x", "new": 1})).seed is None
        and job.extra == {"new": 1}
    ),
    "retries": lambda _: issubclass(
        finetune_client.JobMayExistError, finetune_client.FineTuneError
    ),
    "checks": _no_problem_names_are_sent,
}


def test_page__names_every_difference_that_is_looked_at() -> None:
    assert DIFFERENT.keys() == OTHERS.keys()


@pytest.mark.parametrize("difference", DIFFERENT)
def test_difference__is_as_the_page_says(difference: str, client: Client) -> None:
    assert DIFFERENT[difference](client)
