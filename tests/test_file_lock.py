from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from finetune_client import file_lock
from finetune_client.file_lock import LockFile, lock, unlock
from tests.support.spawned import acquired, in_processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="flock is of POSIX")


@contextmanager
def opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        yield handle
    finally:
        os.close(handle)


def test_lock__is_of_one_open_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with opened(path) as first, opened(path) as second:
        assert lock(first)
        assert not lock(second)
        if sys.platform != "win32":
            unlock(first)
            assert lock(second)


def test_lock__ends_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with opened(path) as second:
        with opened(path) as first:
            assert lock(first)
            assert not lock(second)
        assert lock(second)


@posix
def test_lock__where_the_file_system_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", flock)
    with (
        opened(tmp_path / "lock") as handle,
        pytest.raises(OSError, match="Operation not supported"),
    ):
        lock(handle)


@posix
def test_lock__as_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def locking(handle: int, mode: int, size: int) -> None:
        assert (mode, size) == (2, 1)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PermissionError(13, "Permission denied") from None

    windows = SimpleNamespace(locking=locking, LK_NBLCK=2)
    monkeypatch.setattr(file_lock, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(file_lock, "msvcrt", windows, raising=False)
    path = tmp_path / "lock"
    with opened(path) as second:
        with opened(path) as first:
            assert lock(first)
            assert not lock(second)
            unlock(first)
            assert not lock(second)
        assert lock(second)


def test_lock_file__is_there_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = LockFile(path), LockFile(path)
    assert first.acquire()
    assert not second.acquire()
    assert (first.is_held, second.is_held, path.exists()) == (True, False, True)
    second.release()
    assert not second.acquire()
    first.release()
    assert (first.is_held, path.exists()) == (False, False)
    assert second.acquire()
    second.release()


def test_lock_file__is_not_had_by_a_process_that_multiprocessing_spawned(tmp_path: Path) -> None:
    lock_file = LockFile(tmp_path / "lock")
    assert lock_file.acquire()
    assert in_processes(acquired, (tmp_path / "lock",)) == [False]
    lock_file.release()
    assert in_processes(acquired, (tmp_path / "lock",)) == [True]


@posix
def test_lock_file__that_was_deleted_before_it_was_locked_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def late(handle: int, how: int) -> None:
        if how & fcntl.LOCK_EX:
            monkeypatch.undo()
            first.release()
        flock(handle, how)

    flock = fcntl.flock
    first, second = LockFile(tmp_path / "lock"), LockFile(tmp_path / "lock")
    first.acquire()
    monkeypatch.setattr(fcntl, "flock", late)
    assert not second.acquire()
    assert second.acquire()
    second.release()


def test_lock_file__in_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LockFile(tmp_path / "sub" / "lock").acquire()


def test_lock_file__that_windows_is_deleting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, *_: object) -> int:
        raise PermissionError(13, "Access is denied", str(path))

    monkeypatch.setattr(file_lock, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(os, "open", denied)
    assert not LockFile(tmp_path / "lock").acquire()
    with pytest.raises(PermissionError):
        LockFile(tmp_path / "sub" / "lock").acquire()
