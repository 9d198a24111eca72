"""``finetune evaluate`` and ``finetune try``: what a model answers, and whether it is better."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client.cli.connect import (
    confirm_cost,
    connect,
    grading_server_options,
    server_options,
    yes_option,
)
from finetune_client.cli.graders import read_grader
from finetune_client.cli.output import json_option, writable
from finetune_client.cli.reporting import json_line, printable
from finetune_client.display import counted
from finetune_client.errors import FineTuneError
from finetune_client.evaluation import DEFAULT_GRADER, evaluate as evaluate_models, read_questions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.cli.connect import ServerOptions
    from finetune_client.evaluation import Evaluation

__all__ = ["COMMANDS"]


_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_EXISTING)
@click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    required=True,
    help="A model; give it twice or more. The first is the base of the comparison.",
)
@click.option(
    "--grader",
    type=_EXISTING,
    callback=read_grader,
    help="A grader of the API as JSON. Default: how similar the answer is to the file's own.",
)
@click.option("--limit", type=click.IntRange(1), help="Ask only so many questions of the file.")
@click.option(
    "--output",
    type=_FILE,
    callback=writable,
    help="Keep the answers here; none is asked for twice. JSON lines.",
)
@click.option(
    "--reference", type=_EXISTING, help="Answers kept earlier, of a model that may be gone."
)
@click.option("--html", type=_FILE, callback=writable, help="Write the report as a page.")
@click.option("--max-tokens", type=click.IntRange(1), help="Tokens of an answer, at most.")
@click.option(
    "--temperature", type=float, default=0.0, show_default=True, help="-1 leaves it to the server."
)
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Calls at once."
)
@yes_option
@grading_server_options
@json_option
def evaluate(
    file: Path,
    models: tuple[str, ...],
    grader: Mapping[str, Any] | None,
    limit: int | None,
    output: Path | None,
    reference: Path | None,
    html: Path | None,
    max_tokens: int | None,
    temperature: float,
    concurrency: int,
    yes: bool,
    as_json: bool,
    server: ServerOptions,
) -> None:
    """Ask models held-out questions, grade the answers, compare.

    Example: finetune evaluate valid.jsonl -m gpt-4o-mini -m ft:gpt-4o-mini:... --output answers.jsonl
    """
    questions = len(read_questions(file, limit=limit))
    with connect(**server) as client:
        numbers = (
            (questions, "question"),
            (len(models), "model"),
            (questions * len(models), "call"),
        )
        asked, of, calls = (counted(*number) for number in numbers)
        cost = f"{asked} to {of}: {calls}"
        known = [str(one) for one in (output, reference) if one is not None and one.exists()]
        if known:
            cost += f", less those whose answers are in {' and '.join(known)}"
        confirm_cost(client, f"{cost}.", yes=yes, quiet=as_json)
        found = evaluate_models(
            client,
            file,
            models=models,
            grader=grader or DEFAULT_GRADER,
            limit=limit,
            output=output,
            reference=reference,
            max_tokens=max_tokens,
            temperature=None if temperature < 0 else temperature,
            concurrency=concurrency,
        )
    if html is not None:
        found.write_html(html)
    if as_json:
        click.echo(json_line({"kind": "evaluation", **found.to_dict()}))
    else:
        _show(found)
    if not any(one.count for one in found.results):
        raise FineTuneError("No model gave an answer that could be graded.")


def _show(found: Evaluation) -> None:
    for line in str(found).splitlines():
        click.echo(printable(line))
    for model, number, message in found.failures[:5]:
        click.echo(printable(f"{model}, question {number}: {message}"), err=True)
    for other in found.models[1:]:
        _show_changes(found, other)


def _show_changes(found: Evaluation, model: str) -> None:
    for question, before, after in found.changes(model, count=3):
        asked = question.messages[-1].get("content")
        click.echo(f"\nQuestion {question.number}: {printable(_short(asked))}")
        click.echo(
            printable(f"  {before.reward:.3f} {found.models[0]}: {_short(before.answer.text)}")
        )
        click.echo(printable(f"  {after.reward:.3f} {model}: {_short(after.answer.text)}"))


def _short(text: object) -> str:
    plain = " ".join(str(text).split())
    return plain if len(plain) <= 300 else f"{plain[:300]} ..."


@click.command("try")
@click.argument("model")
@click.argument("question")
@click.option("--system", help="What the model is told first.")
@click.option("--max-tokens", type=click.IntRange(1), help="Tokens of the answer, at most.")
@click.option("--temperature", type=float, help="From 0 to 2; the server's default if not given.")
@server_options
@json_option
def try_model(
    model: str,
    question: str,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    as_json: bool,
    server: ServerOptions,
) -> None:
    """Ask a model one question, and print its answer.

    With - for the question it is read from the standard input.

    Example: finetune try ft:gpt-4o-mini:... "What is a decorator?"
    """
    text = sys.stdin.read() if question == "-" else question
    instructions = [] if system is None else [{"role": "system", "content": system}]
    with connect(**server) as client:
        completion = client.chat.completions.create(
            model=model,
            messages=[*instructions, {"role": "user", "content": text}],
            max_tokens=max_tokens,
            temperature=temperature,
        )
    if as_json:
        click.echo(json_line(completion.to_dict()))
        return
    for choice in completion.choices or []:
        content = choice.message.to_dict().get("content") if choice.message else None
        if isinstance(content, str):
            for line in content.split("\n"):
                click.echo(printable(line))
        if choice.finish_reason == "length":
            click.echo("The answer was cut off; a larger --max-tokens may help.", err=True)


COMMANDS = [evaluate, try_model]
