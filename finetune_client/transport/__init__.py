"""Bytes over HTTP: never pays twice, never hangs, never leaks the key. Knows no model."""

from finetune_client.transport.config import Config, changed
from finetune_client.transport.connections.sender import BorrowedWire, OwnWire, Wire
from finetune_client.transport.credentials import Credential, Key
from finetune_client.transport.hooks import OnResponse, ResponseInfo
from finetune_client.transport.origin import BaseURL, parse_base_url
from finetune_client.transport.paths import checked_path, query_pairs, segment
from finetune_client.transport.request import (
    NO_JSON,
    Body,
    Repeat,
    Reply,
    Request,
    StreamedReply,
    Timeout,
)
from finetune_client.transport.retry import RetryPolicy
from finetune_client.transport.secret import Secret
from finetune_client.transport.session import Session

__all__ = [
    "NO_JSON",
    "BaseURL",
    "Body",
    "BorrowedWire",
    "Config",
    "Credential",
    "Key",
    "OnResponse",
    "OwnWire",
    "Repeat",
    "Reply",
    "Request",
    "ResponseInfo",
    "RetryPolicy",
    "Secret",
    "Session",
    "StreamedReply",
    "Timeout",
    "Wire",
    "changed",
    "checked_path",
    "parse_base_url",
    "query_pairs",
    "segment",
]
