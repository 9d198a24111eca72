"""Commands that make training files: from other files, repaired, shared out, without duplicates."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from finetune_client import training_data
from finetune_client.atomic_file import refuse_existing
from finetune_client.cli.job_options import DATA_FILE
from finetune_client.cli.output import json_option, refused_overwriting, writable
from finetune_client.cli.reporting import json_line, printable
from finetune_client.display import counted
from finetune_client.errors import TrainingDataError
from finetune_client.training_data.formats import format_with_grader
from finetune_client.training_data.making.writing import jsonl_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["COMMANDS"]

Command = TypeVar("Command", bound="Callable[..., Any]")

_STDOUT = Path("-")
_AS_THEY_ARE = ("preference", "reinforcement")
"""Formats of training files that are no chats, so that their rows are not converted."""


class ShareOrNumber(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """A share, such as 0.1, or a whole number."""

    name = "share|number"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return int(value) if value.isdecimal() else float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a share nor a number of examples.", param, ctx)


def _columns(
    ctx: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> dict[str, str] | None:
    for pair in given:
        if not all(pair.partition("=")):
            raise click.BadParameter(f"{pair!r} is not of the form KEY=COLUMN.", ctx, param)
    return dict(pair.split("=", 1) for pair in given) or None


class Delimiter(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """One character; a tab may be spelt as it can be typed."""

    name = "character"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        value = "\t" if value in ("\\t", "tab") else value
        if len(value) != 1:
            self.fail(f"{value!r} is not one character.", param, ctx)
        return value


def _new_file(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse what other commands take for the standard output, and a folder that is not there."""
    if path == _STDOUT:
        message = "The standard output cannot be written to; name a file."
        raise click.BadParameter(message, ctx, param)
    return writable(ctx, param, path)


def _output_option(default: str) -> Callable[[Command], Command]:
    return click.option(
        "--output",
        "-o",
        type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
        callback=writable,
        metavar="FILE",
        help=f"The new file; - writes to the standard output. Default: {default}.",
    )


_encoding_option = click.option(
    "--encoding",
    metavar="NAME",
    help="Such as cp1252. Default: UTF-8 or UTF-16, as the file shows.",
)
_overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace a file that is there, be it FILE itself."
)
_READING = (
    click.option(
        "--format",
        type=click.Choice(["jsonl", "json", "csv", "tsv"]),
        help="What FILE is. Default: told from its name and its beginning.",
    ),
    _encoding_option,
    click.option(
        "--delimiter",
        type=Delimiter(),
        metavar="CHARACTER",
        help="Between the cells of CSV, such as ';' or tab. Default: told from the first rows.",
    ),
)


def _reading_options(command: Command) -> Command:
    """Add the options of every command that reads rows."""
    for option in reversed(_READING):
        command = option(command)
    return command


