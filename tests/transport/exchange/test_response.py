from __future__ import annotations

from finetune_client.transport.exchange.response import request_id


def test_request_id__openai_then_azure() -> None:
    assert request_id({"x-request-id": "req_1", "apim-request-id": "a"}) == "req_1"
    assert request_id({"apim-request-id": "a"}) == "a"
    assert request_id({}) is None
    assert request_id({"x-request-id": "a\r\n b"}) == "a b"
