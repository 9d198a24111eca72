"""What training costs: ``finetune estimate``, and the question before a job is created."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from finetune_client import AUTO
from finetune_client.cli.connect import PROVIDER, confirm_cost, is_billed, yes_option
from finetune_client.cli.job_options import AUTO_INT, DATA_FILE
from finetune_client.cli.output import json_option
from finetune_client.cli.reporting import json_line, printable
from finetune_client.display import counted
from finetune_client.models import MethodType
from finetune_client.training_data import check as check_data
from finetune_client.training_data.epochs import default_epochs
from finetune_client.training_data.formats import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from finetune_client import AutoOr, Client
    from finetune_client.cli.connect import Command
    from finetune_client.training_data import Report

__all__ = ["COMMANDS", "cost_options", "cost_question"]

_price_option = click.option(
    "--price",
    type=click.FloatRange(min=0),
    metavar="NUMBER",
    help="What a million trained tokens cost, from the provider's list; shows the cost.",
)


def cost_options(command: Command) -> Command:
    """Add the options of every command that may create a job that is paid for."""
    return _price_option(yes_option(command))


def cost_question(
    client: Client,
    bodies: Sequence[Mapping[str, Any]],
    *,
    price: float | None,
    yes: bool,
    as_json: bool,
) -> Callable[[Report | None], None]:
    """Return what says how much jobs will train on, and asks once, on a terminal alone.

    The requests are those of one job, or of the jobs of a sweep, which train on the same file.

    It takes the report of the training file, or `None` where the file is on the server already.
    It raises `click.Abort` if the answer was no.
    """

    def ask(report: Report | None) -> None:
        on_terminal = sys.stderr is not None and sys.stderr.isatty()
        if not is_billed(client) or not on_terminal:
            return
        jobs = "The job is" if len(bodies) == 1 else f"{len(bodies)} jobs are"
        if report is None:
            file = bodies[0].get("training_file")
            text = f"{jobs} billed by the tokens of {file}, which are not known here."
        else:
            text = training_cost(report, [_epochs_in(body) for body in bodies], price)
        confirm_cost(client, printable(text), yes=yes, quiet=as_json)

    return ask


def _epochs_in(body: Mapping[str, Any]) -> Any:
    method = body.get("method")
    place = method.get(str(method.get("type"))) if isinstance(method, dict) else body
    settings = place.get("hyperparameters") if isinstance(place, dict) else None
    found = settings.get("n_epochs") if isinstance(settings, dict) else None
    return AUTO if found is None else found


def training_cost(report: Report, n_epochs: Sequence[AutoOr[int]], price: float | None) -> str:
    """Return in sentences how much jobs train on, each for so many epochs, and what that costs."""
    facts = [_facts(report, one, price) for one in n_epochs]
    first = facts[0]
    tokens = sum(one["trained_tokens"] for one in facts)
    about = "" if first["tokens_exact"] else "about "
    epochs = counted(first["n_epochs"], "epoch")
    if len(facts) > 1:
        epochs = f"{counted(sum(one['n_epochs'] for one in facts), 'epoch')} in {len(facts)} jobs"
    by_default = ", if the service chooses as documented" if AUTO in n_epochs else ""
    examples = counted(first["examples"], "example")
    text = (
        f"Training on {about}{counted(tokens, 'token')}: {first['billed_tokens']:,} in "
        f"{examples}, {epochs}{by_default}."
    )
    if report.method == MethodType.REINFORCEMENT:
        text += " A service may bill reinforcement by the time that it takes instead."
    if price is not None:
        cost = sum(one["cost"] for one in facts)
        text += f" At {price:g} a million that costs {about}{cost:.2f}."
    return text


def _facts(report: Report, n_epochs: AutoOr[int], price: float | None) -> dict[str, Any]:
    examples = report.statistics["examples"]
    epochs = default_epochs(examples) if n_epochs == AUTO else n_epochs
    return {
        "examples": examples,
        "billed_tokens": report.billed_tokens,
        "tokens_exact": report.statistics["tokens_exact"],
        "tokens_counted_by": report.statistics["tokens_counted_by"],
        "n_epochs": epochs,
        "trained_tokens": report.billed_tokens * epochs,
        "price_per_million": price,
        "cost": None if price is None else report.cost(price_per_million=price, n_epochs=n_epochs),
    }


@click.command(epilog="Example: finetune estimate train.jsonl -m gpt-4.1-mini --price 5")
@click.argument("file", type=DATA_FILE)
@click.option("--model", "-m", help="The base model; tells how long an example may be.")
@click.option("--method", type=click.Choice(list(METHODS)), help="Default: told from the file.")
@click.option("--epochs", type=AUTO_INT, default="auto", help="Passes over the file.")
@click.option("--provider", type=PROVIDER, default="openai", help="Whose rules. Default: openai.")
@_price_option
@json_option
def estimate(
    file: Path,
    model: str | None,
    method: str | None,
    epochs: AutoOr[int],
    provider: str,
    price: float | None,
    as_json: bool,
) -> None:
    """Say how many tokens a job would train on, and what it costs.

    Sends nothing. Exit status: 0, also where the file is not fit to train on, which is told.
    """
    if epochs != AUTO and epochs < 1:
        raise click.BadParameter("it must be auto, or 1 or more.", param_hint="'--epochs'")
    report = check_data(file, method, provider=provider, model=model)
    if as_json:
        facts = _facts(report, epochs, price)
        click.echo(json_line({"kind": "estimate", "file": str(file), "ok": report.ok, **facts}))
        return
    if report.ok or report.statistics["examples"]:  # else nothing of it could be read
        click.echo(printable(training_cost(report, [epochs], price)))
    if not report.ok:
        rules = {"--method": method, "--provider": None if provider == "openai" else provider}
        options = "".join(f" {name} {value}" for name, value in rules.items() if value)
        see = f"finetune check {file}{options}"
        click.echo(printable(f"{file} is not fit to train on; see: {see}"), err=True)


COMMANDS = [estimate]
