"""Training files: checking them, and making ones that pass.

The names are loaded on first use, so that who makes a file does not load the checks. Type checkers
read ``__init__.pyi``.
"""

from __future__ import annotations

from finetune_client.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        ".checking.check": ["check"],
        ".codes.table": ["CODES", "Code"],
        ".epochs": ["cost", "default_epochs"],
        ".making.converting": ["convert", "from_alpaca", "from_prompt_completion", "from_sharegpt"],
        ".making.deduping": ["dedupe"],
        ".making.fixing": ["Change", "Fixed", "fix"],
        ".making.reading": ["read_rows"],
        ".making.splitting": ["Split", "split"],
        ".making.writing": ["write_jsonl"],
        ".problems": ["Problem"],
        ".report": ["Report", "Statistics"],
        ".tokens": ["Counter", "count_messages", "resolve_counter"],
    },
)
