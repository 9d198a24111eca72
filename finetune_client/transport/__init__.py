"""Bytes over HTTP: never pays twice, never hangs, never leaks the key. Knows no model."""

from finetune_client.transport.config import Config, with_changes
from finetune_client.transport.connections.sender import HTTPSession, Sender
from finetune_client.transport.credentials import Credential, Key, Secret
from finetune_client.transport.exchange.response import StreamedResponse
from finetune_client.transport.hooks import OnResponse, ResponseInfo
from finetune_client.transport.origin import BaseURL, parse_base_url
from finetune_client.transport.paths import check_path, merge_query, path_segment, query_pairs
from finetune_client.transport.request import (
    NO_JSON,
    APIResponse,
    Body,
    Request,
    Timeout,
)
from finetune_client.transport.retry import RetryPolicy
from finetune_client.transport.session import Session

__all__ = [
    "NO_JSON",
    "APIResponse",
    "BaseURL",
    "Body",
    "Config",
    "Credential",
    "HTTPSession",
    "Key",
    "OnResponse",
    "Request",
    "ResponseInfo",
    "RetryPolicy",
    "Secret",
    "Sender",
    "Session",
    "StreamedResponse",
    "Timeout",
    "check_path",
    "merge_query",
    "parse_base_url",
    "path_segment",
    "query_pairs",
    "with_changes",
]
