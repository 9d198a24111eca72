"""Which errors are worth waiting through, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.errors import APIError, APIStatusError, NotFoundError

if TYPE_CHECKING:
    from finetune_client.clock import Clock

__all__ = ["Outage", "is_endured"]

MISSING_AT_MOST = 3
"""So many 404s in a row are endured: some servers answer so right after a create."""

PASSING = frozenset({404, 408, 409, 429})


def is_endured(error: APIError) -> bool:
    """Say whether waiting goes on after ``error``: the next look may well succeed."""
    if isinstance(error, APIStatusError):
        return error.status_code in PASSING or error.status_code >= 500
    return error.outcome != "refused"


class Outage:
    """The failures in a row of the looks at one job.

    Args:
        clock: Tells the time.
        longest: Seconds that failures may go on before the last of them is raised.
    """

    def __init__(self, clock: Clock, longest: float) -> None:
        self._clock = clock
        self._longest = longest
        self._since: float | None = None
        self._missing = 0

    def allows(self, error: APIError) -> bool:
        """Count ``error``; say whether waiting may go on."""
        now = self._clock.monotonic()
        since = self._since = now if self._since is None else self._since
        self._missing = self._missing + 1 if isinstance(error, NotFoundError) else 0
        lasted = now - since >= self._longest
        return is_endured(error) and self._missing <= MISSING_AT_MOST and not lasted

    def left(self) -> float:
        """Return the seconds for which failures may still go on."""
        if self._since is None:
            return self._longest
        return max(0.0, self._since + self._longest - self._clock.monotonic())

    def over(self) -> None:
        """Forget the failures: a look has succeeded."""
        self._since = None
        self._missing = 0