@click.command(
    epilog="Example: finetune convert faq.csv --column prompt=Question --column completion=Answer"
)
@click.argument("file", type=DATA_FILE)
@_output_option("faq.jsonl beside faq.csv, faq.converted.jsonl beside faq.jsonl")
@click.option(
    "--column",
    "columns",
    multiple=True,
    callback=_columns,
    metavar="KEY=COLUMN",
    help="Take this column as prompt, completion ...; only those named so are read then.",
)
@click.option(
    "--shape",
    type=click.Choice(["alpaca", "prompt_completion", "sharegpt"]),
    help="What the rows are. Default: told from each row's keys.",
)
@click.option("--system", metavar="TEXT", help="The system message of rows that have none.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="KEY",
    help="A key of rows, or of their turns, to leave out; id always is. May be repeated.",
)
@_reading_options
@_overwrite_option
@json_option
def convert(
    file: Path,
    output: Path | None,
    columns: dict[str, str] | None,
    shape: Any,
    system: str | None,
    ignore: tuple[str, ...],
    overwrite: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """Make chat examples of the rows of FILE.

    FILE is JSON, JSONL, CSV or TSV, packed with gzip or not; its rows are ShareGPT's, Alpaca's, pairs
    of prompt and completion, or chats. Preference and reinforcement examples are written as they are.
    Nothing is lost: a key that has no place is an error.
    """
    target = _target(file, output, "converted")
    if target != _STDOUT:  # before FILE is opened: Windows replaces no file that is open
        with refused_overwriting():
            refuse_existing(target, overwrite=overwrite)
    rows = training_data.read_rows(file, columns, **reading)
    first = next(rows, None)
    if first is None:
        raise TrainingDataError(f"{file} holds no rows.")
    rows = itertools.chain([first], rows)
    examples: Iterable[Any] = rows
    found = format_with_grader(first)
    if shape is not None or found not in _AS_THEY_ARE:
        found = "chat"
        examples = training_data.convert(rows, shape, system=system, ignore=("id", *ignore))
    written = _write(target, examples, overwrite=overwrite)
    _print_outcome(
        target,
        f"{_named(target)}: {counted(written, f'{found} example')}.",
        {"kind": "convert", "file": str(file), "output": str(target), "examples": written},
        as_json=as_json,
    )


@click.command(epilog="Example: finetune fix train.jsonl --encoding cp1252")
@click.argument("file", type=DATA_FILE)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_new_file,
    metavar="FILE",
    help="The new file. Default: train.fixed.jsonl beside train.jsonl.",
)
@_encoding_option
@click.option("--keep-duplicates", is_flag=True, help="Keep examples that stood in FILE before.")
@_overwrite_option
@json_option
def fix(
    file: Path,
    output: Path | None,
    encoding: str | None,
    keep_duplicates: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Repair FILE (JSONL) where that changes no example.

    That is: its encoding, byte order marks, carriage returns, blank lines, the end of the last line,
    and duplicates. All else is copied byte for byte; finetune check tells what is left.
    """
    with refused_overwriting():
        done = training_data.fix(
            file, output, encoding=encoding, duplicates=not keep_duplicates, overwrite=overwrite
        )
    facts = {
        "kind": "fix",
        "file": str(file),
        "output": str(done.path),
        "lines_read": done.lines_read,
        "lines_written": done.lines_written,
        "counts": done.counts,
        "changes": [
            {"line": change.line, "code": change.code, "message": change.message}
            for change in done.changes
        ],
    }
    _print_outcome(done.path, str(done), facts, as_json=as_json)


@click.command(epilog="Example: finetune split data.jsonl --validation 0.1")
@click.argument("file", type=DATA_FILE)
@click.option(
    "--validation",
    type=ShareOrNumber(),
    default="0.1",
    show_default=True,
    help="The share to validate on, or how many examples.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another one: another choice.")
@click.option(
    "--training-output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_new_file,
    metavar="FILE",
    help="Default: data.train.jsonl beside data.jsonl.",
)
@click.option(
    "--validation-output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_new_file,
    metavar="FILE",
    help="Default: data.valid.jsonl beside data.jsonl.",
)
@_overwrite_option
@json_option
def split(
    file: Path,
    validation: float,
    seed: int,
    training_output: Path | None,
    validation_output: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Share the lines of FILE out: to train on, to validate on.

    The same examples and seed give the same two files, and no example is in both.
    """
    with refused_overwriting():
        done = training_data.split(
            file,
            validation,
            seed,
            training_path=training_output,
            validation_path=validation_output,
            overwrite=overwrite,
        )
    facts = {
        "kind": "split",
        "file": str(file),
        "training": str(done.training),
        "validation": str(done.validation),
        "n_training": done.n_training,
        "n_validation": done.n_validation,
    }
    _print_outcome(done.training, str(done), facts, as_json=as_json)


@click.command(epilog="Example: finetune dedupe train.jsonl -o once.jsonl")
@click.argument("file", type=DATA_FILE)
@_output_option("train.deduped.jsonl beside train.jsonl")
@_reading_options
@_overwrite_option
@json_option
def dedupe(file: Path, output: Path | None, overwrite: bool, as_json: bool, **reading: Any) -> None:
    """Write each row of FILE once, as JSONL.

    Two rows are the same if their JSON is, whatever the order of keys. To keep the bytes of each
    line, use finetune fix.
    """
    read = 0

    def read_examples() -> Iterator[dict[str, Any]]:
        nonlocal read
        for row in training_data.read_rows(file, **reading):
            read += 1
            yield row

    target = _target(file, output, "deduped")
    written = _write(target, training_data.dedupe(read_examples()), overwrite=overwrite)
    facts = {
        "kind": "dedupe",
        "file": str(file),
        "output": str(target),
        "examples": written,
        "duplicates": read - written,
    }
    text = (
        f"{_named(target)}: {written:,} of {counted(read, 'example')}, {read - written:,} left out."
    )
    _print_outcome(target, text, facts, as_json=as_json)


def _target(file: Path, output: Path | None, what: str) -> Path:
    """Return where the examples go; by default a JSONL file beside FILE that is not FILE."""
    if output is not None:
        return output
    named = file.with_suffix("") if file.suffix.lower() == ".gz" else file
    beside = named.with_suffix(".jsonl")
    is_taken = what == "deduped" or beside == file
    return beside.with_suffix(f".{what}.jsonl") if is_taken else beside


def _named(target: Path) -> str:
    return "standard output" if target == _STDOUT else str(target)


def _write(target: Path, examples: Iterable[Any], *, overwrite: bool) -> int:
    if target != _STDOUT:
        with refused_overwriting():
            return training_data.write_jsonl(target, examples, overwrite=overwrite)
    written = 0
    for written, example in enumerate(examples, 1):
        click.echo(jsonl_line(example, written), nl=False)
    return written


def _print_outcome(target: Path, text: str, facts: dict[str, Any], *, as_json: bool) -> None:
    """Print what was done; on stderr where the examples themselves go to stdout."""
    shown = json_line(facts) if as_json else "\n".join(map(printable, text.splitlines()))
    click.echo(shown, err=target == _STDOUT)


COMMANDS = [convert, fix, split, dedupe]
