from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.grading import PythonLimits
from finetune_client.local.training.llm.options import Options, resolve
from finetune_client.local.training.llm.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEMPLATE = (
    "{% if tools %}{{ '<|im_start|>tools\n' + tools | tojson + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content }}"
    "{% for call in m.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}"
    "{{ '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML with tools; what it renders of a prefix is a prefix of what it renders of the whole."""


def make_tokenizer(template: str | None = TEMPLATE) -> Any:
    """A tokenizer whose tokens are bytes, and three that have a meaning."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    model = tokenizers.models.BPE(vocab={char: n for n, char in enumerate(alphabet)}, merges=[])
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|im_start|>"],
    )
    tokenizer.chat_template = template
    return tokenizer


def make_model(directory: Path, template: str | None = TEMPLATE, **sizes: int) -> Path:
    """Write a random Llama, of 90 thousand weights if its config is given no other sizes."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = make_tokenizer(template)
    torch.manual_seed(0)
    small = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
    }
    config = transformers.LlamaConfig(
        **{**small, **sizes},
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., Path]:
    def write(lines: list[dict[str, Any]], name: str = "train.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    return write


def chat(number: int, **more: Any) -> dict[str, Any]:
    """A line with one short question and its answer, of which `answer_tokens` are trained."""
    question = {"role": "user", "content": f"What is {number} squared?"}
    return {
        "messages": [question, {"role": "assistant", "content": f"It is {number * number}."}],
        **more,
    }


def answer_tokens(number: int) -> int:
    return len(f"It is {number * number}.") + 1


@dataclass
class Outcome:
    """What a run left."""

    run: RunDirectory
    events: list[dict[str, Any]]

    @property
    def steps(self) -> list[dict[str, Any]]:
        return self.of("step")

    @property
    def warnings(self) -> list[str]:
        return [notice["message"] for notice in self.of("notice") if notice["level"] == "warn"]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    def metrics(self, name: str) -> list[float]:
        return [step["metrics"][name] for step in self.steps if name in step["metrics"]]

    @property
    def model(self) -> Path:
        return self.run.checkpoint(self.steps[-1]["number"])


@pytest.fixture
def train_here(
    tmp_path: Path, tiny: Path, write_lines: Callable[..., Path]
) -> Callable[..., Outcome]:
    """Run a task in this process, which has torch loaded; most of a child's time is for that."""
    pytest.importorskip("torch")
    from finetune_client.local.training.llm.runs import train

    def run(
        lines: list[dict[str, Any]],
        *,
        validation: list[dict[str, Any]] | None = None,
        method: str = "supervised",
        seed: int = 1,
        grader: dict[str, Any] | None = None,
        parent: Path | None = None,
        resume_from: Path | None = None,
        model: Path = tiny,
        options: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Outcome:
        number = len(list(tmp_path.glob("run-*")))
        directory = RunDirectory(tmp_path / f"run-{number}")
        directory.path.mkdir()
        valid = None
        if validation is not None:
            valid = str(write_lines(validation, f"valid-{number}.jsonl"))
        task = {
            "method": method,
            "base": "tiny-llama",
            "source": {"location": str(model), "gguf": None, "is_local": True},
            "cache": str(tmp_path / "cache"),
            "training_file": str(write_lines(lines, f"train-{number}.jsonl")),
            "validation_file": valid,
            "hyperparameters": resolve(method, settings, len(lines)),
            "seed": seed,
            "grader": grader,
            "python_limits": PythonLimits().to_dict(),
            "parent": parent and str(parent),
            "resume_from": resume_from and str(resume_from),
            "options": Options(threads=1, **{"dtype": "float32", **(options or {})}).to_dict(),
        }
        train(directory, task)
        return Outcome(directory, list(directory.events().read()))

    return run
