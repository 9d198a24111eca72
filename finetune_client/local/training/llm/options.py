"""What a server is told about training real models, and the numbers that ``"auto"`` stands for.

`docs/own-models.md` states the rules and where they come from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from finetune_client.local.training import hyperparameters

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LORA_ALPHA", "Options", "learning_rate", "resolve", "samples_per_prompt"]

LORA_ALPHA = 32
"""https://thinkingmachines.ai/blog/lora/: 32 whatever the rank."""

_SAMPLES_PER_PROMPT = 8
_PREFERENCE_RATE = 1e-6
_RATE = 5e-5
_LORA_FACTOR = 10
_RATE_HIDDEN_SIZE = 2000
_RATE_EXPONENTS = {"llama": 0.781, "qwen": 0.0775}


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How models are trained, whatever the job.

    Attributes:
        lora_rank: The rank of new adapters; an adapter that is continued keeps its own.
        full: Train all weights instead of an adapter.
        threads: Of each process on a CPU; `None` for torch's choice, which is all cores.
        dtype: In which numbers matrices are multiplied; ``"auto"`` is bfloat16 where the hardware
            has it and float32 elsewhere.
        max_length: The most tokens of an example; `None` for as many as the model takes.
        tokens_per_pass: How many tokens, padding included, a process takes at once; a step's batch
            is divided so. `None` for 4096 on a CPU and 16384 elsewhere.
        activation_checkpointing: Compute activations twice instead of keeping them: a fifth slower,
            with a quarter of the memory.
        answer_tokens: The most tokens of a sampled answer in reinforcement.
        processes: How many processes train together on this machine.
    """

    lora_rank: int = 16
    full: bool = False
    threads: int | None = None
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    max_length: int | None = None
    tokens_per_pass: int | None = None
    activation_checkpointing: bool = False
    answer_tokens: int = 256
    processes: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON has them."""
        return asdict(self)


def resolve(method: str, given: Mapping[str, Any], examples: int) -> dict[str, Any]:
    """Return all hyperparameters of a method, with a value where one is missing or ``"auto"``."""
    size = given.get("batch_size")
    if size in {None, "auto"}:
        size = max(1, min(examples, max(4, min(32, examples // 32))))
    interval = given.get("eval_interval")
    if interval in {None, "auto"}:
        interval = max(1, -(-examples // int(size)))
    return hyperparameters.resolve(
        method, {**given, "batch_size": size, "eval_interval": interval}, examples
    )


def learning_rate(method: str, *, full: bool, model_type: str, hidden_size: int) -> float:
    """Return the rate that a ``learning_rate_multiplier`` of 1 stands for.

    Supervised: https://tinker-docs.thinkingmachines.ai/supervised-learning/sl-hyperparams, a
    formula fitted to Llama and Qwen; other families get Qwen's exponent, which changes it least.
    The other methods: TRL's defaults, times ten for an adapter.
    """
    factor = 1 if full else _LORA_FACTOR
    if method != "supervised":
        return _PREFERENCE_RATE * factor
    family = next((name for name in _RATE_EXPONENTS if model_type.startswith(name)), "qwen")
    size: float = (_RATE_HIDDEN_SIZE / hidden_size) ** _RATE_EXPONENTS[family]
    return _RATE * factor * size


def samples_per_prompt(compute_multiplier: float) -> int:
    """Return how many answers are sampled for each prompt in reinforcement, at least 2."""
    return max(2, round(_SAMPLES_PER_PROMPT * compute_multiplier))
