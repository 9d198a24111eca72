"""Where a client's settings come from: what it is given, then the environment, then defaults."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any, Final

from finetune_client.errors import ConfigurationError
from finetune_client.providers import (
    AZURE,
    AZURE_CLASSIC,
    OPENAI,
    Provider,
    find_provider,
    guess_provider,
)
from finetune_client.transport.config import Config, check_query
from finetune_client.transport.credentials import (
    Credential,
    check_headers,
    find_admin_credential,
    find_azure_credential,
    find_credential,
)
from finetune_client.transport.origin import parse_base_url
from finetune_client.transport.paths import merge_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.transport.credentials import Environ, Key

__all__ = ["azure_settings", "environment", "settings"]

_log = logging.getLogger("finetune_client")

_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?"  # compiled when a client for Azure is made
_VERSION: Final = r"[A-Za-z0-9.-]{1,40}"
_AZURE_PATH: Final = r"(/openai)?(/v1)?(/deployments/[^/]*)?"


def environment(name: str) -> str | None:
    """Return the value of an environment variable."""
    return os.environ.get(name)


def settings(
    *,
    environ: Environ,
    api_key: Key = None,
    admin_key: Key = None,
    base_url: str | None = None,
    provider: str | Provider | None = None,
    organization: str | None = None,
    project: str | None = None,
    query: Mapping[str, Any] | None = None,
    allow_http: bool = False,
) -> Config:
    """Return the settings of a client.

    Raises:
        ConfigurationError: One is missing or not valid.
    """
    environ = _without_empty(environ)
    kind = None if provider is None else find_provider(provider)
    url = None if base_url is not None else _environment_base_url(kind, environ)
    if url is not None:
        base = parse_base_url(url, allow_http=allow_http, name="OPENAI_BASE_URL")
    else:
        base = parse_base_url(_default_base_url(kind, base_url), allow_http=allow_http)
    kind = kind or guess_provider(base.host, base.url)
    openai = "OPENAI_API_KEY" in kind.environment
    config = Config(
        base_url=base,
        provider=kind,
        credential=find_credential(kind, api_key, environ, beside_url=url is not None),
        admin_credential=find_admin_credential(kind, admin_key, environ),
        headers=_account_headers(
            organization or (environ("OPENAI_ORG_ID") if openai else None),
            project or (environ("OPENAI_PROJECT_ID") if openai else None),
        ),
        query=_query(kind, check_query(query), environ),
        allow_http=allow_http,
    )
    _warn_of_plain_http(config)
    return config


def azure_settings(
    endpoint: str | None,
    *,
    environ: Environ,
    api_key: Key = None,
    token: Key = None,
    api_version: str | None = None,
    provider: str | Provider | None = None,
    allow_http: bool = False,
) -> Config:
    """Return the settings of a client for Azure.

    A date as ``api_version`` means the classic API, anything else (or nothing) the v1 API; a
    ``provider`` changes what is known of the API, not which of the two is used.

    Raises:
        ConfigurationError: One is missing or not valid, or both a key and a token were given.
    """
    environ = _without_empty(environ)
    endpoint = endpoint or environ("AZURE_OPENAI_ENDPOINT")
    if endpoint is None:
        raise ConfigurationError(
            "No Azure endpoint: give it, as 'https://RESOURCE.openai.azure.com', or set the "
            "environment variable AZURE_OPENAI_ENDPOINT."
        )
    version = api_version or environ("OPENAI_API_VERSION")
    if version is not None and not re.fullmatch(_VERSION, version):
        raise ConfigurationError(f"api_version is not one, such as '2024-10-21': {version!r:.100}.")
    classic = version is not None and re.fullmatch(_DATE, version) is not None
    default = AZURE_CLASSIC if classic else AZURE
    kind = default if provider is None else find_provider(provider)
    config = Config(
        base_url=parse_base_url(
            _azure_base_url(endpoint, classic=classic, allow_http=allow_http),
            allow_http=allow_http,
        ),
        provider=kind,
        credential=find_azure_credential(kind, api_key, token, environ),
        admin_credential=Credential.of(None, header="Authorization", name="admin_key"),
        query=(("api-version", version),) if version else (),
        allow_http=allow_http,
    )
    _warn_of_plain_http(config)
    return config


def _warn_of_plain_http(config: Config) -> None:
    base = config.base_url
    has_key = config.credential.source is not None or config.admin_credential.source is not None
    if base.scheme == "http" and has_key and not (base.is_loopback or config.allow_http):
        _log.warning(
            "The key goes to %s over plain http, where whoever sees that network can read it; use "
            "https, or pass allow_http=True (--allow-http) if that network is trusted",
            base.netloc,
        )


def _environment_base_url(kind: Provider | None, environ: Environ) -> str | None:
    if kind is None or "OPENAI_API_KEY" in kind.environment:
        return environ("OPENAI_BASE_URL")
    return None


def _default_base_url(kind: Provider | None, base_url: str | None) -> str | None:
    url = base_url if base_url is not None else (kind or OPENAI).base_url
    if url is None and kind is not None:
        ways = {"azure": "use Client.azure(endpoint)", "local": "use Client.local()"}
        way = ways.get(kind.name.partition("-")[0], "give base_url=")
        raise ConfigurationError(
            f"The provider {kind.name!r} is not in one place that is known: {way}."
        )
    return url


def _without_empty(environ: Environ) -> Environ:
    """Return what reads variables as ``environ`` does, and counts an empty one as unset."""
    return lambda name: (environ(name) or "").strip() or None


def _account_headers(organization: str | None, project: str | None) -> dict[str, str]:
    given = {"OpenAI-Organization": organization, "OpenAI-Project": project}
    return check_headers(
        {name: value for name, value in given.items() if value is not None},
        "organization or project",
    )


def _query(
    kind: Provider, pairs: list[tuple[str, str]], environ: Environ
) -> tuple[tuple[str, str], ...]:
    query = merge_query(kind.query.items(), pairs)
    if kind.name != AZURE_CLASSIC.name or any(key == "api-version" for key, _ in query):
        return query
    version = environ("OPENAI_API_VERSION")
    if version is None:
        raise ConfigurationError(
            "This base URL is that of Azure's classic API, which needs a version: use "
            "Client.azure(endpoint, api_version='2024-10-21'), or set OPENAI_API_VERSION."
        )
    return (("api-version", version), *query)


def _azure_base_url(endpoint: str, *, classic: bool, allow_http: bool) -> str:
    """Return the API's root under an endpoint that was given with or without its path."""
    base = parse_base_url(endpoint, allow_http=allow_http, name="endpoint")
    root, _, path = base.url.partition("/openai")
    if not re.fullmatch(_AZURE_PATH, "/openai" + path if path else ""):
        raise ConfigurationError(
            "endpoint must be that of the resource, such as 'https://RESOURCE.openai.azure.com'."
        )
    return root + ("/openai" if classic else "/openai/v1")
