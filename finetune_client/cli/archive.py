"""``finetune archive``: what an account holds, and what its tuned models answer, in a folder."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from finetune_client.archive import (
    estimate,
    keep_answers,
    layout,
    save,
    tuned_models,
    write_training_file,
)
from finetune_client.cli.connect import confirm_cost, connect, server_options, yes_option
from finetune_client.cli.output import json_option
from finetune_client.cli.reporting import json_line, printable
from finetune_client.display import counted
from finetune_client.errors import RequestError
from finetune_client.evaluation import read_questions
from finetune_client.training_data import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from finetune_client import Client
    from finetune_client.archive import (
        ArchiveProgress,
        ArchiveReport,
        KeptAnswers,
        Missing,
        TrainingFile,
    )
    from finetune_client.archive.report import OnProgress
    from finetune_client.cli.connect import ServerOptions
    from finetune_client.evaluation import Answer, Question

__all__ = ["COMMANDS"]

_LINES = 10
"""About so many lines tell the progress of each part, where there is no terminal."""

_MOST_MISSING = 20
"""So many of what could not be had are printed; the page has them all."""


_RUN_IT_AGAIN = "Run the same command again: it fetches what is missing."


class _Output(Protocol):
    """Where the progress is shown."""

    def saving(self) -> AbstractContextManager[OnProgress]: ...

    def asking(self, total: int) -> AbstractContextManager[Any]: ...


class _Silent:
    """No progress, for ``--json``."""

    @contextmanager
    def saving(self) -> Iterator[OnProgress]:
        yield lambda _: None

    @contextmanager
    def asking(self, total: int) -> Iterator[Any]:  # noqa: ARG002  # nothing is shown
        yield lambda _: None


class _Lines:
    """Plain lines, for a pipe or a log."""

    @contextmanager
    def saving(self) -> Iterator[OnProgress]:
        shown: set[tuple[str, int]] = set()

        def show(progress: ArchiveProgress) -> None:
            if progress.total:
                part = _LINES * progress.done // progress.total
                if progress.done and (progress.phase, part) not in shown:
                    shown.add((progress.phase, part))
                    click.echo(f"{progress.phase}: {progress.done:,} of {progress.total:,}")

        yield show

    @contextmanager
    def asking(self, total: int) -> Iterator[Any]:
        done = 0

        def show(_: Answer) -> None:
            nonlocal done
            done += 1
            if done == total or done * _LINES // total > (done - 1) * _LINES // total:
                click.echo(f"answers: {done:,} of {total:,}")

        yield show


class _Bars:
    """Bars on a terminal."""

    @contextmanager
    def saving(self) -> Iterator[OnProgress]:
        from rich.filesize import decimal

        with _progress() as bar:
            task = bar.add_task("lists", total=None, size="")

            def show(now: ArchiveProgress) -> None:
                size = ""
                if now.bytes_total:
                    size = f"{decimal(now.bytes_done)} of {decimal(now.bytes_total)}"
                elif now.bytes_done:
                    size = decimal(now.bytes_done)
                total = now.total or None
                bar.update(task, description=now.phase, completed=now.done, total=total, size=size)

            yield show

    @contextmanager
    def asking(self, total: int) -> Iterator[Any]:
        with _progress() as bar:
            task = bar.add_task("answers", total=total, size="")
            yield lambda _: bar.advance(task)


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[size]}"),
        TimeElapsedColumn(),
        console=Console(highlight=False),
        transient=True,
    )


def _output(*, as_json: bool) -> _Output:
    if as_json:
        return _Silent()
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return _Bars() if is_terminal and os.environ.get("TERM") != "dumb" else _Lines()


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Jobs, files or calls at once.",
)
@click.option(
    "--ask",
    "prompts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PROMPTS",
    help="Then ask each tuned model these questions; a validation file serves. This costs money.",
)
@click.option(
    "--model", "-m", "models", multiple=True, help="Ask this model; by default all tuned ones."
)
@click.option("--max-tokens", type=click.IntRange(1), help="Tokens of an answer, at most.")
@click.option(
    "--as-training-file",
    "training_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="Write questions and answers as lines of a training file.",
)
@yes_option
@server_options
@json_option
def archive(
    directory: Path,
    concurrency: int,
    prompts: Path | None,
    models: tuple[str, ...],
    max_tokens: int | None,
    training_file: Path | None,
    yes: bool,
    as_json: bool,
    server: ServerOptions,
) -> None:
    """Keep all that an account holds in a folder.

    Into DIR go jobs, events, checkpoints, metrics, files and models. It only reads. Run it again to fetch what is new, or to continue after it was stopped. DIR/index.html
    shows all of it without a network. OPENAI_ADMIN_KEY, if set, adds the permissions of checkpoints.

    Exit status: 0 if all was had that the server gives, 1 if running it again may get more, or if no
    model answered.

    Example: finetune archive my-account --ask valid.jsonl --max-tokens 500
    """
    if prompts is None and (models or max_tokens or training_file):
        raise click.UsageError("--model, --max-tokens and --as-training-file go with --ask.")
    questions = [] if prompts is None else read_questions(prompts)
    if prompts and training_file and training_file.exists() and training_file.samefile(prompts):
        raise click.UsageError("--as-training-file would replace the file of --ask; name another.")
    out = _output(as_json=as_json)
    with connect(**server) as client, _nothing_is_lost():
        with out.saving() as on_progress:
            report = save(client, directory, concurrency=concurrency, on_progress=on_progress)
        facts: dict[str, Any] = {"kind": "archive", **report.to_dict()}
        if not as_json:
            _show_report(report, directory)
        kept = None
        if questions:
            kept = _ask(
                client,
                directory,
                questions,
                models or tuned_models(directory),
                max_tokens=max_tokens,
                concurrency=concurrency,
                training_file=training_file,
                yes=yes,
                out=out,
                facts=facts if as_json else None,
            )
    if as_json:
        click.echo(json_line(facts))
    missing = [*report.missing, *(kept.missing if kept else ())]
    may_get_more = not all(one.is_final for one in missing)
    if may_get_more and not as_json:
        click.echo(_RUN_IT_AGAIN, err=True)
    if may_get_more or (kept is not None and not kept.answers):
        click.get_current_context().exit(1)


@contextmanager
def _nothing_is_lost() -> Iterator[None]:
    """Say after Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped. {_RUN_IT_AGAIN}") from None


