"""Chat completions in front of a `LocalServer`, which multiply, whatever the model."""

from __future__ import annotations

import json
import threading
from http.client import responses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune_client.local import LocalServer

__all__ = ["add_chat"]


def add_chat(server: LocalServer) -> list[dict[str, Any]]:
    """Let a server answer ``POST /v1/chat/completions``; return the list of what it is asked.

    A model with ``gone`` in its name is not there, one with ``refused`` refuses the key. ``What is 13 times 13?`` is answered only half, and
    nothing is said to ``What is 14 times 14?``; ``What is 15 times 15?`` fails.
    """
    app = server.app
    asked: list[dict[str, Any]] = []
    lock = threading.Lock()

    def answer(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "gone" in body["model"]:
            message = f"The model `{body['model']}` does not exist or has been shut down."
            return 404, {"error": {"message": message, "code": "model_not_found"}}
        if "refused" in body["model"]:
            return 401, {"error": {"message": "Incorrect API key.", "code": "invalid_api_key"}}
        number = int(body["messages"][-1]["content"].split()[2])
        if number == 15:
            return 400, {"error": {"message": "That is too much.", "code": None}}
        text = "" if number == 14 else f"{number} times {number} is {number * number}."
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "length" if number == 13 else "stop",
        }
        return 200, {"id": "chatcmpl-1", "model": body["model"], "choices": [choice]}

    def chatting(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/v1/chat/completions":
            return app(environ, start_response)
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        with lock:
            asked.append(body)
        status, sent = answer(body)
        content = json.dumps(sent).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        start_response(f"{status} {responses[status]}", headers)
        return [content]

    server.app = chatting
    return asked
