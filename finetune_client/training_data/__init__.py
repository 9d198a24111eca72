"""Training files: checking them, and making ones that pass."""

from finetune_client.training_data.checking.check import check
from finetune_client.training_data.codes.table import CODES, Code
from finetune_client.training_data.epochs import cost, default_epochs
from finetune_client.training_data.making.converting import (
    convert,
    from_alpaca,
    from_prompt_completion,
    from_sharegpt,
)
from finetune_client.training_data.making.deduping import dedupe
from finetune_client.training_data.making.fixing import Change, Fixed, fix
from finetune_client.training_data.making.reading import read_rows
from finetune_client.training_data.making.splitting import Split, split
from finetune_client.training_data.making.writing import write_jsonl
from finetune_client.training_data.problems import Problem
from finetune_client.training_data.report import Report, Statistics
from finetune_client.training_data.tokens import Counter, count_messages, resolve_counter

__all__ = [
    "CODES",
    "Change",
    "Code",
    "Counter",
    "Fixed",
    "Problem",
    "Report",
    "Split",
    "Statistics",
    "check",
    "convert",
    "cost",
    "count_messages",
    "dedupe",
    "default_epochs",
    "fix",
    "from_alpaca",
    "from_prompt_completion",
    "from_sharegpt",
    "read_rows",
    "resolve_counter",
    "split",
    "write_jsonl",
]
