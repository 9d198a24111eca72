"""Keys: given as text, asked for, found in the environment, or left out; never shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, AnyStr, Final, Literal, NoReturn, TypeAlias

from finetune_client.errors import ConfigurationError

if TYPE_CHECKING:
    from finetune_client.providers import Provider

__all__ = [
    "Credential",
    "Environ",
    "Key",
    "Secret",
    "as_secret",
    "check_headers",
    "find_admin_credential",
    "find_azure_credential",
    "find_credential",
    "hide_secret_headers",
    "without_key",
]

Key: TypeAlias = str | Callable[[], str] | Literal[False] | None
"""A key as text, what gives one for each request, False for none, None to look for it."""

Environ: TypeAlias = Callable[[str], str | None]
"""What gives the value of an environment variable. It is a function, and not the mapping, so that
no traceback that shows local variables shows the environment."""

_SENDABLE: Final = re.compile(r"[\x20-\x7e]+")  # as servers without keys are given: "not needed"
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(
    r"[\x21-\x7e\xa1-\xff]([\x20-\x7e\xa0-\xff\t]*[\x21-\x7e\xa1-\xff])?"
)
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "host", "connection"})
# By name, not by pattern: "Idempotency-Key" and "X-Author" say nothing secret, and whoever looks
# for a mistake needs to see them.
_SECRET_HEADERS: Final = frozenset(
    {
        # HTTP and its proxies
        "authorization",
        "proxy-authorization",
        "x-forwarded-authorization",
        "cookie",
        "set-cookie",
        # APIs, those of the clouds among them
        "api-key",
        "x-api-key",
        "x-auth-token",
        "x-access-token",
        "x-goog-api-key",
        "x-goog-iap-jwt-assertion",
        "x-amz-security-token",
        "x-ms-token-aad-access-token",
        "ocp-apim-subscription-key",
        "x-functions-key",
        # Gateways, those for models among them
        "apikey",
        "x-portkey-api-key",
        "x-portkey-virtual-key",
        "x-portkey-aws-secret-access-key",
        "x-portkey-aws-session-token",
        "x-litellm-api-key",
        "helicone-auth",
        "cf-aig-authorization",
        "cf-access-client-secret",
        "cf-access-token",
        "cf-access-jwt-assertion",
    }
)
"""Headers, in lower case, whose values are keys."""


_HIDDEN: Final = "<secret>"

_SHORTEST_KEY: Final = 8
"""A shorter key is no secret, and taking it out of texts would garble them."""


class Secret(str):
    """A key or a header that holds one.

    It is text, so that it can be put on the wire (`http.client` calls `encode`), but whatever
    shows, logs or formats it gets ``<secret>``, and it cannot be pickled.
    """

    __slots__ = ()

    @classmethod
    def of(cls, *parts: str) -> Secret:
        """Join parts, secret or not; formatting one, or making a `Secret` of one, would hide it."""
        return cls("".join(parts))

    def __repr__(self) -> str:
        return _HIDDEN

    def __str__(self) -> str:
        return _HIDDEN

    def __format__(self, spec: str) -> str:
        return format(_HIDDEN, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Any) -> Secret:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            "A secret cannot be pickled. A recorder of requests must leave its header out, as vcrpy "
            "does with filter_headers=['authorization', 'api-key']."
        )


def as_secret(key: Any) -> Any:
    """Wrap a key that is text, so that no traceback shows it."""
    return Secret.of(key) if isinstance(key, str) else key


@dataclass(frozen=True, slots=True, eq=False)
class Credential:
    """How a request shows whom it is from.

    Attributes:
        header: ``"Authorization"`` or ``"api-key"``.
        scheme: ``"Bearer "`` or nothing.
        source: The key, or what gives it for each request; None for no credential.
        name: The argument it came from, for messages.
    """

    header: str
    scheme: str
    source: Secret | Callable[[], str] | None = field(repr=False)
    name: str = "api_key"

    @classmethod
    def of(cls, key: Key, *, header: str, name: str) -> Credential:
        """Check a key.

        Raises:
            ConfigurationError: It is neither text nor callable, or cannot be sent.
        """
        key = as_secret(key)
        scheme = "Bearer " if header == "Authorization" else ""
        if key is None or key is False:
            return cls(header, scheme, None, name)
        if isinstance(key, str):
            return cls(header, scheme, _check_key(key, name), name)
        if not callable(key):
            raise ConfigurationError(
                f"{name} must be text, a callable that gives text, or False for none, "
                f"not {type(key).__name__}."
            )
        return cls(header, scheme, key, name)

    def secret(self) -> Secret | None:
        """Return the key for one request; a callable is asked anew.

        Raises:
            ConfigurationError: The callable failed, or what it gave cannot be sent.
        """
        source = self.source
        if source is None or isinstance(source, Secret):
            return source
        try:
            given = as_secret(source())
        except Exception as error:  # noqa: BLE001  # a caller's code may raise anything
            reason = type(error).__name__
        else:
            if isinstance(given, Secret):
                return _check_key(given, f"what {self.name} gave")
            reason = f"it gave {type(given).__name__} instead of text"
        raise ConfigurationError(f"{self.name} was asked for a key and failed: {reason}.")

    def header_value(self, secret: Secret) -> Secret:
        """Return the value of the header that carries the key."""
        return Secret.of(self.scheme, secret)


def find_credential(
    provider: Provider, key: Key, environ: Environ, *, beside_url: bool = False
) -> Credential:
    """Return the key that was given, or else the one in the environment.

    Args:
        provider: Which variables may hold it, and the header that it is sent in.
        key: What was given.
        environ: What gives the value of an environment variable, None for one that is empty.
        beside_url: Whether the base URL is from ``OPENAI_BASE_URL``.

    Raises:
        ConfigurationError: There is no key, and the provider's API needs one.
    """
    if key is not None:
        return Credential.of(key, header=provider.key_header, name="api_key")
    for variable in provider.environment:
        found = as_secret(environ(variable))
        if found is not None:
            return Credential.of(found, header=provider.key_header, name=variable)
    if provider.key_header == "api-key" and (found := as_secret(environ("AZURE_OPENAI_AD_TOKEN"))):
        return Credential.of(found, header="Authorization", name="AZURE_OPENAI_AD_TOKEN")
    # Guides of other services (Bedrock's) set both variables, for the official SDK: the key is for
    # that URL then, whoever is there. A URL from elsewhere never gets what may be OpenAI's key.
    if beside_url and (found := as_secret(environ("OPENAI_API_KEY"))):
        return Credential.of(found, header=provider.key_header, name="OPENAI_API_KEY")
    if not provider.environment:
        return Credential.of(None, header=provider.key_header, name="api_key")
    raise ConfigurationError(_no_key_message(provider.environment[0]))


def _no_key_message(variable: str) -> str:
    return (
        f"There is no API key: none was given, and the environment variable {variable} is not set. "
        f"Give api_key=... or set {variable} (api_key=False is for a server that needs none). "
        "To run without a key or an account, use Client.local() (the command: --local), which is "
        "the API on this machine."
    )


def find_admin_credential(provider: Provider, key: Key, environ: Environ) -> Credential:
    """Return the admin key, or a credential without one."""
    if key is None and provider.name == "openai":
        key = as_secret(environ("OPENAI_ADMIN_KEY"))
    return Credential.of(key, header=provider.key_header, name="admin_key")


def find_azure_credential(provider: Provider, key: Key, token: Key, environ: Environ) -> Credential:
    """Return the key or the token for Azure.

    Raises:
        ConfigurationError: Both were given, or none and the environment has none.
    """
    if key is not None and token is not None:
        raise ConfigurationError("Give api_key= or token=, not both: only one of them is sent.")
    if token is not None:
        return Credential.of(token, header="Authorization", name="token")
    return find_credential(provider, key, environ)


def _check_key(key: str, name: str) -> Secret:
    text = Secret(key.strip())
    if not text:
        raise ConfigurationError(f"{name} is empty.")
    if not _SENDABLE.fullmatch(text):
        raise ConfigurationError(
            f"{name} has characters in it that no key has: control characters or characters that "
            "are not ASCII. Was it copied with something around it?"
        )
    return text


def hide_secret_headers(headers: Any, *keys: Any) -> Any:
    """Return a copy of headers with the secret values wrapped, so that nothing shows them.

    What is not a mapping is returned as it is, for `check_headers` to refuse.

    Args:
        headers: What a user gave.
        keys: The client's own keys, as `as_secret` returned them; a value that holds one is secret too.
    """
    if not isinstance(headers, Mapping):
        return headers
    secrets = [key for key in keys if isinstance(key, Secret)]
    return {
        name: as_secret(value) if _is_secret(name, value, secrets) else value
        for name, value in headers.items()
    }


def without_key(text: AnyStr, secret: Secret | None) -> AnyStr:
    """Return what a server wrote without the key."""
    if secret is None or len(secret) < _SHORTEST_KEY:
        return text
    if isinstance(text, bytes):
        return text.replace(secret.encode(), _HIDDEN.encode())
    return text.replace(secret, _HIDDEN)


def _is_secret(name: Any, value: Any, secrets: list[Secret]) -> bool:
    if isinstance(value, Secret) or str(name).lower() in _SECRET_HEADERS:
        return True
    return isinstance(value, str) and any(_holds_key(value, secret) for secret in secrets)


def check_headers(
    headers: Mapping[str, str] | None, name: str = "headers", *, keys: Iterable[Any] = ()
) -> dict[str, str]:
    """Check headers that a user gave, and return them with the secret ones hidden.

    Raises:
        ConfigurationError: A name or a value cannot be sent; a value is not shown.
    """
    if not isinstance(headers, Mapping | None):
        raise ConfigurationError(
            f"{name} must be a mapping of names to texts, not {type(headers).__name__}."
        )
    checked: dict[Any, Any] = hide_secret_headers(headers or {}, *keys)
    for header, value in checked.items():
        if not isinstance(header, str) or not _HEADER_NAME.fullmatch(header):
            raise ConfigurationError(f"{name} has a name that is not valid: {header!r:.100}.")
        if header.lower() in _FRAMING:
            raise ConfigurationError(f"{name} must not have {header!r} in it: the client sets it.")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise ConfigurationError(
                f"The value of {header!r} in {name} must be text without control characters "
                "or spaces around it, and within Latin-1."
            )
    return checked


def _holds_key(text: str, secret: Secret) -> bool:
    """Return whether a text has the key in it."""
    key = secret.strip()
    return len(key) >= _SHORTEST_KEY and key in text
