"""The base models of a server's directory: those it was given, and those it was given earlier."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from finetune_client.atomic_file import replacing
from finetune_client.local.training.llm.sources import Source
from finetune_client.local.training.llm.trainer import LlmTrainer

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping
    from pathlib import Path

__all__ = ["CACHE_DIRECTORY", "known_base_models", "name_of_base_model", "trainer_of_base_models"]

_FILE = "base_models.json"

CACHE_DIRECTORY = "bases"
"""The folder of a server's directory in which GGUF files are converted."""

_log = logging.getLogger("finetune_client.local")


def name_of_base_model(location: str) -> str:
    """Return the name that a base model bears: a repository's id, or the last part of a path.

    Raises:
        ValueError: There is no model there, or it is not safe to use.
    """
    return Source.find(location).name


def known_base_models(directory: Path) -> dict[str, str]:
    """Return the base models that a directory remembers: name -> path, or id of the hub."""
    try:
        found = json.loads((directory / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {str(name): str(location) for name, location in found.items()}


def trainer_of_base_models(
    directory: Path,
    given: Mapping[str, str | os.PathLike[str]],
    options: Mapping[str, Any],
    *,
    taken: Collection[str],
    remember: bool,
) -> LlmTrainer | None:
    """Return what trains the base models that a server has; `None` if it has none.

    One that was given earlier and has gone since is left out, with a warning in the log: a server
    must start to show what it holds.

    Args:
        directory: The server's.
        given: Name -> path, or id of the hub.
        options: Further arguments of `LlmTrainer`.
        taken: The names that other trainers have.
        remember: Whether the directory lasts, so that the next server has these models too.

    Raises:
        ValueError: A model that is given does not exist, is not safe to use or has a name that is
            taken, or an option is not valid.
    """
    locations = {name: str(location) for name, location in given.items()}
    for name, location in locations.items():
        if name in taken:
            raise ValueError(f"The server has a base model '{name}' already; give another name.")
        Source.find(location)
    for name, location in known_base_models(directory).items():
        if name not in locations and name not in taken:
            try:
                Source.find(location)
            except ValueError as error:
                _log.warning("The base model %r is left out: %s", name, error)
                continue
            locations[name] = location
    if not locations:
        return None
    trainer = LlmTrainer(locations, cache=directory / CACHE_DIRECTORY, **options)
    if remember and given:
        with replacing(directory / _FILE) as file:
            file.write(json.dumps(locations, indent=1).encode())
    return trainer
