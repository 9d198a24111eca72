"""The table of the docs that says which provider is sent what, made from the providers' values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.providers import PROVIDERS

if TYPE_CHECKING:
    from finetune_client.providers import Feature

__all__ = ["OPERATIONS", "provider_table"]

OPERATIONS: dict[Feature, str] = {
    "cancel": "`jobs.cancel`",
    "pause": "`jobs.pause`, `jobs.resume`",
    "events": "`jobs.list_events`",
    "checkpoints": "`jobs.checkpoints.list`",
    "result_files": "`jobs.metrics` from result files",
    "method": "`method`",
    "method_and_hyperparameters": "`method` and `hyperparameters` in one job",
    "suffix": "`suffix`",
    "metadata": "`metadata`",
    "metadata_filter": "`jobs.list(metadata=)`",
    "integrations": "`integrations`",
    "file_content": "`files.content`, `files.download`",
    "file_delete": "`files.delete`",
    "file_expiry": "`files.create(expires_after=)`",
    "files_paging": "`files.list(limit=, after=, order=)`",
    "uploads": "`uploads`",
    "weights": "`models.download`",
    "delete_model": "`models.delete`",
    "permissions": "`checkpoints.permissions`",
    "graders": "`graders.run`, `graders.validate`",
}
"""What a user asks for -> how the docs name it."""


def provider_table() -> str:
    """Return the table in Markdown, and below it why something is refused."""
    names = [f"`{name}`" for name in PROVIDERS]
    rows = [["operation", *names], ["---"] * (len(names) + 1)]
    for feature, operation in OPERATIONS.items():
        instead = "events" if feature == "result_files" else "refused"
        lacking = (feature in one.lacks for one in PROVIDERS.values())
        rows.append([operation, *(instead if lacks else "sent" for lacks in lacking)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    reasons = "\n".join(
        f"- `{one.name}`, {OPERATIONS[feature]}: {evidence}."
        for one in PROVIDERS.values()
        for feature, evidence in sorted(one.lacks.items())
    )
    return f"{table}\n\n{reasons}\n"
