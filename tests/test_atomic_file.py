from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from finetune_client.atomic_file import replacing


def test_replacing__of_a_file_that_windows_does_not_let_go_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(_: Path, target: Path) -> None:
        raise PermissionError(13, "Access is denied", str(target))

    def unlink(path: Path, **options: Any) -> None:
        if not path.stat().st_mode & 0o200:
            raise PermissionError(13, "Access is denied", str(path))
        remove(path, **options)

    remove = Path.unlink
    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)
    target = tmp_path / "data.jsonl"
    target.write_bytes(b"old")
    target.chmod(0o400)
    denied = pytest.raises(PermissionError, match=r"Access is denied: .*data\.jsonl'$")
    with denied, replacing(target) as file:
        file.write(b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["data.jsonl"]
    assert target.read_bytes() == b"old"


@pytest.mark.skipif(os.name != "posix", reason="not everyone may make a link on Windows")
def test_replacing__of_a_link_to_itself(tmp_path: Path) -> None:
    link = tmp_path / "data.jsonl"
    link.symlink_to(link)
    with replacing(link) as file:
        file.write(b"new")
    assert link.read_bytes() == b"new"


def test_replacing__refuses_a_file_that_is_there(tmp_path: Path) -> None:
    target = tmp_path / "data.jsonl"
    target.write_bytes(b"old")
    with pytest.raises(FileExistsError) as refused, replacing(target, overwrite=False):
        pytest.fail("the block ran")
    assert (refused.value.filename, refused.value.strerror) == (
        str(target),
        "The file is there already; pass overwrite=True to replace it",
    )


def test_replacing__refuses_a_file_that_appears_meanwhile(tmp_path: Path) -> None:
    target = tmp_path / "data.jsonl"
    refused = pytest.raises(FileExistsError)
    with refused, replacing(target, overwrite=False) as file:
        file.write(b"new")
        target.write_bytes(b"another")
    assert target.read_bytes() == b"another"
    assert [each.name for each in tmp_path.iterdir()] == ["data.jsonl"]


def test_replacing__in_a_folder_that_is_not_there_names_the_file(tmp_path: Path) -> None:
    target = tmp_path / "no" / "data.jsonl"
    with pytest.raises(FileNotFoundError) as caught, replacing(target):
        pass
    assert caught.value.filename == str(target)
