"""Text that is never shown."""

from __future__ import annotations

from typing import Any, Final, NoReturn

__all__ = ["HIDDEN", "SHORTEST_KEY", "Secret", "holds_key", "without_key"]

HIDDEN = "<secret>"

SHORTEST_KEY: Final = 8
"""A shorter key is no secret, and taking it out of texts would garble them."""


class Secret(str):
    """A key or a header that holds one.

    It is text, so that it can be put on the wire (`http.client` calls `encode`), but whatever
    shows, logs or formats it gets ``<secret>``, and it cannot be pickled.
    """

    __slots__ = ()

    @classmethod
    def of(cls, *parts: str) -> Secret:
        """Put parts together, secret or not; formatting them would hide them."""
        return cls("".join(parts))

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Any) -> Secret:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            "A secret cannot be pickled. A recorder of requests must leave its header out, as vcrpy "
            "does with filter_headers=['authorization', 'api-key']."
        )


def holds_key(text: str, secret: Secret) -> bool:
    """Say whether a text has the key in it."""
    key = secret.strip()
    return len(key) >= SHORTEST_KEY and key in text


def without_key(text: str, secret: Secret | None) -> str:
    """Take the key out of a text that a server wrote."""
    if secret is None or len(secret) < SHORTEST_KEY:
        return text
    return text.replace(secret, HIDDEN)
