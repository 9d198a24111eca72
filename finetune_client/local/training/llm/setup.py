"""What every method needs before its first step: tokenizer, examples, model, arguments."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainingArguments

from finetune_client.local.training.llm import memory, weights
from finetune_client.local.training.llm.example_files import ExampleFile
from finetune_client.local.training.llm.options import LORA_ALPHA, Options, learning_rate
from finetune_client.local.training.llm.rendering import Renderer
from finetune_client.local.training.llm.sources import Source
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.local.training.llm.run_directory import RunDirectory

__all__ = ["Setup"]

_CPU_TOKENS = 4096
_ACCELERATOR_TOKENS = 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """A run before its first step.

    Attributes:
        run: The directory of the run.
        task: What to do, as `LlmTrainer` wrote it.
        options: How to do it.
        location: Where the base model is loaded from.
        tokenizer: The base model's tokenizer.
        renderer: Renders examples for the model.
        max_length: The most tokens of a sequence.
    """

    run: RunDirectory
    task: Mapping[str, Any]
    options: Options
    location: str
    tokenizer: Any
    renderer: Renderer
    max_length: int

    @classmethod
    def of(cls, run: RunDirectory, task: Mapping[str, Any]) -> Setup:
        """Return the setup of a task.

        Raises:
            TrainingError: There is no such model, or it has no fast tokenizer.
        """
        options = Options(**task["options"])
        source, cache = Source(**task["source"]), Path(task["cache"])
        location = weights.localize(source, cache, partial(_inform, run))
        tokenizer = weights.load_tokenizer(location)
        longest = weights.longest_input(tokenizer, location)
        if options.max_length is not None:
            longest = min(longest, options.max_length)
        return cls(
            run=run,
            task=task,
            options=options,
            location=location,
            tokenizer=tokenizer,
            renderer=Renderer(tokenizer),
            max_length=longest,
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        """The hyperparameters."""
        settings: Mapping[str, Any] = self.task["hyperparameters"]
        return settings

    @property
    def processes(self) -> int:
        """How many processes there are."""
        return int(os.environ.get("WORLD_SIZE", "1"))

    @property
    def rank(self) -> int:
        """Which of them this is, from 0."""
        return _rank()

    @property
    def trains_all(self) -> bool:
        """Whether all weights are trained; a job that starts from a whole model trains one."""
        parent = self.task["parent"]
        return self.options.full or (parent is not None and not weights.is_adapter(Path(parent)))

    def file(self, param: str) -> ExampleFile | None:
        """Return the ``training_file`` or the ``validation_file``, if there is one."""
        path = self.task[param]
        if path is None:
            return None
        return ExampleFile(Path(path), param, self.renderer, self.max_length)

    def warn_of(self, *files: ExampleFile | None) -> None:
        """Pass on the notices of the files."""
        if self.rank == 0:
            for file in files:
                for notice in file.notices if file is not None else ():
                    self.warn(notice)

    def warn(self, message: str) -> None:
        """Tell the user one thing that may need a remedy, in whole sentences."""
        self.run.add_event("notice", level="warn", message=message, data={})

    def inform(self, message: str, **data: Any) -> None:
        """Tell the user one thing, in whole sentences, with its numbers."""
        _inform(self.run, message, **data)

    def report_memory(
        self,
        largest: memory.Pass,
        measured: memory.Pass | None = None,
        *,
        passes: int,
        references: int = 0,
        sampled: int = 0,
    ) -> None:
        """Report how much memory training will take, and warn if that is not free.

        Args:
            largest: The largest pass that is trained on.
            measured: The largest pass that is measured without a gradient.
            passes: How many passes a step has.
            references: How many further copies of the model there are.
            sampled: The tokens of all answers that a process samples at once.

        Raises:
            TrainingError: There is no such model.
        """
        if self.rank or self.task["resume_from"] is not None:
            return  # it was told when the run began
        if os.environ.get("ACCELERATE_USE_DEEPSPEED", "").lower() == "true":
            return  # where DeepSpeed keeps what, its own config decides
        on_gpu = torch.cuda.is_available()
        training = memory.TrainingPlan(
            rank=None if self.trains_all else self._adapter_rank,
            itemsize=weights.matmul_dtype(self.options.dtype).itemsize,
            checkpointing=self.options.activation_checkpointing,
            largest=largest,
            measured=measured,
            references=references,
            sampled=sampled,
            is_accumulated=passes > 1,
            on_gpu=on_gpu,
            processes=self.processes,
            shards=self.processes if weights.is_sharded() else 1,
        )
        # On a CPU the processes of this machine share its memory, and have the libraries loaded.
        sharing = 1 if on_gpu else int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        libraries = 0 if on_gpu else memory.process_memory()
        self.run.add_event(
            "notice",
            **memory.notice_of(
                memory.estimate(weights.shape(self.location), training, libraries=libraries),
                weights.free_memory() + libraries * sharing,
                training,
                processes=sharing,
            ),
        )

    @property
    def _adapter_rank(self) -> int:
        """The rank of the adapter that is trained; one that is continued keeps its own."""
        parent = self.task["parent"]
        if parent is None:
            return self.options.lora_rank
        text = Path(parent, "adapter_config.json").read_text(encoding="utf-8")
        return int(json.loads(text)["r"])

    def model(self, *, is_reference: bool = False) -> Any:
        """Return the model to train, with an adapter unless all weights are trained.

        Args:
            is_reference: Return the whole model that the trained one is compared with instead.

        Raises:
            TrainingError: It cannot be loaded, or memory is too short.
        """
        parent = self.task["parent"]
        dtype = weights.matmul_dtype(self.options.dtype)
        if self.trains_all:
            whole = self.location if parent is None else parent
            trained = 0.0 if is_reference else 1.0
            if parent is None or not weights.is_adapter(Path(parent)):
                model = weights.load_model(whole, torch.float32, trained=trained)
            else:
                from peft import PeftModel

                base = weights.load_model(self.location, torch.float32, trained=trained)
                model = PeftModel.from_pretrained(base, parent).merge_and_unload()
            return model.requires_grad_(not is_reference)
        from peft import LoraConfig, PeftModel, get_peft_model

        base = weights.load_model(self.location, dtype)
        if parent is not None:
            model = PeftModel.from_pretrained(base, parent, is_trainable=True)
        else:
            torch.manual_seed(self.task["seed"])
            config = LoraConfig(
                r=self.options.lora_rank,
                lora_alpha=LORA_ALPHA,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            )
            model = get_peft_model(base, config)
        # It would be the path that the base was loaded from, which no other machine has.
        model.peft_config["default"].base_model_name_or_path = self.task["base"]
        return model

    def pass_rows(self, longest: int) -> int:
        """Return how many rows of a length a process takes at once."""
        tokens = self.options.tokens_per_pass
        if tokens is None:
            tokens = _ACCELERATOR_TOKENS if torch.cuda.is_available() else _CPU_TOKENS
        return max(1, tokens // longest)

    def even_passes(self, rows: int, pass_rows: int, param: str) -> int:
        """Return how many passes each process makes in a step, all of as many rows.

        Raises:
            TrainingError: The processes cannot share the rows equally.
        """
        mine, left = divmod(rows, self.processes)
        if left:
            raise TrainingError(
                f"{self.processes} processes cannot share {param} ({rows}) equally; create the job "
                f"again with a multiple of {self.processes}.",
                code="invalid_value",
            )
        return next(
            count for count in range(1, mine + 1) if not mine % count and mine // count <= pass_rows
        )

    def arguments(
        self,
        model: Any,
        *,
        passes: int,
        kind: type[TrainingArguments] = TrainingArguments,
        **more: Any,
    ) -> Any:
        """Return the arguments of a trainer of transformers or TRL."""
        config = model.config.get_text_config()
        rate = learning_rate(
            self.task["method"],
            full=self.trains_all,
            model_type=config.model_type,
            hidden_size=config.hidden_size,
        )
        checkpointing = "activation_checkpointing"
        if checkpointing not in kind.__dataclass_fields__:
            checkpointing = "gradient_checkpointing"
        given: dict[str, Any] = {
            "output_dir": str(self.run.checkpoints),
            "num_train_epochs": int(self.settings["n_epochs"]),
            "gradient_accumulation_steps": passes,
            "learning_rate": rate * float(self.settings["learning_rate_multiplier"]),
            "lr_scheduler_type": "linear",
            "weight_decay": 0.0,
            "seed": self.task["seed"],
            "bf16": weights.matmul_dtype(self.options.dtype) is torch.bfloat16,
            "use_cpu": not torch.cuda.is_available(),
            "dataloader_pin_memory": torch.cuda.is_available(),
            "remove_unused_columns": False,
            "logging_strategy": "no",
            # A loss that is not finite ends the run; the filter would hide it, and waits for the
            # device at each pass.
            "logging_nan_inf_filter": False,
            "save_strategy": "no",
            "report_to": [],
            "disable_tqdm": True,
            checkpointing: self.options.activation_checkpointing,
        }
        if self.processes > 1:
            given["ddp_find_unused_parameters"] = False
        return kind(**{**given, **more})


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def _inform(run: RunDirectory, message: str, **data: Any) -> None:
    if _rank() == 0:
        run.add_event("notice", level="info", message=message, data=data)
