"""What stands in for the network in tests: its own words, and answers that it made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from requests import Response
from requests.structures import CaseInsensitiveDict

from finetune_client.errors import ConfigurationError
from finetune_client.transport.credentials import without_key
from finetune_client.transport.exchange.failures import chain_of

if TYPE_CHECKING:
    from finetune_client.transport.credentials import Secret

__all__ = ["check_response", "unanswered", "words_of_fake"]

_PACKAGES: Final = frozenset({"betamax", "pytest_socket", "requests_mock", "vcr"})
"""Packages whose exceptions say that a test has no answer for a request."""

_RESPONSES: Final = "Connection refused by Responses"
"""How `responses` begins what it says: its exception is a plain `requests.ConnectionError`."""

_LONGEST: Final = 4000


def words_of_fake(error: BaseException, handled: BaseException | None) -> str | None:
    """Return what a test tool says about a request that it has no answer for; None if none did.

    Args:
        error: What was raised.
        handled: What the caller was handling before; it says nothing about this request.
    """
    for link in chain_of(error, handled):
        said = str(link) if type(link).__module__.partition(".")[0] in _PACKAGES else ""
        if not said and link.args and str(link.args[0]).startswith(_RESPONSES):
            said = str(link.args[0])
        if said:
            return said.strip()[:_LONGEST]
    return None


def unanswered(method: str, path: str, words: str, secret: Secret | None) -> ConfigurationError:
    """Return the error of a request that met a test tool which has no answer for it.

    It is not an `APIError`, so that no wait takes it for an outage and no code that expects one
    hides a mistake in a test.
    """
    return ConfigurationError(
        f"{method} {path} met a fake of the network that has no answer for it, and nothing was "
        f"sent. The fake says: {without_key(words, secret)}"
    )


def check_response(response: Any) -> Response:
    """Return what a session answered with, its headers texts in a dict of any case.

    Raises:
        ConfigurationError: It is something else than a response, as a `unittest.mock.Mock` is.
    """
    if not isinstance(response, Response):
        raise ConfigurationError(
            f"The session answered with a {type(response).__name__}, not with a requests.Response. "
            "If a test has replaced its send: let it return a requests.Response."
        )
    status = response.status_code
    if isinstance(status, bool) or not isinstance(status, int):
        raise ConfigurationError(
            f"The session answered with a requests.Response whose status_code is {status!r:.100}, "
            "not a number. If a test made it: give it one, such as 200."
        )
    headers: Any = response.headers
    if not (isinstance(headers, CaseInsensitiveDict) and _are_texts(headers)):
        response.headers = CaseInsensitiveDict(
            (str(name), value if isinstance(value, str) else str(value))
            for name, value in dict(headers or {}).items()
        )
    return response


def _are_texts(headers: CaseInsensitiveDict[Any]) -> bool:
    return all(isinstance(value, str) for value in headers.values())
