"""What came of archiving an account, and what is told while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from finetune_client.errors import APIError, FineTuneError, RequestError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ArchiveProgress", "ArchiveReport", "Missing", "OnProgress", "reason_of"]

_REFUSED: Final = frozenset({400, 401, 403, 404, 405, 410, 422, 451, 501})
"""Statuses that say no for good: the thing is gone, or not for this key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """Something that could not be had.

    Attributes:
        what: ``job``, ``events``, ``checkpoints``, ``permissions``, ``file``, ``files``, ``models``,
            ``job_file``, ``answer`` or ``answers``.
        id: Whose: the id of a job or a file, or the name of a model; None for all of them.
        message: Why, in the server's own words where it gave any.
        status_code: The status of its answer, if there was one.
        is_final: Whether the server said that there is no such thing, or not for this key. Anything
            else may be had by archiving again.
    """

    what: str
    id: str | None = None
    message: str
    status_code: int | None = None
    is_final: bool = False

    def __str__(self) -> str:
        name = self.what if self.id is None else f"{self.what} {self.id}"
        return f"{name.replace('_', ' ', 1)}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


def reason_of(what: str, owner: str | None, error: FineTuneError) -> Missing:
    """Return what could not be had because of an error."""
    status = error.status_code if isinstance(error, APIError) else None
    return Missing(
        what=what,
        id=owner,
        message=error.message,
        status_code=status,
        is_final=status in _REFUSED or isinstance(error, RequestError),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveProgress:
    """How far archiving is.

    Attributes:
        phase: ``lists``, then ``jobs``, ``files`` and ``index``.
        done, total: Jobs or files.
        bytes_done, bytes_total: Of the files; the total is what the server's list says.
    """

    phase: Literal["lists", "jobs", "files", "index"]
    done: int = 0
    total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0


OnProgress: TypeAlias = Callable[[ArchiveProgress], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveReport:
    """What an archive holds now.

    Attributes:
        directory: Where it is.
        jobs, events, checkpoints, models, files: How many it has.
        bytes: The size of all that is in it.
        fetched_files, fetched_bytes: How many of the files were downloaded this time.
        missing: What could not be had.
    """

    directory: Path
    jobs: int
    events: int
    checkpoints: int
    models: int
    files: int
    bytes: int
    fetched_files: int = 0
    fetched_bytes: int = 0
    missing: list[Missing] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all is there that the server gives; if not, archive again."""
        return all(one.is_final for one in self.missing)

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {**asdict(self), "directory": str(self.directory), "is_complete": self.is_complete}
