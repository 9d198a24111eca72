from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from finetune_client.archive import layout
from finetune_client.archive.locking import locked
from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

DRAFT = ".finetune-0123456789abcdef.part"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "below" / "archive"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_locked__is_for_its_owner_alone(root: Path) -> None:
    root.mkdir(parents=True, mode=0o755)
    with locked(root):
        assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_locked__removes_what_a_killed_process_left_unfinished(root: Path) -> None:
    for folder in (root, root / layout.FILES, root / "ftjob-1"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DRAFT).touch()
    (root / layout.INDEX).touch()
    (root / layout.FILES / "file-1.jsonl").touch()
    with locked(root):
        left = sorted(path.name for path in root.rglob("*") if path.is_file())
    assert left == [layout.LOCK, "file-1.jsonl", layout.INDEX]
    assert not (root / layout.LOCK).exists()


def test_locked__by_one_at_a_time(root: Path) -> None:
    with locked(root), pytest.raises(RequestError) as caught, locked(root):
        pass
    assert caught.value.message == (
        f"Another process is writing to the archive {str(root)!r}; wait until it has ended."
    )
    with locked(root):
        pass


def test_locked__only_a_folder_that_is_its_own(root: Path) -> None:
    root.mkdir(parents=True)
    (root / "thesis.txt").touch()
    (root / DRAFT).touch()
    with pytest.raises(RequestError) as caught, locked(root):
        pass
    assert caught.value.message == (
        f"The folder {str(root)!r} is not an archive: it has 'thesis.txt' in it and no index.json. "
        "Give a new or an empty folder."
    )
    assert (root / DRAFT).exists()


def test_locked__a_folder_in_which_a_killed_process_has_only_begun(root: Path) -> None:
    root.mkdir(parents=True)
    (root / DRAFT).touch()
    (root / layout.LOCK).touch()
    with locked(root):
        assert not (root / DRAFT).exists()
