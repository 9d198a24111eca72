"""Graders in files, and ``finetune graders``: trying one before a job is paid for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from finetune_client.cli.connect import connect, grading_server_options
from finetune_client.cli.job_options import DATA_FILE
from finetune_client.cli.output import json_option
from finetune_client.cli.reporting import json_line, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from finetune_client.cli.connect import ServerOptions

__all__ = ["COMMANDS", "grader_option", "read_grader"]


def read_grader(
    ctx: click.Context | None,  # noqa: ARG001  # what click calls it with
    param: click.Parameter | None,  # noqa: ARG001
    path: Path | None,
) -> Mapping[str, Any] | None:
    """Return the grader in a file.

    Raises:
        click.BadParameter: It is not JSON, or not an object.
    """
    if path is None:
        return None
    try:
        grader = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.BadParameter(f"{str(path)!r} is not JSON: {error}.") from None
    if not isinstance(grader, dict):
        raise click.BadParameter(f"{str(path)!r} must hold one grader, a JSON object.")
    return grader


grader_option = click.option(
    "--grader",
    type=DATA_FILE,
    callback=read_grader,
    metavar="JSON",
    help="reinforcement: what grades the answers, a grader of the API in a JSON file.",
)


@click.group(epilog="Example: finetune graders validate grader.json")
def graders() -> None:
    """Try a grader before a job is paid for."""


def _read_item(
    ctx: click.Context,  # noqa: ARG001  # what click calls it with
    param: click.Parameter,  # noqa: ARG001
    text: str | None,
) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        item = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r:.80} is not JSON: {error}.") from None
    if not isinstance(item, dict):
        raise click.BadParameter("it must be a JSON object, a row of the training file.")
    return item


@graders.command(
    "run",
    epilog='Example: finetune graders run grader.json --sample 49 --item \'{"answer": "49"}\'',
)
@click.argument("grader", type=DATA_FILE, callback=read_grader)
@click.option(
    "--sample", required=True, metavar="TEXT", help="What a model answered: {{sample.output_text}}."
)
@click.option(
    "--item",
    callback=_read_item,
    metavar="JSON",
    help="The row of the training file, as an object: {{item.…}}.",
)
@grading_server_options
@json_option
def run_grader(
    grader: Mapping[str, Any],
    sample: str,
    item: Mapping[str, Any] | None,
    as_json: bool,
    server: ServerOptions,
) -> None:
    """Grade one answer.

    GRADER is a JSON file. Prints the reward, and what went wrong. Exit status: 0, also where the
    reward is 0; 1 when the grader could not grade the answer.
    """
    with connect(**server) as client:
        run = client.graders.run(grader=grader, model_sample=sample, item=item)
    found = run.metadata.errors.to_dict() if run.metadata and run.metadata.errors else {}
    wrong = {name: value for name, value in found.items() if value}
    if as_json:
        click.echo(json_line(run.to_dict()))
    else:
        click.echo(f"reward\t{'-' if run.reward is None else run.reward}")
        for name, reward in (run.sub_rewards or {}).items():
            click.echo(f"{printable(name)}\t{printable(str(reward))}")
        for name, value in wrong.items():
            click.echo(printable(name if value is True else f"{name}: {value}"), err=True)
    if wrong:
        click.get_current_context().exit(1)


@graders.command("validate", epilog="Example: finetune graders validate grader.json")
@click.argument("grader", type=DATA_FILE, callback=read_grader)
@grading_server_options
@json_option
def validate_grader(grader: Mapping[str, Any], as_json: bool, server: ServerOptions) -> None:
    """Ask the server whether it accepts a grader.

    GRADER is a JSON file. Exit status: 0 when it is accepted, 1 with the server's reason when not.
    """
    with connect(**server) as client:
        validated = client.graders.validate(grader=grader)
    if as_json:
        click.echo(json_line(validated.to_dict()))
    else:
        kind = validated.grader.to_dict().get("type") if validated.grader else None
        click.echo(printable(f"The server accepts it: {kind or 'a grader'}."))


COMMANDS = [graders]
