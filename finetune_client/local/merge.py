"""Merging an adapter into its base model, in a process of its own."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.atomic_file import DRAFTS, settle
from finetune_client.errors import ConfigurationError, FineTuneError, RequestError
from finetune_client.local.base_models import CACHE_DIRECTORY, known_base_models
from finetune_client.local.training.llm.failures import NOT_OF_BASE_MODEL
from finetune_client.local.training.llm.processes import run_module
from finetune_client.local.training.llm.sources import ADAPTER_CONFIG, Source, is_hub_id

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_can_merge", "merge_adapter"]

_MERGING = "finetune_client.local.training.llm.merging"
_PACKAGES = ("torch", "transformers", "peft")
_USAGE_CODES = {"model_not_found", "model_not_supported", NOT_OF_BASE_MODEL}
_LAST_WORDS = 2000


def merge_adapter(
    adapter: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    base_model: str | os.PathLike[str] | None = None,
    server_directory: str | os.PathLike[str] | None = None,
    threads: int | None = None,
) -> Path:
    """Write an adapter merged into its base model, for whatever takes no adapters.

    What is written is a model as transformers has it, in safetensors and in the numbers of the base
    model (bfloat16 for most), with a tokenizer. It is there whole or not at all. A process of its own
    does it, which needs the extra ``llm`` and memory for the base model.

    Args:
        adapter: A directory as PEFT writes it, and `client.models.download` fetches it.
        directory: A new or an empty directory; the folders above it are made.
        base_model: The base model: a directory with safetensors or a GGUF file, such a file, or the id
            of a repository of the hub. Without it the one that the adapter names: a model of
            ``server_directory``, or a repository of the hub.
        server_directory: The directory of an embedded server, which knows its base models by their
            names and has converted their GGUF files already.
        threads: Of the process; `None` for torch's choice, which is all cores.

    Returns:
        ``directory``.

    Raises:
        ConfigurationError: The extra ``llm`` is not installed, or the base model is not known, is not
            there, or is not the one that the adapter was made for.
        RequestError: ``adapter`` is no adapter, or ``directory`` is a file.
        FineTuneError: They cannot be merged; the message says why, such as too little memory.
        FileExistsError: ``directory`` is not empty.
        OSError: It cannot be written.
    """
    target = Path(directory)
    check_can_merge(target)
    tuned = Path(adapter)
    server = None if server_directory is None else Path(server_directory)
    source = _base_of(tuned, base_model, server)
    with ExitStack() as stack:
        if server is not None and server.is_dir():
            cache = server / CACHE_DIRECTORY
        else:
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="finetune-")))
        draft = stack.enter_context(_filled(target))
        task = {
            "source": asdict(source),
            "cache": str(cache.resolve()),
            "tuned": str(tuned.resolve()),
            "directory": str(draft.resolve()),
        }
        _run(task, threads)
    return target


def check_can_merge(directory: Path) -> None:
    """Raise if nothing can be merged here, or not into a directory; see `merge_adapter`."""
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise ConfigurationError(
            f"Merging needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed. Install what it needs with: pip install 'finetune-client[llm]'"
        )
    if directory.is_dir():
        if any(directory.iterdir()):
            message = "The directory is not empty; give a new one"
            raise FileExistsError(errno.EEXIST, message, str(directory))
    elif directory.exists():
        raise RequestError(f"{str(directory)!r} is a file; give the path of a directory.")


def _base_of(
    adapter: Path, base_model: str | os.PathLike[str] | None, server: Path | None
) -> Source:
    """Return where the base model of an adapter is."""
    try:
        name = json.loads((adapter / ADAPTER_CONFIG).read_bytes()).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        raise RequestError(f"{str(adapter)!r} is no adapter: it has no {ADAPTER_CONFIG}.") from None
    how = "Say where it is: --base-model, or base_model= in Python."
    known = {} if server is None else known_base_models(server)
    try:
        if base_model is not None:
            return Source.find(base_model if isinstance(base_model, str) else Path(base_model))
        if name in known:
            return Source.find(known[name])
    except ValueError as error:
        raise ConfigurationError(f"{error} {how}" if base_model is None else str(error)) from None
    # A path that an adapter names is another machine's, or anybody's: it is never opened.
    if isinstance(name, str) and "/" in name and is_hub_id(name):
        return Source(name, is_local=False)
    what = f"and {name!r} is not known here" if name else "which it does not name"
    raise ConfigurationError(f"The adapter needs its base model, {what}. {how}")


@contextmanager
def _filled(target: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes `target` if the block ends well, and else is removed."""
    name = DRAFTS.replace("*", secrets.token_hex(8))
    # One that is there may be where a disk is mounted, or where this process works.
    is_there = target.is_dir()
    draft = target / name if is_there else target.with_name(name)
    draft.mkdir(parents=True)
    try:
        yield draft
        if is_there:
            for path in sorted(draft.iterdir()):
                path.rename(target / path.name)
            draft.rmdir()
        else:
            draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    settle(target if is_there else target.parent)


def _run(task: dict[str, Any], threads: int | None) -> None:
    done = run_module(_MERGING, json.dumps(task), cwd=Path(task["directory"]), threads=threads)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        words = done.stderr[-_LAST_WORDS:].strip()
        raise FineTuneError(
            f"The process that merged has ended (exit status {done.returncode}). Its last words:\n{words}"
        ) from None
    if answer:
        kind = ConfigurationError if answer["code"] in _USAGE_CODES else FineTuneError
        raise kind(answer["message"])
