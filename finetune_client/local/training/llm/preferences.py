"""Direct preference optimisation with TRL, on pairs that are rendered as supervised examples are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from finetune_client.local.training.llm import weights
from finetune_client.local.training.llm.batches import Batches
from finetune_client.local.training.llm.memory import Pass
from finetune_client.local.training.llm.reporting import add_up
from finetune_client.local.training.llm.supervised import RowLoader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finetune_client.local.training.llm.rendering import Pair
    from finetune_client.local.training.llm.setup import Setup

__all__ = ["PreferenceMeasures", "PreferenceTrainer", "prepare"]

_MEANS = {
    "loss": "loss",
    "rewards/margins": "reward_margin",
    "rewards/accuracies": "reward_accuracy",
}
"""What is a mean over pairs, by TRL's name and ours."""


class PreferenceTrainer(DPOTrainer):
    """Trains on pairs, and adds up what it measures of each step.

    Args:
        loader: Makes the passes of this process.
        saved_tokenizer: Saved beside a whole model; `None` for an adapter.
        kwargs: See `trl.DPOTrainer`.
    """

    def __init__(self, *, loader: RowLoader, saved_tokenizer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._loader = loader
        self._saved_tokenizer = saved_tokenizer
        self.sums: Counter[str] = Counter()

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset  # its pairs are tokens already

    def get_train_dataloader(self) -> RowLoader:
        return self._loader

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: ARG002 - never asked for
        num_items_in_batch: Any = None,  # noqa: ARG002 - a pass is a mean over as many pairs
    ) -> torch.Tensor:
        loss = super().compute_loss(model, inputs)
        mode = "train" if self.model.training else "eval"
        measured = {name: values[-1] for name, values in self._metrics[mode].items() if values}
        self._metrics[mode].clear()  # TRL keeps them for a log that is never written
        trained = inputs["completion_mask"].sum(1)
        pairs = len(trained) // 2
        chosen = int(trained[:pairs].sum())
        self.sums.update(pairs=pairs, chosen=chosen, tokens=int(trained.sum()))
        self.sums["right"] += measured["mean_token_accuracy"] * chosen
        measured["loss"] = float(loss.detach())
        for name in _MEANS:
            self.sums[name] += measured[name] * pairs
        return loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if self.args.should_save and output_dir is not None:
            weights.save(self.model, output_dir, state_dict, self._saved_tokenizer)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write no card: it would name the directory of a job."""


class PreferenceMeasures:
    """The numbers of DPO: losses and rewards are means over pairs, accuracy is over tokens.

    Args:
        trainer: What trains.
        validation: The pairs of the validation file; empty without one.
        batch_size: Of how many pairs the part is that is measured at each step.
        pass_pairs: How many pairs a process measures at once.
        collate: Makes a batch of pairs.
    """

    def __init__(
        self,
        trainer: PreferenceTrainer,
        validation: Sequence[Pair],
        *,
        batch_size: int,
        pass_pairs: int,
        collate: Any,
    ) -> None:
        self._trainer = trainer
        self._validation = validation
        self._batch_size = min(batch_size, len(validation))
        self._pass_pairs = pass_pairs
        self._collate = collate

    def before_step(self, step: int) -> dict[str, float]:
        """See `Measures`."""
        first = (step - 1) * self._batch_size
        size = len(self._validation)
        chosen = [self._validation[(first + one) % size] for one in range(self._batch_size)]
        return self._measure(chosen, "valid")

    def after_step(self) -> tuple[dict[str, float], int]:
        """See `Measures`."""
        return self._take("train")

    def validate(self, step: int) -> dict[str, float]:  # noqa: ARG002 - the same after each
        """See `Measures`."""
        return self._measure(self._validation, "full_valid")

    def _measure(self, pairs: Sequence[Pair], prefix: str) -> dict[str, float]:
        if not pairs:
            return {}
        trainer = self._trainer
        world, rank = trainer.args.world_size, trainer.args.process_index
        # TRL gathers what it measures, so all processes must hold as many pairs in each pass.
        size = self._pass_pairs if world == 1 else 1
        trainer.model.eval()
        with torch.no_grad():
            for first in range(0, len(pairs), size * world):
                mine = pairs[first + rank : first + size * world : world]
                inputs = trainer._prepare_inputs(self._collate(mine or pairs[-1:]))  # noqa: SLF001
                before = trainer.sums.copy()
                trainer.compute_loss(trainer.model_wrapped, inputs)
                if not mine:
                    trainer.sums = before
        trainer.model.train()
        return self._take(prefix)[0]

    def _take(self, prefix: str) -> tuple[dict[str, float], int]:
        """Return the means of what was added up since the last call, and the tokens."""
        sums, self._trainer.sums = self._trainer.sums, Counter()
        names = ["pairs", "chosen", "tokens", "right", *_MEANS]
        total = dict(
            zip(
                names,
                add_up([sums[name] for name in names], self._trainer.args.device),
                strict=True,
            )
        )
        means = {f"{prefix}_{ours}": total[name] / total["pairs"] for name, ours in _MEANS.items()}
        means[f"{prefix}_mean_token_accuracy"] = total["right"] / total["chosen"]
        return means, round(total["tokens"])


def prepare(setup: Setup) -> tuple[PreferenceTrainer, PreferenceMeasures, int]:
    """Return the trainer, its measures and the steps of an epoch.

    Raises:
        TrainingError: The files or the model are of no use.
    """
    training, validating = setup.file("training_file"), setup.file("validation_file")
    pairs = training.pairs() if training is not None else []
    validation = validating.pairs() if validating is not None else []
    setup.warn_of(training, validating)
    batch_size = min(int(setup.settings["batch_size"]), len(pairs))
    longest = max(_length(pair) for pair in [*pairs, *validation])
    pass_pairs = setup.pass_rows(2 * longest)
    passes = setup.even_passes(batch_size, pass_pairs, "batch_size")
    batches = Batches(
        [[_length(pair)] for pair in pairs],
        batch_size=batch_size,
        passes=passes,
        processes=setup.processes,
        rank=setup.rank,
        seed=setup.task["seed"],
        drop_last=True,
    )
    collator = DataCollatorForPreference(pad_token_id=setup.tokenizer.pad_token_id)

    def collate(chosen: Sequence[Pair]) -> dict[str, torch.Tensor]:
        batch: dict[str, torch.Tensor] = collator(
            [
                {"prompt_ids": one.prompt, "chosen_ids": one.chosen, "rejected_ids": one.rejected}
                for one in chosen
            ]
        )
        return batch

    taken = batch_size // (passes * setup.processes)
    setup.report_memory(
        _largest(pairs, taken),
        _largest(validation, pass_pairs) if validation else None,
        passes=passes,
        references=1 if setup.trains_all else 0,
    )
    model = setup.model()
    is_adapter = hasattr(model, "peft_config")
    trainer = PreferenceTrainer(
        loader=RowLoader(pairs, batches, lambda part: collate([pair for pair, _ in part])),
        saved_tokenizer=None if is_adapter else setup.tokenizer,
        model=model,
        # An adapter's reference is the model without it, or with a copy of it from the start.
        ref_model=None if is_adapter else setup.model(is_reference=True),
        args=setup.arguments(
            model,
            passes=passes,
            kind=DPOConfig,
            beta=float(setup.settings["beta"]),
            per_device_train_batch_size=taken,
        ),
        train_dataset=Dataset.from_dict({"pair": list(range(len(pairs)))}),
        processing_class=setup.tokenizer,
        data_collator=collator,
    )
    trainer.remove_callback(PrinterCallback)
    measures = PreferenceMeasures(
        trainer, validation, batch_size=batch_size, pass_pairs=pass_pairs, collate=collate
    )
    return trainer, measures, batches.steps


def _largest(pairs: Sequence[Pair], size: int) -> Pass:
    """Return the largest pass of so many pairs."""
    rows, length = 2 * min(size, len(pairs)), max(map(_length, pairs))
    return Pass(
        rows=rows, length=length, predicted=rows * length, scored=rows * length, is_tiled=True
    )


def _length(pair: Pair) -> int:
    return len(pair.prompt) + max(len(pair.chosen), len(pair.rejected))
