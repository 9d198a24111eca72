"""Loading base models, adapters and tokenizers, and writing what was trained.

Runs in processes of its own, with torch; code that a repository brings along is never run.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.pytorch_utils import Conv1D

from finetune_client.local.training.llm import hub, memory
from finetune_client.local.training.llm.sources import ADAPTER_CONFIG
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local.training.llm.sources import Source

__all__ = [
    "check_there",
    "free_memory",
    "has_bfloat16",
    "is_adapter",
    "is_sharded",
    "load_model",
    "load_tokenizer",
    "localize",
    "longest_input",
    "matmul_dtype",
    "save",
    "shape",
    "stored_dtype",
    "takes_kept_logits",
]


_FLOAT_BYTES = 4
_UNLIMITED = 1_000_000
"""From here on a tokenizer's longest input means that nobody has stated one."""


def is_adapter(directory: Path) -> bool:
    """Tell whether a directory holds an adapter rather than a whole model."""
    return (directory / ADAPTER_CONFIG).exists()


def has_bfloat16() -> bool:
    """Tell whether the hardware multiplies bfloat16: elsewhere it is up to 8 times slower."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    with suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False


def matmul_dtype(option: str) -> torch.dtype:
    """Return the type that the option ``dtype`` means here."""
    if option == "auto":
        return torch.bfloat16 if has_bfloat16() else torch.float32
    return torch.bfloat16 if option == "bfloat16" else torch.float32


def localize(source: Source, cache: Path, report: Callable[[str], None] = lambda _: None) -> str:
    """Return the directory to load: a model of the hub is downloaded, a GGUF file converted, once.

    transformers takes half a minute to read a GGUF file of 100 MB, and a tenth of a second to read
    the safetensors that it is converted to.

    Args:
        source: The model.
        cache: Where GGUF files are converted to.
        report: Called with what a user should know of a download.

    Raises:
        TrainingError: The hub does not give the model.
    """
    if not source.is_local:
        return hub.fetch(source.location, report=report, check=shape)
    if source.gguf is None:
        return source.location
    path = Path(source.location, source.gguf)
    facts = path.stat()
    known = f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}".encode()
    target = cache / f"{path.stem}-{hashlib.sha256(known).hexdigest()[:16]}"
    if target.exists():
        return str(target)
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(dir=cache, suffix=".part"))
    try:
        model = AutoModelForCausalLM.from_pretrained(
            source.location,
            gguf_file=source.gguf,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
            local_files_only=True,
        )
        model.save_pretrained(draft)
        tokenizer = AutoTokenizer.from_pretrained(
            source.location, gguf_file=source.gguf, local_files_only=True
        )
        tokenizer.save_pretrained(draft)
        with suppress(OSError):  # another process was faster
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return str(target)


def load_tokenizer(location: str) -> Any:
    """Return a model's tokenizer, with a token for padding.

    Raises:
        TrainingError: There is none, or it does not tell which characters a token stands for.
    """
    check_there(location)
    try:
        tokenizer = AutoTokenizer.from_pretrained(location, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise _not_found(location, error) from error
    if not tokenizer.is_fast:
        message = f"The model '{_shown(location)}' has no fast tokenizer, which training needs."
        raise TrainingError(message, code="model_not_supported")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer


def load_model(location: str, dtype: torch.dtype, *, trained: float = 0.0) -> Any:
    """Return a model with its weights in `dtype`.

    Args:
        location: Its directory.
        dtype: The type of the weights.
        trained: Which share of the weights is trained, for an estimate of the memory needed.

    Raises:
        TrainingError: There is no such model, or too little memory for it.
    """
    check_there(location)
    _check_memory(location, dtype, trained)
    try:
        return AutoModelForCausalLM.from_pretrained(
            location, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise _not_found(location, error) from error


def stored_dtype(location: str) -> torch.dtype:
    """Return the type of the weights of a model on the disk; float32 where its config does not say.

    Raises:
        TrainingError: There is no such model.
    """
    check_there(location)
    try:
        config = AutoConfig.from_pretrained(location, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise _not_found(location, error) from error
    return config.dtype if isinstance(config.dtype, torch.dtype) else torch.float32


def check_there(location: str) -> None:
    """Raise if a directory is gone: transformers would ask the hub for a repository of its name."""
    if Path(location).is_absolute() and not Path(location).is_dir():
        message = f"The directory of the model '{_shown(location)}' is gone."
        raise TrainingError(message, code="model_not_found")


def _not_found(location: str, error: Exception) -> TrainingError:
    # What follows the first paragraph is advice for programs that call transformers themselves.
    reason = str(error).replace(location, _shown(location)).strip().partition("\n\n")[0]
    return TrainingError(
        f"The model '{_shown(location)}' cannot be loaded: {reason} It must be a causal language "
        "model in safetensors or GGUF that transformers knows without code of its own.",
        code="model_not_found",
    )


def _shown(location: str) -> str:
    """Return a model's name for messages, which travel further than paths should."""
    return hub.repository_of(Path(location)) or Path(location).name


