"""Directories that appear whole or not at all, and files with a second name."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from finetune_client.atomic_file import settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["DRAFT_SUFFIX", "link", "remove_directory", "write_directory"]

DRAFT_SUFFIX = ".part"
"""How the name of a directory that is not whole yet ends; a killed server leaves it."""


def write_directory(path: Path, write: Callable[[Path], None], *, is_synced: bool) -> None:
    """Make a directory that ``write`` fills; if synced, it is on the disk when this returns.

    Raises:
        Exception: Whatever ``write`` raises; there is no directory then.
    """
    draft = path.with_name(path.name + DRAFT_SUFFIX)
    draft.mkdir(parents=True)
    try:
        write(draft)
        if is_synced:
            _sync(draft)
        draft.rename(path)
    except BaseException:
        remove_directory(draft)
        raise
    if is_synced:
        settle(path.parent)


def _sync(directory: Path) -> None:
    # Windows writes a file to the disk only by a descriptor that may write.
    flags = os.O_RDONLY if os.name == "posix" else os.O_RDWR
    for folder, _, names in os.walk(directory):
        for name in names:
            handle = os.open(os.path.join(folder, name), flags)  # noqa: PTH118 - walk's own words
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        settle(folder)


def link(source: Path, target: Path) -> None:
    """Give a file, or each file of a directory, a second name; a target that is there stays.

    Where the file system has no hard links, files are copied.

    Raises:
        FileNotFoundError: There is no ``source``.
    """
    if target.exists():
        return
    draft = target.with_name(target.name + DRAFT_SUFFIX)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        remove_directory(draft)
        shutil.copytree(source, draft, copy_function=_link_or_copy)
    else:
        draft.unlink(missing_ok=True)
        _link_or_copy(source, draft)
    draft.rename(target)


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def remove_directory(path: Path) -> None:
    """Remove a directory, if it is there.

    On Windows a file that is open stays; the next start of the server removes it.
    """
    with suppress(FileNotFoundError):
        shutil.rmtree(path, ignore_errors=os.name == "nt")
