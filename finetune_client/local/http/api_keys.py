"""The keys that a server checks, each of which belongs to a project."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["DEFAULT_PROJECT", "ApiKeys", "parse_api_keys", "read_api_keys"]

DEFAULT_PROJECT = "default"
"""The project of everything that a server without keys holds."""

_PROJECT = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"[!-+\--~]+")
"""Printable ASCII without a blank and without the comma, which separates keys in a variable."""


class ApiKeys:
    """The keys that a server takes. Of each it keeps a digest, so that no error can show the key.

    Args:
        keys: The project of each key; if there are none, any key is taken.

    Raises:
        ValueError: A project or a key has characters that it may not have.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        for key, project in keys.items():
            if not _PROJECT.fullmatch(project):
                raise ValueError(
                    f"{project!r} is not the name of a project: 1 to 64 of A-Z, a-z, 0-9, '.', '_' "
                    "and '-'."
                )
            if not _KEY.fullmatch(key):
                raise ValueError(
                    f"A key of the project {project!r} has other characters than printable ASCII, "
                    "or a blank or a comma."
                )
        self._projects = {_digest(key): project for key, project in keys.items()}

    def __bool__(self) -> bool:
        return bool(self._projects)

    def project_of(self, key: str) -> str | None:
        """Return the project of a key; `None` for one that is not taken."""
        if not self:
            return DEFAULT_PROJECT if key else None
        digest = _digest(key)
        found = None
        # All are compared, each in constant time, so that the time tells nothing of any key.
        for known, project in self._projects.items():
            if hmac.compare_digest(known, digest):
                found = project
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def parse_api_keys(text: str) -> dict[str, str]:
    """Read keys as they are written: one ``PROJECT:KEY`` a line, or with commas between them.

    Blank lines and lines that begin with ``#`` are skipped. A project may have several keys.

    Returns:
        The project of each key.

    Raises:
        ValueError: A line is not written like that, a key is there twice, or there are none.
    """
    keys: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        for one in filter(None, (part.strip() for part in line.split(","))):
            project, colon, key = (part.strip() for part in one.partition(":"))
            if not (project and colon and key):
                raise ValueError(f"Line {number} is not PROJECT:KEY.")
            if key in keys:
                raise ValueError(f"The key in line {number} is there twice.")
            keys[key] = project
    if not keys:
        raise ValueError("There are no keys.")
    ApiKeys(keys)
    return keys


def read_api_keys(path: Path) -> dict[str, str]:
    """Read the keys in a file, as `parse_api_keys` does.

    Raises:
        ValueError: Other users may read or change the file, or see `parse_api_keys`.
        OSError: It cannot be read.
    """
    with path.open(encoding="utf-8-sig") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if os.name == "posix" and mode & 0o077:
            raise ValueError(
                f"Other users may read or change it (its mode is {mode:04o}): run chmod 600 {path}."
            )
        return parse_api_keys(file.read())
