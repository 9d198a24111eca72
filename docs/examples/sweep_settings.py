"""Train with 20 settings, and say which is best.

    python sweep_settings.py

Run it again, also after Ctrl-C or a crash: jobs that are there are found, and only those that are
missing are created.
"""

from __future__ import annotations

from pathlib import Path

from finetune_client import Client

HERE = Path(__file__).parent

REQUEST = {
    "model": "tiny",
    "training_file": HERE / "python_short_train.jsonl",
    "validation_file": HERE / "python_short_valid.jsonl",
    "seed": 7,  # so that nothing but the settings differs
}
GRID = {
    "n_epochs": [1, 2, 4, 6, 8],
    "batch_size": [4, 8],
    "learning_rate_multiplier": [0.3, 1.0],
}


def main() -> None:
    """Train with all of them, and compare."""
    with Client.local("tunes") as client:
        sweep = client.jobs.sweep(
            REQUEST,
            GRID,
            concurrency=4,
            on_run=lambda run: print(f"{run.job.status:>16}  {run.job.id}  {run.label}"),
        )
    found = sum(run.found for run in sweep.runs)
    print(f"\n{len(sweep.runs)} settings: {len(sweep.runs) - found} created, {found} found.\n")
    print(sweep)


if __name__ == "__main__":
    main()
