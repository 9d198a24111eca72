"""What is refused before a process is started that merges; the merging itself needs torch."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.local import LocalServer, merge_adapter

if TYPE_CHECKING:
    from pathlib import Path

WHERE = "Say where it is: --base-model, or base_model= in Python."


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take torch and PEFT for installed: nothing here gets as far as to use them."""
    monkeypatch.setattr("finetune_client.local.merge._PACKAGES", ("json",))


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "adapter", base_model_name_or_path="Little-1B")


def write_adapter(directory: Path, **config: Any) -> Path:
    directory.mkdir()
    (directory / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return directory


def refused(adapter: Path, target: Path, **options: Any) -> str:
    """Why it is not merged; nothing is left of the attempt."""
    before = sorted(target.parent.iterdir())
    with pytest.raises((ConfigurationError, RequestError)) as caught:
        merge_adapter(adapter, target, **options)
    assert sorted(target.parent.iterdir()) == before
    return caught.value.message


@pytest.mark.skipif(find_spec("peft") is not None, reason="what is needed is installed")
def test_merge__without_the_packages_says_how_to_install_them(
    adapter: Path, tmp_path: Path
) -> None:
    told = refused(adapter, tmp_path / "merged")
    assert told.startswith("Merging needs torch")
    assert told.endswith(
        "not installed. Install what it needs with: pip install 'finetune-client[llm]'"
    )


def test_merge__where_one_package_is_missing(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune_client.local.merge._PACKAGES", ("json", "not_there"))
    assert refused(adapter, tmp_path / "merged") == (
        "Merging needs not_there, which is not installed. Install what it needs with: pip install "
        "'finetune-client[llm]'"
    )


@pytest.mark.usefixtures("installed")
def test_merge__never_writes_among_other_files(adapter: Path, tmp_path: Path) -> None:
    target = tmp_path / "merged"
    target.mkdir()
    (target / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError) as caught:
        merge_adapter(adapter, target)
    assert (caught.value.strerror, caught.value.filename) == (
        "The directory is not empty; give a new one",
        str(target),
    )
    file = target / "mine.txt"
    assert refused(adapter, file) == f"{str(file)!r} is a file; give the path of a directory."
    assert [path.name for path in target.iterdir()] == ["mine.txt"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("content", [None, "not JSON", "[]"])
def test_merge__of_what_is_no_adapter(tmp_path: Path, content: str | None) -> None:
    directory = tmp_path / "whole"
    directory.mkdir()
    if content is not None:
        (directory / "adapter_config.json").write_text(content, encoding="utf-8")
    assert refused(directory, tmp_path / "merged") == (
        f"{str(directory)!r} is no adapter: it has no adapter_config.json."
    )


@pytest.mark.usefixtures("installed")
def test_merge__into_a_base_model_that_nobody_knows(adapter: Path, tmp_path: Path) -> None:
    expected = f"The adapter needs its base model, and 'Little-1B' is not known here. {WHERE}"
    for server in (None, tmp_path / "nowhere"):
        assert refused(adapter, tmp_path / "merged", server_directory=server) == expected
    assert refused(write_adapter(tmp_path / "nameless"), tmp_path / "merged") == (
        f"The adapter needs its base model, which it does not name. {WHERE}"
    )
    gone = tmp_path / "gone"
    assert refused(adapter, tmp_path / "merged", base_model=gone) == (
        f"There is no model at {str(gone)!r}."
    )


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("by", ["absolute", "relative"])
def test_merge__a_path_that_the_adapter_names_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "model.safetensors").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    name = str(base) if by == "absolute" else "./base"
    adapter = write_adapter(tmp_path / "adapter", base_model_name_or_path=name)
    assert refused(adapter, tmp_path / "merged") == (
        f"The adapter needs its base model, and {name!r} is not known here. {WHERE}"
    )


@pytest.mark.usefixtures("installed")
def test_merge__into_a_base_model_that_has_gone(adapter: Path, tmp_path: Path) -> None:
    base = tmp_path / "Little-1B"
    base.mkdir()
    (base / "model.safetensors").write_bytes(b"")
    LocalServer(tmp_path / "server", base_models={"Little-1B": base}).close()
    (base / "model.safetensors").unlink()
    base.rmdir()
    assert refused(adapter, tmp_path / "merged", server_directory=tmp_path / "server") == (
        f"There is no model at {str(base)!r}. {WHERE}"
    )
