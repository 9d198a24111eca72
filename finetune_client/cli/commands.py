"""The group ``finetune`` and its commands, each of which is loaded when it is used."""

from __future__ import annotations

import click

from finetune_client import __version__
from finetune_client.cli.group import Commands

__all__ = ["cli"]

_TABLE = {
    "archive": ("archive", "Keep all that an account holds in a folder."),
    "cancel": ("jobs", "Cancel a job; what it has trained so far may be billed."),
    "check": ("files", "Check whether FILE is fit to train on; sends nothing."),
    "checkpoints": ("jobs", "List a job's checkpoints, newest first: id, step, model."),
    "config": ("config", "Show which settings are in force, and where they come from."),
    "convert": ("making", "Make chat examples of the rows of FILE."),
    "create": ("jobs", "Create a job from an uploaded file, or from a job file."),
    "dedupe": ("making", "Write each row of FILE once, as JSONL."),
    "estimate": ("costs", "Say how many tokens a job would train on, and what it costs."),
    "evaluate": ("evaluate", "Ask models held-out questions, grade the answers, compare."),
    "events": ("jobs", "Show a job's newest events, the last one at the end."),
    "files": ("files", "List files, or handle one with a command below."),
    "fix": ("making", "Repair FILE (JSONL) where that changes no example."),
    "follow": ("jobs", "Show a job's events as they come, then its loss curve."),
    "graders": ("graders", "Try a grader before a job is paid for."),
    "ledger": ("ledger", "Show and settle which idempotency key created which job."),
    "list": ("jobs", "List jobs, newest first."),
    "logs": ("logs", "Show the log of the processes that trained a job here."),
    "metrics": ("jobs", "Show a job's measurements and draw its loss curve."),
    "models": ("models", "List models, or handle one with a command below."),
    "pause": ("jobs", "Pause a job; resume it with: finetune resume JOB_ID"),
    "permissions": ("permissions", "Say which projects may use a tuned model."),
    "rerun": ("rerun", "Create the same job again, here or on another server."),
    "resume": ("jobs", "Resume a paused job."),
    "run": ("run", "Check a file, upload it, train on it and watch the job."),
    "serve": ("serve", "Serve the API on this machine, with what was trained here."),
    "show": ("jobs", "Show a job: id, status, base model, tuned model, creation."),
    "split": ("making", "Share the lines of FILE out: to train on, to validate on."),
    "sweep": ("sweep", "Train with each setting of a grid, and compare the jobs."),
    "try": ("evaluate", "Ask a model one question, and print its answer."),
    "upload": ("files", "Upload FILE and print its id."),
    "wait": ("jobs", "Wait until a job is done."),
}
"""Command -> the module of this package whose ``COMMANDS`` has it, and its line in the help."""


@click.group(cls=Commands, table=_TABLE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="finetune-client")
def cli() -> None:
    """Fine-tune models over OpenAI-compatible APIs.

    The key comes from OPENAI_API_KEY (for Azure: AZURE_OPENAI_API_KEY); with --local none is needed.
    """
