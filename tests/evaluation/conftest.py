"""A service of chat completions whose tuned model knows the answers, on a port of this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAPITALS = {
    "France": "Paris",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Peru": "Lima",
    "Chad": "N'Djamena",
}


class Service(ThreadingHTTPServer):
    """Answers ``base`` with a wrong town for two of five countries, and ``tuned`` rightly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.fail: dict[str, int] = {}
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        service: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        country = body["messages"][-1]["content"].removeprefix("The capital of ").rstrip("?")
        with service.lock:
            service.asked.append(body)
        status = service.fail.get(country) or service.fail.get(body["model"]) or 200
        if status == 200:
            town = CAPITALS[country]
            if body["model"] == "base" and country in {"Peru", "Chad"}:
                town = "I am not sure, perhaps Timbuktu"
            answer: dict[str, Any] = {
                "id": "chatcmpl-1",
                "model": body["model"],
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": town},
                        "finish_reason": "length" if len(town) > 20 else "stop",
                    }
                ],
                "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            }
        else:
            answer = {"error": {"message": f"no {country}", "code": None}}
        written = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def url(service: Service) -> str:
    return f"http://127.0.0.1:{service.server_address[1]}/v1"


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client("sk-made-up", base_url=url, provider="compatible", max_retries=0) as made:
        yield made


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "valid.jsonl"
    lines = [
        {
            "messages": [
                {"role": "system", "content": "Answer with one word."},
                {"role": "user", "content": f"The capital of {country}?"},
                {"role": "assistant", "content": town, "weight": 1},
            ]
        }
        for country, town in CAPITALS.items()
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
