"""The options and the form of the output: JSON lines, plain lines or a live terminal."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from finetune_client.cli.reporting import JsonLines, PlainLines, Reporter, json_line, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "is_for_subcommand",
    "json_option",
    "metrics_option",
    "refused_overwriting",
    "reporter",
    "show_rows",
    "writable",
]

Command = TypeVar("Command", bound="Callable[..., Any]")


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    option = click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print one JSON object per line, for scripts.",
    )
    return option(command)


def writable(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file that cannot be written before anything is done that it is to be written for."""
    if path is not None and not os.access(path.parent, os.W_OK):
        raise click.BadParameter(
            f"There is no folder {str(path.parent)!r} that can be written to.", ctx, param
        )
    return path


metrics_option = click.option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=writable,
    metavar="CSV",
    help="Write the training metrics to this file.",
)


def reporter(*, as_json: bool) -> Reporter:
    """Return the reporter that fits where the output goes."""
    if as_json:
        return JsonLines()
    if sys.stdout is None or not sys.stdout.isatty():
        return PlainLines()
    from finetune_client.cli.live import LiveTerminal

    terminal = LiveTerminal()
    return PlainLines() if terminal.console.is_dumb_terminal else terminal


def is_for_subcommand(ctx: click.Context) -> bool:
    """Return whether a group that lists by itself was called for one of its commands.

    Raises:
        click.UsageError: The list's own options stand before that command, which has its own.
    """
    if ctx.invoked_subcommand is None:
        return False
    for name in ctx.params:
        if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"Options go behind the command: {ctx.command_path} {ctx.invoked_subcommand} ..."
            )
    return True


@contextmanager
def refused_overwriting() -> Iterator[None]:
    """Turn a file that is in the way into a sentence in the words of the command line."""
    try:
        yield
    except FileExistsError as error:
        raise click.UsageError(
            f"{error.filename} is there already: name another file, or replace it with --overwrite."
        ) from None


def show_rows(rows: Iterable[Any], columns: Sequence[str], *, as_json: bool) -> None:
    """Print models one a line: all of each as JSON, or some attributes between tabs."""
    for row in rows:
        if as_json:
            click.echo(json_line(row.to_dict()))
        else:
            click.echo("\t".join(_cell(getattr(row, column)) for column in columns))


def _cell(value: Any) -> str:
    return "-" if value is None else printable(str(value))