def _check_memory(location: str, dtype: torch.dtype, trained: float) -> None:
    """Raise if the weights, their gradients and the optimizer's averages cannot fit."""
    if is_sharded():
        return  # one process holds a part of them, and where, its config decides
    size = shape(location).weights * (dtype.itemsize + trained * 3 * _FLOAT_BYTES)
    room = free_memory()
    if size > room:
        what, advice = "the weights", "Choose a smaller model"
        if trained:
            what = "the weights, gradients and averages"
            advice = "Train an adapter instead of all weights, choose a smaller model"
        raise TrainingError(
            f"The model '{_shown(location)}' needs about {size / 1e9:.1f} GB for {what} alone, and "
            f"{room / 1e9:.1f} GB are there. {advice}, or use a machine with more memory.",
            code="out_of_memory",
        )


def shape(location: str) -> memory.Shape:
    """Return the sizes of a model from its config; no weight is loaded, nor any memory taken.

    Of experts in one tensor only the weights are counted, not what goes in and comes out.

    Raises:
        TrainingError: There is no such model.
    """
    check_there(location)
    try:
        config = AutoConfig.from_pretrained(location, trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise _not_found(location, error) from error
    text = config.get_text_config()
    # What has no attention keeps no keys and values.
    heads = getattr(text, "num_attention_heads", None) or 0
    head = getattr(text, "head_dim", None) or text.hidden_size // max(1, heads)
    keys = getattr(text, "num_key_value_heads", None) or heads
    scores = model.get_output_embeddings()
    return memory.Shape(
        weights=sum(one.numel() for one in model.parameters()),
        layers=text.num_hidden_layers,
        hidden_size=text.hidden_size,
        vocabulary=text.vocab_size,
        features=sum(
            sum(module.weight.shape)
            for module in model.modules()
            if isinstance(module, torch.nn.Linear | Conv1D) and module is not scores
        ),
        cache=2 * keys * head * text.num_hidden_layers,
    )


def is_sharded() -> bool:
    """Tell whether accelerate is to divide the model among processes; on a CPU it never does."""
    wanted = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return torch.accelerator.is_available() and any(
        os.environ.get(name, "").lower() == "true" for name in wanted
    )


def free_memory() -> int:
    """Return the bytes that a model may use here: of the GPU, or of the machine."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return memory.free_memory()


def longest_input(tokenizer: Any, location: str) -> int:
    """Return how many tokens a model takes, from its config or its tokenizer."""
    config = AutoConfig.from_pretrained(location, trust_remote_code=False).get_text_config()
    stated = [getattr(config, "max_position_embeddings", None), tokenizer.model_max_length]
    known = [length for length in stated if length is not None and length < _UNLIMITED]
    return min(known) if known else _UNLIMITED


def takes_kept_logits(model: Any) -> bool:
    """Tell whether a model can compute the logits of chosen positions alone."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def save(model: Any, directory: str, state: Any = None, tokenizer: Any = None) -> None:
    """Write an adapter or a whole model, in PEFT's or safetensors' layout."""
    if hasattr(model, "peft_config"):
        # PEFT would ask the hub whether the vocabulary has grown, by the name of the base model.
        model.save_pretrained(
            directory, state_dict=state, save_embedding_layers=False, selected_adapters=["default"]
        )
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, "README.md"))  # noqa: PTH108, PTH118 - PEFT's card
        return
    model.save_pretrained(directory, state_dict=state)
    if tokenizer is not None:
        tokenizer.save_pretrained(directory)
