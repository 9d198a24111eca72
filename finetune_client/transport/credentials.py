"""Keys: given as text, asked for, or left out; never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from finetune_client.errors import ConfigurationError
from finetune_client.transport.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Credential", "Key", "as_secret", "checked_headers", "hide_secret_headers"]

Key: TypeAlias = "str | Callable[[], str] | Literal[False] | None"
"""A key as text, what gives one for each request, False for none, None to look for it."""

_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(
    r"[\x21-\x7e\xa1-\xff]([\x20-\x7e\xa0-\xff\t]*[\x21-\x7e\xa1-\xff])?"
)
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "host", "connection"})
_SENSITIVE: Final = re.compile(r"auth|key|token|secret|cookie|password", re.IGNORECASE)


def as_secret(key: Any) -> Any:
    """Wrap a key that is text, so that no traceback shows it."""
    return Secret.of(key) if isinstance(key, str) else key


@dataclass(frozen=True, slots=True)
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
            return cls(header, scheme, _checked(key, name), name)
        if not callable(key):
            raise ConfigurationError(
                f"{name} must be text, a callable that gives text, or False for none, "
                f"not {type(key).__name__}."
            )
        return cls(header, scheme, key, name)

    def secret(self) -> Secret | None:
        """The key for one request; asks the callable anew.

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
                return _checked(given, f"what {self.name} gave")
            reason = f"it gave {type(given).__name__} instead of text"
        raise ConfigurationError(f"{self.name} was asked for a key and failed: {reason}.")

    def header_value(self, secret: Secret) -> Secret:
        """The header that carries the key."""
        return Secret.of(self.scheme, secret)


def _checked(key: str, name: str) -> Secret:
    text = Secret(key.strip())
    if not text:
        raise ConfigurationError(f"{name} is empty.")
    if not _VISIBLE.fullmatch(text):
        raise ConfigurationError(
            f"{name} has characters in it that no key has: spaces, control characters or "
            "characters that are not ASCII. Was it copied with something around it?"
        )
    return text


def hide_secret_headers(headers: Any) -> Any:
    """Copy headers, with the values that look like keys wrapped, so that nothing shows them.

    What is no mapping is handed back as it is, for `checked_headers` to refuse.
    """
    if not isinstance(headers, Mapping):
        return headers
    return {
        name: as_secret(value) if _SENSITIVE.search(str(name)) else value
        for name, value in headers.items()
    }


def checked_headers(headers: Mapping[str, str] | None, name: str = "headers") -> dict[str, str]:
    """Check headers that a user gave; those that look like keys come back hidden.

    Raises:
        ConfigurationError: A name or a value cannot be sent; a value is not shown.
    """
    if not isinstance(headers, Mapping | None):
        raise ConfigurationError(
            f"{name} must be a mapping of names to texts, not {type(headers).__name__}."
        )
    checked: dict[Any, Any] = hide_secret_headers(headers or {})
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
