"""Merging an adapter into its base: ``python -m finetune_client.local.training.llm.merging TASK``.

For whatever takes no adapters, such as the converters of llama.cpp. The task is JSON; the answer, on
the standard output, too.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel

from finetune_client.local.training.llm import weights
from finetune_client.local.training.llm.child import failure
from finetune_client.local.training.llm.sources import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["main"]


def _merge(task: Mapping[str, Any]) -> None:
    weights.check_there(task["tuned"])
    location = weights.localize(Source(**task["source"]), Path(task["cache"]))
    tokenizer = weights.load_tokenizer(location)
    base = weights.load_model(location, torch.float32)
    merged = PeftModel.from_pretrained(base, task["tuned"]).merge_and_unload()
    weights.save(merged, task["directory"], tokenizer=tokenizer)


def main(task: str) -> None:
    """Merge, and say how that went."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    try:
        _merge(json.loads(task))
        answer: dict[str, Any] = {}
    except Exception as error:  # noqa: BLE001 - whatever it is, the server is told
        traceback.print_exc()
        answer = failure(error)
    answers.write(json.dumps(answer))
    answers.close()


if __name__ == "__main__":
    main(sys.argv[1])
