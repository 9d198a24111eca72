from __future__ import annotations

import pytest

from finetune_client.local.training.llm.failures import failure
from finetune_client.local.training.trainer import TrainingError


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: can't allocate"
        ),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("HIP out of memory"),
    ],
)
def test_failure__of_memory(error: Exception) -> None:
    told = failure(error)
    assert told["code"] == "out_of_memory"
    assert told["message"].startswith(
        "There was too little memory. Create the job again with a smaller batch_size or shorter "
        "examples, train an adapter instead of all weights, or let the server compute activations "
        "twice. ("
    )


def test_failure__that_knows_its_code() -> None:
    assert failure(TrainingError("It diverged.", code="training_diverged")) == {
        "code": "training_diverged",
        "message": "It diverged.",
    }


def test_failure__of_a_package() -> None:
    assert failure(ModuleNotFoundError("No module named 'trl'")) == {
        "code": "trainer_not_installed",
        "message": "No module named 'trl'. Install what training needs: pip install "
        "'finetune-client[llm]'",
    }


def test_failure__of_another_kind() -> None:
    assert failure(KeyError("x")) == {
        "code": "training_failed",
        "message": "Training failed: KeyError: 'x'",
    }
