from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client.local import (
    GenerateRequest,
    GenerationError,
    LocalServer,
    Piece,
    ServerLimits,
    running,
)
from tests.support.gated_trainer import GatedTrainer
from tests.support.local_api import LocalApi, chat_lines, check_schema, jsonl, port_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    Connect = Callable[[LocalServer], LocalApi]

pytestmark = pytest.mark.usefixtures("impatient")
CHAT = "/chat/completions"
HI = [{"role": "user", "content": "Hi"}]
BODY: dict[str, Any] = {"model": "tiny", "messages": HI}
DONE = Piece(finish_reason="stop", prompt_tokens=4, completion_tokens=2)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def trainer() -> GatedTrainer:
    return GatedTrainer()


@pytest.fixture
def gated(connect: Connect, trainer: GatedTrainer) -> LocalApi:
    return connect(LocalServer(trainer=trainer))


def events(lines: Iterable[str]) -> list[Any]:
    """Read a stream of server-sent events, each of which must be one line of data."""
    blocks = "\n".join(lines).rstrip("\n").split("\n\n")
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    texts = [block.removeprefix("data: ") for block in blocks]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


def stream(api: LocalApi, **body: Any) -> list[Any]:
    answer = api.session.post(api.base + CHAT, json={**BODY, "stream": True, **body}, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    found = events(answer.text.split("\n"))
    for chunk in found:
        if chunk != "[DONE]" and "error" not in chunk:
            check_schema("CreateChatCompletionStreamResponse", chunk)
    return found


def test_chat__a_tuned_model_answers_and_its_tokens_are_counted(api: LocalApi) -> None:
    train = api.upload(jsonl(chat_lines(10)))
    tuned = api.trained(training_file=train)["fine_tuned_model"]
    body = {"model": tuned, "messages": HI, "max_tokens": 20, "seed": 7, "n": 2}
    found = api.ok("POST", CHAT, json=body)
    assert found["id"].startswith("chatcmpl-")
    assert (found["object"], found["model"]) == ("chat.completion", tuned)
    first, second = found["choices"]
    assert (first["index"], second["index"]) == (0, 1)
    assert set(first["message"]) == {"role", "content", "refusal"}
    assert first["message"]["content"]
    assert first["finish_reason"] in {"stop", "length"}
    usage = found["usage"]
    assert usage["prompt_tokens"] == 3
    assert 0 < usage["completion_tokens"] <= 40
    assert usage["total_tokens"] == 3 + usage["completion_tokens"]
    assert api.ok("POST", CHAT, json=body)["choices"] == found["choices"]


def test_chat__base_models_answer_too(api: LocalApi) -> None:
    found = api.ok("POST", CHAT, json={**BODY, "max_tokens": 5})
    assert (found["model"], found["usage"]["completion_tokens"]) == ("tiny", 5)


def test_chat__passes_on_what_was_asked_for(gated: LocalApi, trainer: GatedTrainer) -> None:
    trainer.pieces = [DONE]
    gated.ok("POST", CHAT, json={**BODY, "temperature": 0, "stop": "x"})
    asked = GenerateRequest(messages=HI, tools=[], temperature=0, stop=["x"])
    assert trainer.asked == [("tiny", None, asked)]


def test_chat__the_directory_of_a_tuned_model_and_what_its_base_is_trained_as(
    connect: Connect, trainer: GatedTrainer, tmp_path: Path
) -> None:
    trainer.let(100)
    trainer.pieces = [DONE]
    api = connect(LocalServer(tmp_path, trainer, any_model=True))
    name = api.trained(model="gpt", training_file=api.upload(jsonl(chat_lines(10))))
    for model in (name["fine_tuned_model"], "gpt"):
        assert api.ok("POST", CHAT, json={**BODY, "model": model})["model"] == model
    (base, directory, _), (other, nothing, _) = trainer.asked
    assert (base, other, nothing) == ("tiny", "tiny", None)
    assert directory is not None
    assert (directory / "step").read_text(encoding="utf-8") == "6"


def test_chat__several_answers_whose_pieces_alternate(
    gated: LocalApi, trainer: GatedTrainer
) -> None:
    call = {"name": "f", "arguments": '{"x": 1}'}
    trainer.pieces = [
        Piece(index=1, text="o"),
        Piece(index=0, text="He"),
        Piece(index=1, text="k", finish_reason="length", prompt_tokens=4, completion_tokens=2),
        Piece(
            index=0,
            tool_calls=[call, call],
            finish_reason="tool_calls",
            prompt_tokens=4,
            completion_tokens=9,
        ),
    ]
    found = gated.ok("POST", CHAT, json={**BODY, "n": 2})
    first, second = found["choices"]
    assert (first["message"]["content"], first["finish_reason"]) == ("He", "tool_calls")
    assert [one["function"] for one in first["message"]["tool_calls"]] == [call, call]
    assert (second["message"]["content"], second["finish_reason"]) == ("ok", "length")
    assert "tool_calls" not in second["message"]
    assert found["usage"] == {"prompt_tokens": 4, "completion_tokens": 11, "total_tokens": 15}

    chunks = stream(gated, n=2)
    assert chunks.pop() == "[DONE]"
    choices = [chunk["choices"][0] for chunk in chunks]
    assert [(one["index"], one["finish_reason"]) for one in choices] == [
        *((1, None), (1, None), (0, None), (0, None), (1, None), (1, "length")),
        *((0, None), (0, None), (0, "tool_calls")),
    ]
    role = {"role": "assistant", "content": "", "refusal": None}
    deltas = [one["delta"] for one in choices]
    assert deltas[:6] == [role, {"content": "o"}, role, {"content": "He"}, {"content": "k"}, {}]
    calls = [delta["tool_calls"][0] for delta in deltas[6:8]]
    assert [(one["index"], one["type"], one["function"]) for one in calls] == [
        (0, "function", call),
        (1, "function", call),
    ]
    assert all(one["id"].startswith("call_") for one in calls)


def test_chat__an_answer_of_calls_alone_has_no_content(
    gated: LocalApi, trainer: GatedTrainer
) -> None:
    trainer.pieces = [
        Piece(tool_calls=[{"name": "f", "arguments": "{}"}], finish_reason="tool_calls")
    ]
    assert gated.ok("POST", CHAT, json=BODY)["choices"][0]["message"]["content"] is None


def test_stream__is_the_same_answer_in_pieces(api: LocalApi) -> None:
    body = {"max_tokens": 20, "seed": 1}
    whole = api.ok("POST", CHAT, json={**BODY, **body})
    chunks = stream(api, **body)
    assert chunks.pop() == "[DONE]"
    assert {(one["object"], one["model"]) for one in chunks} == {("chat.completion.chunk", "tiny")}
    assert len({one["id"] for one in chunks}) == 1
    assert all("usage" not in one for one in chunks)
    deltas = [one["choices"][0]["delta"] for one in chunks]
    text = "".join(delta.get("content", "") for delta in deltas)
    assert text == whole["choices"][0]["message"]["content"]


def test_stream__ends_with_the_usage_if_asked(gated: LocalApi, trainer: GatedTrainer) -> None:
    trainer.pieces = [Piece(text="Ok."), DONE]
    chunks = stream(gated, stream_options={"include_usage": True})
    assert [chunk["usage"] for chunk in chunks[:-2]] == [None] * 3
    assert (chunks[-2]["choices"], chunks[-2]["usage"]) == (
        [],
        {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
    )


def test_stream__a_piece_is_sent_as_soon_as_it_is_there(trainer: GatedTrainer) -> None:
    gate = threading.Event()
    trainer.pieces = [Piece(text="first"), lambda: gate.wait(10), Piece(text="second"), DONE]
    with LocalServer(trainer=trainer) as server, running(server) as base:
        answer = requests.post(
            base + CHAT,
            json={**BODY, "stream": True},
            headers={"api-key": "x"},
            stream=True,
            timeout=10,
        )
        lines: Any = answer.iter_lines(decode_unicode=True)
        read = [next(lines) for _ in range(4)]
        assert not gate.is_set()
        assert json.loads(read[2].removeprefix("data: "))["choices"][0]["delta"] == {
            "content": "first"
        }
        gate.set()
        assert list(lines)[-2] == "data: [DONE]"


def test_stream__in_process_too(gated: LocalApi, trainer: GatedTrainer) -> None:
    reached: list[str] = []
    trainer.pieces = [Piece(text="first"), lambda: reached.append("second"), DONE]
    answer = gated.session.post(
        gated.base + CHAT, json={**BODY, "stream": True}, stream=True, timeout=10
    )
    lines: Any = answer.iter_lines(chunk_size=1, decode_unicode=True)
    assert "first" in [next(lines) for _ in range(3)][-1]
    assert reached == []
    assert list(lines)[-2] == "data: [DONE]"
    assert reached == ["second"]


ERRORS = [
    (
        GenerationError("Too long.", code="context_length_exceeded", param="messages"),
        400,
        {
            "message": "Too long.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        },
    ),
    (
        GenerationError("No memory.", code="out_of_memory"),
        500,
        {"message": "No memory.", "type": "server_error", "param": None, "code": "out_of_memory"},
    ),
    (
        ValueError("a secret"),
        500,
        {
            "message": "The server had an error while processing your request.",
            "type": "server_error",
            "param": None,
            "code": None,
        },
    ),
    (
        lambda: None,
        503,
        {
            "message": "The answer ended before it was whole; the server may be closing.",
            "type": "server_error",
            "param": None,
            "code": None,
        },
    ),
]


@pytest.mark.parametrize(("failure", "status", "error"), ERRORS)
def test_errors__are_answers_until_the_first_piece_and_events_after_it(
    gated: LocalApi, trainer: GatedTrainer, failure: Any, status: int, error: dict[str, Any]
) -> None:
    trainer.pieces = [failure]
    for is_streamed in (False, True):
        body = {**BODY, "stream": is_streamed}
        assert gated.refused("POST", CHAT, json=body) == (status, error)
    trainer.pieces = [Piece(text="Well"), failure]
    assert gated.refused("POST", CHAT, json=BODY) == (status, error)
    assert stream(gated)[-1] == {"error": error}
    assert [trainer.next() for _ in range(4)] == ["answered"] * 4


def test_errors__of_the_model(api: LocalApi) -> None:
    def error(model: str) -> tuple[int, Any, Any]:
        status, found = api.refused("POST", CHAT, json={**BODY, "model": model})
        return status, found["code"], found["message"]

    assert error("gpt-4o") == (
        404,
        "model_not_found",
        "The model 'gpt-4o' does not exist. Base models that this server has: tiny.",
    )
    assert error("ft:tiny:local::no") == (
        404,
        "model_not_found",
        "The model 'ft:tiny:local::no' does not exist",
    )
    assert api.refused("POST", CHAT, json={"messages": HI})[1]["param"] == "model"


def test_errors__of_a_model_whose_base_the_server_has_not(connect: Connect, tmp_path: Path) -> None:
    trainer = GatedTrainer(1, "llama")
    trainer.let(1)
    server = LocalServer(tmp_path, trainer)
    api = connect(server)
    body = {"model": "llama", "training_file": api.upload(jsonl(chat_lines(10)))}
    name = api.trained(**body)["fine_tuned_model"]
    server.close()
    api = connect(LocalServer(tmp_path))
    status, error = api.refused("POST", CHAT, json={**BODY, "model": name})
    assert (status, error["code"]) == (404, "model_not_found")
    assert error["message"] == (
        f"The model '{name}' was made from 'llama', which is missing here. Base models that this "
        "server has: tiny."
    )


def test_limit__one_request_too_many_is_told_when_to_come_again(
    connect: Connect, trainer: GatedTrainer
) -> None:
    clock, gate = Clock(), threading.Event()
    limits = ServerLimits(chat_requests=1)
    api = connect(LocalServer(trainer=trainer, limits=limits, clock=clock))

    def ask(**body: Any) -> requests.Response:
        return api.session.post(api.base + CHAT, json={**BODY, **body}, timeout=10)

    trainer.pieces = [lambda: trainer.told.put("asked"), lambda: gate.wait(10), DONE]
    waits = []
    for seconds in (0.0, 7.2, 1000.0):
        busy = threading.Thread(target=ask)
        busy.start()
        assert trainer.next() == "asked"
        refused = ask()
        assert refused.status_code == 429
        waits.append(refused.headers["Retry-After"])
        assert refused.json()["error"] == {
            "message": "This server answers at most 1 chat completions at once, with those that "
            "wait for a model. Try again in a moment.",
            "type": "requests",
            "param": None,
            "code": "rate_limit_exceeded",
        }
        clock.now += seconds
        gate.set()
        busy.join()
        assert trainer.next() == "answered"
        gate.clear()
    gate.set()
    assert waits == ["1", "1", "8"]
    assert ask().status_code == 200
    assert ask(stream=True).status_code == 200
    assert ask(model="no").status_code == 404
    assert ask().status_code == 200


def test_limit__a_stream_that_nobody_read_counts_no_more(
    connect: Connect, trainer: GatedTrainer
) -> None:
    trainer.pieces = [Piece(text="Well"), DONE]
    api = connect(LocalServer(trainer=trainer, limits=ServerLimits(chat_requests=1)))
    for _ in range(2):
        answer = api.session.post(
            api.base + CHAT, json={**BODY, "stream": True}, stream=True, timeout=10
        )
        assert answer.status_code == 200
        answer.close()
        assert trainer.next() == "answered"


@pytest.mark.parametrize("is_streamed", [False, True])
def test_client__that_has_gone_ends_the_generation(
    trainer: GatedTrainer, *, is_streamed: bool
) -> None:
    gate = threading.Event()
    trainer.pieces = [
        Piece(text="first"),
        lambda: trainer.told.put("asked"),
        lambda: gate.wait(10),
        *[Piece(text="more")] * 1000,
        lambda: trainer.told.put("not stopped"),
    ]
    body = json.dumps({**BODY, "stream": is_streamed}).encode()
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\napi-key: x\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    with LocalServer(trainer=trainer) as server, running(server) as base:
        sock = socket.create_connection(("127.0.0.1", port_of(base)))
        sock.sendall(head % len(body) + body)
        assert trainer.next() == "asked"
        sock.close()
        gate.set()
        assert trainer.next() == "answered"


def test_port__answers_other_requests_while_as_many_as_may_wait_for_a_model(
    trainer: GatedTrainer,
) -> None:
    gate = threading.Event()
    trainer.pieces = [lambda: trainer.told.put("asked"), lambda: gate.wait(10), DONE]
    headers = {"api-key": "x"}
    with LocalServer(trainer=trainer) as server, running(server) as base:
        asking = [
            threading.Thread(
                target=requests.post,
                args=(base + CHAT,),
                kwargs={"json": BODY, "headers": headers, "timeout": 10},
            )
            for _ in range(server.limits.chat_requests)
        ]
        for thread in asking:
            thread.start()
        assert [trainer.next() for _ in asking] == ["asked"] * len(asking)
        assert requests.get(f"{base}/models", headers=headers, timeout=10).status_code == 200
        gate.set()
        for thread in asking:
            thread.join()
