"""Which errors are worth waiting through, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.errors import APIError, APIStatusError, NotFoundError

if TYPE_CHECKING:
    from finetune_client.clock import Clock

__all__ = ["Outage", "is_passing"]

_MAX_NOT_FOUND = 3
"""So many 404s in a row are waited through: some servers answer so right after a create."""

_PASSING_STATUSES = frozenset({404, 408, 409, 429})


def is_passing(error: APIError) -> bool:
    """Return whether the next poll may well succeed after an error."""
    if isinstance(error, APIStatusError):
        return error.status_code in _PASSING_STATUSES or error.status_code >= 500
    return error.outcome != "refused"


class Outage:
    """The failures in a row of the polls of one job.

    Args:
        clock: Tells the time.
        longest: Seconds that polls may fail in a row before the last failure is raised.
    """

    def __init__(self, clock: Clock, longest: float) -> None:
        self._clock = clock
        self._longest = longest
        self._since: float | None = None
        self._not_found = 0

    def allows(self, error: APIError) -> bool:
        """Count an error; return whether waiting may continue."""
        now = self._clock.monotonic()
        since = self._since = now if self._since is None else self._since
        self._not_found = self._not_found + 1 if isinstance(error, NotFoundError) else 0
        too_long = now - since >= self._longest
        return is_passing(error) and self._not_found <= _MAX_NOT_FOUND and not too_long

    def remaining(self) -> float:
        """Return the seconds for which polls may still fail."""
        if self._since is None:
            return self._longest
        return max(0.0, self._since + self._longest - self._clock.monotonic())

    def end(self) -> None:
        """Forget the failures: a poll has succeeded."""
        self._since = None
        self._not_found = 0
