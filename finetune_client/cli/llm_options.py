"""The options of ``finetune serve`` about training real models."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client.cli.local import threads_option
from finetune_client.local.base_models import name_of_base_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from finetune_client.cli.connect import Command

__all__ = ["llm_options", "named_base_models"]


def _words(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(shlex.split(text))


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--full", is_flag=True, default=None, help="Train all weights, not an adapter."),
    click.option("--lora-rank", type=click.IntRange(1), help="The rank of new adapters."),
    click.option("--max-length", type=click.IntRange(1), help="Tokens of an example, at most."),
    click.option(
        "--dtype",
        type=click.Choice(["auto", "float32", "bfloat16"]),
        help="In which numbers matrices are multiplied.",
    ),
    click.option(
        "--tokens-per-pass",
        type=click.IntRange(1),
        help="Tokens that a process takes at once: fewer take less memory.",
    ),
    click.option(
        "--activation-checkpointing",
        is_flag=True,
        default=None,
        help="Compute activations twice instead of keeping them: slower, less memory.",
    ),
    threads_option,
    click.option(
        "--processes", type=click.IntRange(1), help="Processes that train a job together."
    ),
    click.option(
        "--gpus-per-job", type=click.IntRange(1), help="GPUs that each job has for itself."
    ),
    click.option(
        "--accelerate-config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A config file of accelerate, for several machines or sharding.",
    ),
    click.option(
        "--launcher",
        callback=_words,
        metavar="COMMAND",
        help="A command before all others, such as 'srun -N 2'.",
    ),
)


def llm_options(command: Command) -> Command:
    """Add the options; each is named as the argument of `LlmTrainer` or the field of `Options`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def named_base_models(given: Iterable[str]) -> dict[str, str]:
    """Return name -> location of ``--base-model``; a location without a name bears its own.

    Raises:
        ValueError: A model does not exist, or is not safe to use.
    """
    models: dict[str, str] = {}
    for text in given:
        name, equals, location = text.partition("=")
        if not equals:
            name, location = name_of_base_model(text), text
        models[name] = location
    return models
