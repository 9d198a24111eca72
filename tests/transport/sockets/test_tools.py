"""What users put around requests (mocks, recorders, tracers, caches) meets the client's requests too.

vcrpy, which needs a newer Python, has a module of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
import requests
import requests_mock
import responses
from responses import matchers

from finetune_client import Client
from finetune_client.errors import ConfigurationError
from finetune_client.providers import OPENAI
from tests.support.fault_server import fault
from tests.support.faults.clients import KEY, connect, failure, sleepless
from tests.support.faults.operations import OPERATIONS, create

if TYPE_CHECKING:
    from tests.support.fault_server import FaultServer

JOB = {"id": "ftjob-7", "object": "fine_tuning.job", "status": "queued"}
FILE = {"id": "file-7", "object": "file", "bytes": 4}
ASKED = {"model": "gpt-4o-mini", "training_file": "file-abc"}


def _tool(name: str) -> Any:
    """Import a tool that need not be installed."""
    pytest.importorskip(name.partition(".")[0])
    try:
        return import_module(name)
    except ImportError:
        pytest.skip(f"{name} is not installed")


def _borrowed(
    request: pytest.FixtureRequest, session: requests.Session | None = None
) -> requests.Session:
    """A caller's session, which the client leaves open: it is closed after the test."""
    session = requests.Session() if session is None else session
    request.addfinalizer(session.close)
    return session


def test_requests_mock__catches_reads_and_creates(server: FaultServer, client: Client) -> None:
    with requests_mock.Mocker() as mock:
        mock.get(f"{server.url}/fine_tuning/jobs/ftjob-7", json=JOB)
        mock.post(f"{server.url}/fine_tuning/jobs", json=JOB)
        mock.get(f"{server.url}/files/file-7/content", content=b"a,b\n")
        assert client.jobs.retrieve("ftjob-7").status == "queued"
        assert create(client).id == "ftjob-7"
        assert mock.last_request.headers["Authorization"] == f"Bearer {KEY}"
        assert mock.last_request.json()["model"] == "gpt-4o-mini"
        assert client.files.content("file-7") == b"a,b\n"
        assert [each.method for each in mock.request_history] == ["GET", "POST", "GET"]
    assert not server.seen
    assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
    assert len(server.seen) == 1


def test_requests_mock__lets_nothing_unknown_out(server: FaultServer, client: Client) -> None:
    with requests_mock.Mocker():
        error = failure(lambda: create(client), ConfigurationError)
    assert error.message == (
        "POST /fine_tuning/jobs met a fake of the network that has no answer for it, and nothing "
        f"was sent. The fake says: No mock address: POST {server.url}/fine_tuning/jobs"
    )
    assert not server.seen


def test_patch__of_send_is_seen(server: FaultServer, client: Client) -> None:
    real = requests.Session.send
    with patch("requests.Session.send", autospec=True, side_effect=real) as send:
        assert create(client).id
        assert client.jobs.retrieve("ftjob-7").id == "ftjob-7"
    methods = [call.args[1].method for call in send.call_args_list]
    assert methods == ["POST", "GET"]


@pytest.mark.parametrize("own", [True, False], ids=["ours", "borrowed"])
def test_responses__matches_json_and_forms(
    server: FaultServer, own: bool, request: pytest.FixtureRequest
) -> None:
    session = None if own else _borrowed(request)
    form = matchers.multipart_matcher(
        {"file": ("a.jsonl", b"abcd", "application/octet-stream")}, {"purpose": "fine-tune"}
    )
    body = matchers.json_params_matcher(ASKED, strict_match=False)
    with responses.RequestsMock() as mock, connect(server, session=session) as client:
        mock.post(f"{server.url}/fine_tuning/jobs", json=JOB, match=[body])
        mock.post(f"{server.url}/files", json=FILE, match=[form])
        assert create(client).id == "ftjob-7"
        assert client.files.create(file=("a.jsonl", b"abcd")).id == "file-7"
        other = failure(lambda: client.files.create(file=("a.jsonl", b"efgh")), ConfigurationError)
    assert "Request body differs" in other.message
    assert not server.seen


def test_responses__matches_json_exactly_without_our_pair(server: FaultServer) -> None:
    body = matchers.json_params_matcher(ASKED)
    unmarked = dataclasses.replace(OPENAI, marks_jobs=False)
    with responses.RequestsMock() as mock, connect(server, provider=unmarked) as client:
        mock.post(f"{server.url}/fine_tuning/jobs", json=JOB, match=[body])
        assert create(client).id == "ftjob-7"
    with responses.RequestsMock() as mock, connect(server) as client:
        pair = {"metadata": {"idempotency_key": "night-1"}}
        mock.get(f"{server.url}/fine_tuning/jobs", json={"data": [], "has_more": False})
        mock.post(
            f"{server.url}/fine_tuning/jobs",
            json=JOB,
            match=[matchers.json_params_matcher({**ASKED, **pair})],
        )
        assert create(client, idempotency_key="night-1").id == "ftjob-7"


def test_httpserver__is_a_server_like_any_other() -> None:
    with _tool("pytest_httpserver").HTTPServer() as server:
        server.expect_request(
            "/v1/fine_tuning/jobs", method="POST", headers={"Authorization": f"Bearer {KEY}"}
        ).respond_with_json(JOB)
        server.expect_request("/v1/files/file-7/content").respond_with_data(b"a,b\n")
        with Client(KEY, base_url=server.url_for("/v1"), max_retries=0) as client:
            assert create(client).id == "ftjob-7"
            assert client.files.content("file-7") == b"a,b\n"
        server.check()
        request, _ = server.log[0]
        assert json.loads(request.get_data())["model"] == "gpt-4o-mini"


