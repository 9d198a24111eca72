"""The state of an upload in parts, kept in a file so that it can be resumed."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.atomic_file import replacing
from finetune_client.errors import RequestError

if TYPE_CHECKING:
    import os

__all__ = ["UploadState", "UploadTarget", "load_state"]


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadTarget:
    """What is uploaded, and where; a state is only good for the same target.

    Attributes:
        base_url: The server.
        purpose: The purpose of the file to be.
        filename: Its name.
        mime_type: Its type.
        size: Its bytes.
        modified: When it was last written, in nanoseconds.
        part_size: Bytes of each part but the last.
    """

    base_url: str
    purpose: str
    filename: str
    mime_type: str
    size: int
    modified: int
    part_size: int


@dataclass(kw_only=True, slots=True)
class UploadState:
    """An upload that was created.

    Attributes:
        target: What is uploaded.
        upload_id: The server's id of it.
        expires_at: Unix time after which the server has forgotten it, if it said.
        parts: Number of a part, counted from 0 -> the server's id of it.
        completing: Whether the request to complete it was sent; its outcome is unknown.
    """

    target: UploadTarget
    upload_id: str
    expires_at: float | None = None
    parts: dict[int, str] = field(default_factory=dict)
    completing: bool = False

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to ``path``, whole or not at all."""
        with replacing(path) as file:
            file.write(json.dumps(asdict(self), indent=1).encode())


def load_state(
    path: str | os.PathLike[str], target: UploadTarget, now: float
) -> UploadState | None:
    """Read the state of an upload; `None` if there is none.

    Raises:
        RequestError: It cannot be read, is of another upload or file, or the upload expired.
        OSError: The file cannot be opened.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    state = _read(data, str(path))
    differing = _differences(state.target, target)
    if differing:
        raise RequestError(
            f"The state in {str(path)!r} is of another upload: {'; '.join(differing)}. "
            "Delete it to begin anew, or give what it was begun with.",
            problems=differing,
        )
    if state.expires_at is not None and state.expires_at <= now:
        raise RequestError(
            f"The upload {state.upload_id!r} in {str(path)!r} has expired; delete that file to "
            "begin anew."
        )
    return state


def _read(data: bytes, path: str) -> UploadState:
    try:
        found: dict[str, Any] = json.loads(data)
        state = UploadState(
            target=UploadTarget(**found["target"]),
            upload_id=found["upload_id"],
            expires_at=found["expires_at"],
            parts={int(number): part for number, part in found["parts"].items()},
            completing=found["completing"],
        )
        if _is_valid(found, state):
            return state
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        pass
    raise RequestError(
        f"{path!r} does not hold the state of an upload; give another path, or delete it if it is "
        "damaged."
    )


def _is_valid(found: dict[str, Any], state: UploadState) -> bool:
    """Return whether all values are of the right kind, and all parts are parts of the file."""
    ends, count = found["expires_at"], -(-state.target.size // state.target.part_size)
    return (
        all(isinstance(name, str) and name for name in (found["upload_id"], *state.parts.values()))
        and all(0 <= number < count for number in state.parts)
        and (ends is None or (type(ends) in {int, float} and math.isfinite(ends)))
        and isinstance(found["completing"], bool)
    )


def _differences(was: UploadTarget, now: UploadTarget) -> list[str]:
    before, after = asdict(was), asdict(now)
    return [
        f"{name} was {before[name]!r} and is {after[name]!r}"
        for name in before
        if before[name] != after[name]
    ]
