"""The SHA-256 of a file, which `hashlib.file_digest` gives from Python 3.11 on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["file_digest"]

_BLOCK_SIZE = 1024 * 1024


def file_digest(path: Path) -> str:
    """Return the SHA-256 of what is in a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_SIZE):
            digest.update(block)
    return digest.hexdigest()
