"""Let the logger of Weights & Biases read a finished job through the official client and ours.

It is offline: it asks for no account, and writes into a folder. It cannot send training files then,
with either client; what it logs of the job must be the same.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from openai import OpenAI

from finetune_client import Client
from finetune_client.local import LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Iterable

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(WANDB_MODE="offline", WANDB_DIR=folder, WANDB_SILENT="true")
        with (
            LocalServer() as server,
            running(server) as url,
            Client("none", base_url=url) as ours,
            OpenAI(api_key="none", base_url=url) as official,
        ):
            job = ours.jobs.create(
                model="tiny",
                training_file=EXAMPLES / "python_topics_train.jsonl",
                validation_file=EXAMPLES / "python_topics_valid.jsonl",
            )
            ours.jobs.wait(job.id)
            logged = [log(client, job.id) for client in (official, ours)]
    metrics, keys = logged[1]
    print(f"wandb logs {len(metrics)} rows of metrics and {len(keys)} settings of a job")
    return 0 if logged[0] == (metrics, keys) and metrics else 1


def log(client: Any, job_id: str) -> tuple[list[Any], set[str]]:
    """Let it log the job; return the rows of metrics, and the names of the job's settings."""
    from wandb.integration.openai.fine_tuning import WandbLogger
    from wandb.sdk.wandb_config import Config
    from wandb.sdk.wandb_run import Run

    WandbLogger._logged_in = True  # noqa: SLF001 - offline there is nothing to log in to
    with (
        mock.patch.object(Run, "log", autospec=True) as rows,
        mock.patch.object(Config, "update", autospec=True) as settings,
    ):
        WandbLogger.sync(fine_tune_job_id=job_id, openai_client=client, log_datasets=False)
    updates: Iterable[dict[str, Any]] = (call.args[1] for call in settings.call_args_list)
    named = {key for update in updates for key, value in update.items() if value is not None}
    return [(call.kwargs["step"], call.args[1]) for call in rows.call_args_list], named


if __name__ == "__main__":
    sys.exit(main())