def _ask(
    client: Client,
    directory: Path,
    questions: Sequence[Question],
    models: Sequence[str],
    *,
    max_tokens: int | None,
    concurrency: int,
    training_file: Path | None,
    yes: bool,
    out: _Output,
    facts: dict[str, Any] | None,
) -> KeptAnswers:
    """Ask the models, and return what they answered.

    Args:
        client: The client.
        directory: The archive.
        questions: What is asked.
        models: Who is asked.
        max_tokens: See `keep_answers`.
        concurrency: See `keep_answers`.
        training_file: Where the answers are to be written as examples.
        yes: Do not ask before it.
        out: Shows the progress.
        facts: Where what is found is put; None to print it.

    Raises:
        RequestError: There is no model to ask.
    """
    if not models:
        raise RequestError("The account has no tuned model to ask; name one with --model.")
    cost = estimate(directory, questions, models, max_tokens=max_tokens)
    if cost.calls:
        confirm_cost(client, str(cost), yes=yes, quiet=facts is not None)
    with out.asking(cost.models * cost.questions) as on_answer:
        kept = keep_answers(
            client,
            directory,
            questions,
            models,
            max_tokens=max_tokens,
            concurrency=concurrency,
            on_answer=on_answer,
        )
    written = None if training_file is None else write_training_file(kept.answers, training_file)
    if facts is not None:
        facts["answers"] = len(kept.answers)
        facts["answers_missing"] = [one.to_dict() for one in kept.missing]
        if written is not None:
            facts["training_file"] = {
                "path": str(written.path),
                "examples": written.examples,
                "cut_off": written.cut_off,
                "empty": written.empty,
            }
        return kept
    click.echo(
        f"{counted(len(kept.answers), 'answer')} in {printable(str(directory / layout.ANSWERS))}."
    )
    _show_missing(kept.missing)
    if written is not None:
        _show_training_file(client, written, len(models))
    return kept


def _show_report(report: ArchiveReport, directory: Path) -> None:
    new = f" New files: {report.fetched_files:,}." if report.fetched_files else ""
    click.echo(
        f"{counted(report.jobs, 'job')}, {counted(report.events, 'event')}, "
        f"{counted(report.checkpoints, 'checkpoint')}, {counted(report.files, 'file')} and "
        f"{counted(report.models, 'model')}, {_size(report.bytes)} in all.{new}"
    )
    _show_missing(report.missing)
    click.echo(f"Page: {printable(str(directory / layout.PAGE))}")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _show_missing(missing: Sequence[Missing]) -> None:
    if missing:
        click.echo("Could not be had:", err=True)
    for one in missing[:_MOST_MISSING]:
        click.echo(printable(f"  {one}"), err=True)
    if len(missing) > _MOST_MISSING:
        click.echo(f"  and {len(missing) - _MOST_MISSING:,} more", err=True)


def _show_training_file(client: Client, written: TrainingFile, models: int) -> None:
    left_out = [
        f"{count:,} {what}"
        for count, what in ((written.cut_off, "that were cut off"), (written.empty, "without text"))
        if count
    ]
    tail = f"; left out: {' and '.join(left_out)}" if left_out else ""
    name = printable(str(written.path))
    click.echo(f"{name}: {counted(written.examples, 'example')}{tail}.")
    if models > 1:
        click.echo(
            f"The answers of {models} models are in one file; --model chooses one of them.",
            err=True,
        )
    report = check(written.path, provider=client.provider.name) if written.examples else None
    if report is not None and not report.ok:
        for line in str(report).splitlines():
            click.echo(printable(line), err=True)


COMMANDS = [archive]
