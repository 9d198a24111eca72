"""Where the command starts; it tells what is missing when its extra is not installed."""

from __future__ import annotations

import sys

__all__ = ["main"]

NEEDED = {"click", "rich", "plotille"}


def main() -> None:
    """Run the command line; the entry point ``finetune``."""
    try:
        from finetune_client.cli.commands import cli
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        sys.exit(
            f"The command finetune needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'finetune-client[cli]'"
        )
    cli()
