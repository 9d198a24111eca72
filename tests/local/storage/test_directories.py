"""Directories are whole or not there, and a second name needs no second copy where it can be had."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.local.storage.directories import (
    DRAFT_SUFFIX,
    link,
    remove_directory,
    write_directory,
)

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with a file in a folder of its own."""
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "sub" / "weights").write_bytes(b"123")
    return folder


@pytest.mark.parametrize("is_synced", [True, False])
def test_write_directory__is_there_when_all_is_written(tmp_path: Path, is_synced: bool) -> None:
    target = tmp_path / "deep" / "whole"

    def write(folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "sub" / "weights").write_bytes(b"123")
        assert not target.exists()

    write_directory(target, write, is_synced=is_synced)
    assert names(tmp_path / "deep") == ["whole", "whole/sub", "whole/sub/weights"]
    assert (target / "sub" / "weights").read_bytes() == b"123"


def test_write_directory__is_not_there_when_writing_fails(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device"):
        write_directory(tmp_path / "whole", write, is_synced=True)
    assert names(tmp_path) == []


def test_link__gives_each_file_a_second_name(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "made" / "second"
    link(model, target)
    assert names(target) == names(model) == ["config.json", "sub", "sub/weights"]
    assert (target / "sub" / "weights").samefile(model / "sub" / "weights")
    link(model / "config.json", tmp_path / "config.json")
    assert (tmp_path / "config.json").samefile(model / "config.json")


def test_link__copies_where_there_are_no_hard_links(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    link(model, tmp_path / "second")
    assert names(tmp_path / "second") == names(model)
    copy = tmp_path / "second" / "sub" / "weights"
    assert copy.read_bytes() == b"123"
    assert not copy.samefile(model / "sub" / "weights")


def test_link__a_target_that_is_there_stays(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "config.json"
    target.write_bytes(b"mine")
    link(model / "config.json", target)
    assert target.read_bytes() == b"mine"


def test_link__what_a_killed_server_left_is_written_anew(model: Path, tmp_path: Path) -> None:
    (tmp_path / f"second{DRAFT_SUFFIX}").mkdir()
    (tmp_path / f"second{DRAFT_SUFFIX}" / "half").touch()
    (tmp_path / f"config.json{DRAFT_SUFFIX}").write_bytes(b"half")
    link(model, tmp_path / "second")
    link(model / "config.json", tmp_path / "config.json")
    assert names(tmp_path / "second") == names(model)
    assert (tmp_path / "config.json").read_bytes() == b"{}"
    assert list(tmp_path.glob(f"*{DRAFT_SUFFIX}")) == []


def test_link__of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        link(tmp_path / "nothing", tmp_path / "second")
    assert names(tmp_path) == []


def test_remove_directory__also_one_that_is_not_there(model: Path) -> None:
    remove_directory(model)
    assert not model.exists()
    remove_directory(model)
