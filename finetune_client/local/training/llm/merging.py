"""Merging an adapter into its base: ``python -m finetune_client.local.training.llm.merging TASK``.

For whatever takes no adapters, such as the converters of llama.cpp. The task is JSON; the answer, on
the standard output, too.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.local.training.llm.failures import NOT_OF_BASE_MODEL, failure
from finetune_client.local.training.llm.sources import TOKENIZER_FILES, Source
from finetune_client.local.training.llm.watching import watch_parent
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["main"]

_NOT_OF_BASE = "The adapter was not made for this base model"
_OTHER_BASE = ("size mismatch", "not found in the base model")
"""What PEFT says of an adapter whose parts fit nowhere in the model."""

_ADAPTER_WEIGHTS = "adapter_model.safetensors"


def _merge(task: Mapping[str, Any]) -> None:
    from peft import PeftModel
    from transformers.utils.logging import disable_progress_bar

    from finetune_client.local.training.llm import weights

    disable_progress_bar()
    tuned, directory = Path(task["tuned"]), Path(task["directory"])
    weights.check_there(str(tuned))
    if not (tuned / _ADAPTER_WEIGHTS).is_file():
        raise TrainingError(
            f"The adapter has no {_ADAPTER_WEIGHTS}. Other formats are not read: a pickle can run any "
            "code when it is opened.",
            code="model_not_supported",
        )
    location = weights.localize(Source(**task["source"]), Path(task["cache"]))
    base = weights.load_model(location, weights.stored_dtype(location))
    try:
        model = PeftModel.from_pretrained(base, str(tuned))
    except (RuntimeError, ValueError) as error:
        if any(sign in str(error) for sign in _OTHER_BASE):
            message = f"{_NOT_OF_BASE}: it has other layers, or they have other sizes."
            raise TrainingError(message, code=NOT_OF_BASE_MODEL) from error
        raise
    _check_is_of_base(model, tuned)
    weights.save(model.merge_and_unload(), str(directory))
    _copy_tokenizer(tuned, location, directory)
    for path in directory.glob("*.safetensors"):  # which the library makes for the owner alone
        shutil.copymode(directory / "config.json", path)


def _check_is_of_base(model: Any, tuned: Path) -> None:
    """Raise if parts of an adapter have no place in the model, which PEFT leaves out with a warning."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(tuned / _ADAPTER_WEIGHTS, framework="pt") as file:
        given = {name for name in file.keys() if "lora_" in name}  # noqa: SIM118 - it is no dict
    # Without being told not to, PEFT asks the hub for a model of the base's name.
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    taken = {name for name in state if "lora_" in name}
    if given != taken:
        raise TrainingError(
            f"{_NOT_OF_BASE}: {len(given - taken)} of its {len(given)} "
            f"parts have no place in it, and {len(taken - given)} places would stay empty.",
            code=NOT_OF_BASE_MODEL,
        )


def _copy_tokenizer(tuned: Path, location: str, directory: Path) -> None:
    """Copy the tokenizer that lies beside an adapter, or else that of the base model.

    It is copied as it is: llama.cpp needs the ``tokenizer.model`` of some models, which transformers
    does not write again, and what one version of transformers writes an earlier one may not read.
    """
    source = tuned
    if not any((tuned / name).exists() for name in ("tokenizer.json", "tokenizer.model")):
        source = Path(location)
    for pattern in TOKENIZER_FILES:
        for path in source.glob(pattern):
            if path.is_file():
                target = directory / path.relative_to(source)
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(path, target)


def main(task: str) -> None:
    """Merge, and say how that went."""
    watch_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    try:
        _merge(json.loads(task))
        answer: dict[str, Any] = {}
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits is told
        traceback.print_exc()
        answer = failure(error)
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        if answer["code"] == "training_failed":
            answer["message"] = f"The adapter cannot be merged into this base model: {reason}"
        elif answer["code"] == "out_of_memory" and not isinstance(error, TrainingError):
            answer["message"] = f"There was too little memory to merge the adapter. ({reason})"
    answers.write(json.dumps(answer))
    answers.close()


if __name__ == "__main__":
    main(sys.argv[1])
