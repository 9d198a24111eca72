"""What a user is told of an error in a process that trains, answers or merges.

It is apart from the modules that ``python -m`` runs: Python warns where one of those is imported first.
"""

from __future__ import annotations

from typing import Any, Final

from finetune_client.local.training.trainer import TrainingError

__all__ = ["NOT_OF_BASE_MODEL", "failure"]

NOT_OF_BASE_MODEL: Final = "not_of_base_model"
"""The code of an adapter that was made for another base model."""

_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_cpu")
_LESS_MEMORY = (
    "Create the job again with a smaller batch_size or shorter examples, train an adapter instead "
    "of all weights, or let the server compute activations twice."
)


def failure(error: BaseException) -> dict[str, Any]:
    """Return the code and the message that tell a user of an error."""
    if isinstance(error, TrainingError):
        return {"code": error.code, "message": str(error)}
    text = f"{type(error).__name__}: {error}"
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if is_memory or any(sign in text.lower() for sign in _MEMORY_SIGNS):
        message = f"There was too little memory. {_LESS_MEMORY} ({text.splitlines()[0]})"
        return {"code": "out_of_memory", "message": message}
    if isinstance(error, ModuleNotFoundError):
        return {
            "code": "trainer_not_installed",
            "message": f"{error}. Install what training needs: pip install 'finetune-client[llm]'",
        }
    return {"code": "training_failed", "message": f"Training failed: {text}"}
