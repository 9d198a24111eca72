"""Train on the newest data, at most once a day, however often this is started.

    python nightly.py train.jsonl --model tiny

The job's idempotency key says when two runs are the same: by default those of one day. With --once-per data
they are those of the same data, so that nothing is trained while the file stays as it is.

The name of the new model is written into the file that --output names, in one piece: programs that
read it see the old name or the new one. A job that failed stays the job of its day; --name begins anew.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from datetime import date, datetime, timezone
from pathlib import Path

from finetune_client import Client, FineTuneError


def connect() -> Client:
    """Return a client of `finetune serve` on this machine; for OpenAI, return Client()."""
    url = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
    return Client("local", base_url=url, provider="local")


def key_of_day(name: str, day: date) -> str:
    """Return the key that all runs of one day share."""
    return f"{name}-{day.isoformat()}"


def key_of_data(name: str, path: Path) -> str:
    """Return the key that all runs on the same data share."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return f"{name}-{digest.hexdigest()[:32]}"


def main() -> None:
    """Train, and write the model's name."""
    parser = argparse.ArgumentParser(description="Train on the newest data, once per day or data.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", type=Path, default=Path("current-model.txt"))
    parser.add_argument("--name", default="nightly", help="what the key begins with")
    parser.add_argument("--once-per", choices=["day", "data"], default="day")
    parser.add_argument("--day", type=date.fromisoformat, help="instead of today, in UTC")
    chosen = parser.parse_args()
    try:
        if chosen.once_per == "day":
            key = key_of_day(chosen.name, chosen.day or datetime.now(timezone.utc).date())
        else:
            key = key_of_data(chosen.name, chosen.file)
        with connect() as client:
            job = client.jobs.create(
                model=chosen.model, training_file=chosen.file, idempotency_key=key
            )
            job = client.jobs.wait(job.id, timeout=12 * 3600)
    except (FineTuneError, OSError) as error:
        sys.exit(f"{chosen.name}: {error}")  # cron mails it; the exit status is 1
    draft = chosen.output.with_name(f"{chosen.output.name}.new")
    draft.write_text(f"{job.fine_tuned_model}\n", encoding="utf-8")
    draft.replace(chosen.output)
    print(f"{key}: {job.id} made {job.fine_tuned_model}")


if __name__ == "__main__":
    main()