@pytest.mark.parametrize("operation", ["retrieve a job", "create a job", "upload a file"])
def test_betamax__records_and_plays_back(
    server: FaultServer, tmp_path: Path, operation: str, request: pytest.FixtureRequest
) -> None:
    betamax = _tool("betamax")
    call, results = OPERATIONS[operation], []
    for mode in ("once", "none"):
        session = _borrowed(request)
        recorder = betamax.Betamax(session, cassette_library_dir=str(tmp_path))
        recorder.config.define_cassette_placeholder("<KEY>", KEY)
        with (
            recorder.use_cassette("tape", record=mode),
            connect(server, session=session) as client,
        ):
            results.append(call(client))
    assert results[0] == results[1]
    assert len(server.seen) == 1
    tape = (tmp_path / "tape.json").read_text()
    assert "Bearer <KEY>" in tape
    assert KEY not in tape


def test_betamax__says_what_is_not_on_the_tape(
    server: FaultServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    betamax = _tool("betamax")
    session = _borrowed(request)
    recorder = betamax.Betamax(session, cassette_library_dir=str(tmp_path))
    (tmp_path / "tape.json").write_text('{"http_interactions": [], "recorded_with": "betamax/0"}')
    with recorder.use_cassette("tape", record="none"), connect(server, session=session) as client:
        error = failure(lambda: create(client), ConfigurationError)
    assert "A request was made that could not be handled" in error.message
    assert KEY not in error.message
    assert not server.seen


@pytest.mark.parametrize(
    ("module", "instrumentor"),
    [
        ("opentelemetry.instrumentation.requests", "RequestsInstrumentor"),
        ("opentelemetry.instrumentation.urllib3", "URLLib3Instrumentor"),
    ],
)
def test_opentelemetry__sees_each_attempt(
    module: str, instrumentor: str, server: FaultServer
) -> None:
    trace = _tool("opentelemetry.sdk.trace")
    export = _tool("opentelemetry.sdk.trace.export")
    memory = _tool("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    spans, provider = memory.InMemorySpanExporter(), trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(spans))
    tracer = getattr(_tool(module), instrumentor)()
    server.script(fault("answer", status=500))
    with connect(server) as client:
        sleepless(client)
        tracer.instrument(tracer_provider=provider, skip_dep_check=True)
        try:
            client.jobs.retrieve("ftjob-7")
            OPERATIONS["upload a file"](client)
        finally:
            tracer.uninstrument()
    finished = spans.get_finished_spans()
    assert [span.name.partition(" ")[0] for span in finished] == ["GET", "GET", "POST"]
    assert all(seen.header("traceparent") for seen in server.seen)
    assert KEY not in repr([dict(span.attributes) for span in finished])


def test_signer__sees_the_bytes_that_are_sent(
    server: FaultServer, request: pytest.FixtureRequest
) -> None:
    class Signer(requests.auth.AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            body: Any = request.body
            data = body if isinstance(body, bytes) else body.read()
            request.headers["X-Signature"] = hashlib.sha256(data).hexdigest()
            return request

    session = _borrowed(request)
    session.auth = Signer()
    with connect(server, api_key=False, session=session) as client:
        create(client)
        OPERATIONS["upload a file"](client)
    for seen in server.seen:
        assert seen.complete
        assert seen.header("x-signature") == hashlib.sha256(seen.body).hexdigest()


def _cached(kind: str) -> requests.Session:
    session: requests.Session
    if kind == "CacheControl":
        module = _tool("cachecontrol")
        heuristics = _tool("cachecontrol.heuristics")
        session = module.CacheControl(requests.Session(), heuristic=heuristics.ExpiresAfter(days=1))
        return session
    module = _tool("requests_cache")
    session = module.CachedSession(backend="memory", allowable_methods=["GET", "POST"])
    return session


@pytest.mark.parametrize("kind", ["requests-cache", "CacheControl"])
def test_cache__does_not_keep_a_wait_from_ending(
    kind: str, server: FaultServer, request: pytest.FixtureRequest
) -> None:
    done = {**JOB, "status": "succeeded", "fine_tuned_model": "ft:m"}
    session = _borrowed(request, _cached(kind))
    with connect(server, session=session) as client:
        naps = sleepless(client, lambda: server.api.jobs.append(done))
        assert client.jobs.wait("ftjob-7", timeout=60).fine_tuned_model == "ft:m"
        assert len(naps) == 1
        assert create(client).id != create(client).id


def test_cache__installed_for_all_sessions(
    server: FaultServer, request: pytest.FixtureRequest
) -> None:
    module = _tool("requests_cache")
    before = _borrowed(request)
    module.install_cache(backend="memory")
    try:
        for session in (None, before, _borrowed(request)):
            with connect(server, session=session) as client:
                assert client.jobs.retrieve("ftjob-7").status == "running"
                client.jobs.retrieve("ftjob-7")
    finally:
        module.uninstall_cache()
    assert len(server.seen) == 6


def test_page__names_the_test_of_each_tool() -> None:
    here = Path(__file__)
    page = (here.parents[3] / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = page.split("## Mocks, recorders, tracers\n")[1].split("\n- ")[0]
    named = [re.findall(r"`(test_\w+)`", line) for line in table.splitlines() if line[:2] == "| "]
    code = "".join(
        (here.parent / name).read_text(encoding="utf-8") for name in (here.name, "test_vcr.py")
    )
    defined = set(re.findall(r"^def (test_\w+)", code, re.MULTILINE))
    assert len(named) > 10
    assert all(tests and defined.issuperset(tests) for tests in named[2:])
