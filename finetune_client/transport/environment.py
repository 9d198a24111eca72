"""Where a client's settings come from: what it is given, then the environment, then defaults."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

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
from finetune_client.transport.credentials import Credential, as_secret, check_headers
from finetune_client.transport.origin import parse_base_url
from finetune_client.transport.paths import merge_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from finetune_client.transport.credentials import Key

__all__ = ["Environ", "azure_settings", "environment", "settings"]

Environ: TypeAlias = "Callable[[str], str | None]"
"""What gives the value of an environment variable. It is a function, and not the mapping, so that
no traceback that shows local variables shows the environment."""

_log = logging.getLogger("finetune_client")

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?")
_VERSION: Final = re.compile(r"[A-Za-z0-9.-]{1,40}")
_AZURE_PATH: Final = re.compile(r"(/openai)?(/v1)?(/deployments/[^/]*)?")


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
        credential=_credential(kind, api_key, environ, beside_url=url is not None),
        admin_credential=_admin_credential(kind, admin_key, environ),
        headers=_account_headers(
            organization or (_variable(environ, "OPENAI_ORG_ID") if openai else None),
            project or (_variable(environ, "OPENAI_PROJECT_ID") if openai else None),
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
    endpoint = endpoint or _variable(environ, "AZURE_OPENAI_ENDPOINT")
    if endpoint is None:
        raise ConfigurationError(
            "No Azure endpoint: give it, as 'https://RESOURCE.openai.azure.com', or set the "
            "environment variable AZURE_OPENAI_ENDPOINT."
        )
    version = api_version or _variable(environ, "OPENAI_API_VERSION")
    if version is not None and not _VERSION.fullmatch(version):
        raise ConfigurationError(f"api_version is not one, such as '2024-10-21': {version!r:.100}.")
    classic = version is not None and _DATE.fullmatch(version) is not None
    default = AZURE_CLASSIC if classic else AZURE
    kind = default if provider is None else find_provider(provider)
    config = Config(
        base_url=parse_base_url(
            _azure_base_url(endpoint, classic=classic, allow_http=allow_http),
            allow_http=allow_http,
        ),
        provider=kind,
        credential=_azure_credential(kind, api_key, token, environ),
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
        return _variable(environ, "OPENAI_BASE_URL")
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


def _variable(environ: Environ, name: str) -> str | None:
    """Return a variable's value; an empty one counts as unset."""
    return (environ(name) or "").strip() or None


def _credential(
    kind: Provider, key: Key, environ: Environ, *, beside_url: bool = False
) -> Credential:
    """Return the key; ``beside_url`` says that the base URL is from ``OPENAI_BASE_URL``."""
    if key is not None:
        return Credential.of(key, header=kind.key_header, name="api_key")
    for variable in kind.environment:
        found = as_secret(_variable(environ, variable))
        if found is not None:
            return Credential.of(found, header=kind.key_header, name=variable)
    if kind.key_header == "api-key" and (
        found := as_secret(_variable(environ, "AZURE_OPENAI_AD_TOKEN"))
    ):
        return Credential.of(found, header="Authorization", name="AZURE_OPENAI_AD_TOKEN")
    # Guides of other services (Bedrock's) set both variables, for the official SDK: the key is for
    # that URL then, whoever is there. A URL from elsewhere never gets what may be OpenAI's key.
    if beside_url and (found := as_secret(_variable(environ, "OPENAI_API_KEY"))):
        return Credential.of(found, header=kind.key_header, name="OPENAI_API_KEY")
    if not kind.environment:
        return Credential.of(None, header=kind.key_header, name="api_key")
    raise ConfigurationError(_no_key_message(kind.environment[0]))


def _no_key_message(variable: str) -> str:
    return (
        f"There is no API key: none was given, and the environment variable {variable} is not set. "
        f"Give api_key=... or set {variable} (api_key=False is for a server that needs none). "
        "To run without a key or an account, use Client.local() (the command: --local), which is "
        "the API on this machine."
    )


def _admin_credential(kind: Provider, key: Key, environ: Environ) -> Credential:
    if key is None and kind.name == "openai":
        key = as_secret(_variable(environ, "OPENAI_ADMIN_KEY"))
    return Credential.of(key, header=kind.key_header, name="admin_key")


def _azure_credential(kind: Provider, key: Key, token: Key, environ: Environ) -> Credential:
    if key is not None and token is not None:
        raise ConfigurationError("Give api_key= or token=, not both: only one of them is sent.")
    if token is not None:
        return Credential.of(token, header="Authorization", name="token")
    return _credential(kind, key, environ)


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
    version = _variable(environ, "OPENAI_API_VERSION")
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
    if not _AZURE_PATH.fullmatch("/openai" + path if path else ""):
        raise ConfigurationError(
            "endpoint must be that of the resource, such as 'https://RESOURCE.openai.azure.com'."
        )
    return root + ("/openai" if classic else "/openai/v1")
