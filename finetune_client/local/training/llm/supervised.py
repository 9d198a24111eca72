"""Supervised training with transformers' own trainer, and true numbers beside it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer

from finetune_client.local.training.llm import weights
from finetune_client.local.training.llm.batches import Batches
from finetune_client.local.training.llm.memory import Pass
from finetune_client.local.training.llm.rendering import NOT_TRAINED, Row
from finetune_client.local.training.llm.reporting import add_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from finetune_client.local.training.llm.setup import Setup

__all__ = ["RowLoader", "SupervisedMeasures", "SupervisedTrainer", "collate", "prepare"]

_Batch = dict[str, torch.Tensor]
_Sums = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def collate(rows: Sequence[tuple[Row, bool]], padding: int) -> _Batch:
    """Return rows as tensors of one length; a row that does not count has no labels."""
    length = max(len(row.tokens) for row, _ in rows)
    tokens = torch.full((len(rows), length), padding)
    labels = torch.full((len(rows), length), NOT_TRAINED)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for place, (row, counts) in enumerate(rows):
        size = len(row.tokens)
        tokens[place, :size] = torch.tensor(row.tokens)
        mask[place, :size] = 1
        if counts:
            labels[place, :size] = torch.tensor(row.labels)
    return {"input_ids": tokens, "attention_mask": mask, "labels": labels}


class RowLoader(DataLoader[Any]):
    """Loads the passes of one process; accelerate would share them out again, and fill them up."""

    def __init__(self, rows: Sequence[Any], batches: Batches, collate_: Any) -> None:
        self._chosen = batches
        super().__init__(_Parts(rows), batch_sampler=batches, collate_fn=collate_)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order is used."""
        self._chosen.set_epoch(epoch)


class _Parts(torch.utils.data.Dataset[Any]):
    """Rows by position and whether they count, as `Batches` names them."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item: tuple[int, bool]) -> tuple[Any, bool]:
        return self._rows[item[0]], item[1]


class SupervisedTrainer(Trainer):
    """Trains on rows, and adds up loss, right tokens and tokens of each step.

    Args:
        loader: Makes the passes of this process.
        tokenizer: Saved beside a whole model.
        kwargs: See `transformers.Trainer`.
    """

    def __init__(self, *, loader: RowLoader, tokenizer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._loader = loader
        self._tokenizer = tokenizer
        self._keeps_logits = weights.takes_kept_logits(_plain(self.model))
        # The loss below is divided by the step's tokens over all passes and processes.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self._sums: list[_Sums] = []

    def get_train_dataloader(self) -> RowLoader:
        return self._loader

    def compute_loss(
        self,
        model: Any,
        inputs: _Batch,
        return_outputs: bool = False,  # noqa: ARG002 - never asked for
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        loss, right, tokens = self.score(model, inputs)
        self._sums.append((loss.detach(), right, tokens))
        return loss / num_items_in_batch * self.accelerator.num_processes

    def score(self, model: Any, inputs: _Batch) -> _Sums:
        """Return the sum of the losses, how many tokens were predicted, and how many there are."""
        labels = inputs["labels"][:, 1:]
        trained = labels != NOT_TRAINED
        given = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
        if self._keeps_logits:
            # The largest product of a small model, needed only where a label is.
            kept = trained.any(0).nonzero().squeeze(1)
            kept = kept if len(kept) else kept.new_zeros(1)
            logits = model(**given, logits_to_keep=kept, use_cache=False).logits
            labels, trained = labels[:, kept], trained[:, kept]
        else:
            logits = model(**given, use_cache=False).logits[:, :-1]
        chosen, wanted = logits[trained].float(), labels[trained]
        loss = functional.cross_entropy(chosen, wanted, reduction="sum")
        if not len(wanted):
            loss = logits.sum() * 0.0  # every process takes part in every pass
        right = (chosen.argmax(-1) == wanted).sum()
        return loss, right, trained.sum()

    def take_sums(self) -> list[float]:
        """Return the sums of loss, right tokens and tokens since the last call, of this process."""
        sums, self._sums = self._sums, []
        return [float(sum(values)) for values in zip(*sums, strict=True)]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if self.args.should_save and output_dir is not None:
            weights.save(self.model, output_dir, state_dict, self._tokenizer)


class SupervisedMeasures:
    """The numbers of supervised training; every mean is over tokens.

    Args:
        trainer: What trains.
        validation: The rows of the validation file's examples; empty without one.
        batch_size: Of how many examples the part is that is measured at each step.
        pass_rows: How many rows are measured at once.
        padding: The token of padding.
    """

    def __init__(
        self,
        trainer: SupervisedTrainer,
        validation: Sequence[Sequence[Row]],
        *,
        batch_size: int,
        pass_rows: int,
        padding: int,
    ) -> None:
        self._trainer = trainer
        self._validation = validation
        self._batch_size = min(batch_size, len(validation))
        self._pass_rows = pass_rows
        self._padding = padding

    def before_step(self, step: int) -> dict[str, float]:
        """See `Measures`."""
        first = (step - 1) * self._batch_size
        size = len(self._validation)
        return self._measure([(first + one) % size for one in range(self._batch_size)], "valid")

    def after_step(self) -> tuple[dict[str, float], int]:
        """See `Measures`."""
        sums = add_up(self._trainer.take_sums(), self._trainer.args.device)
        return _means("train", sums), round(sums[2])

    def validate(self, step: int) -> dict[str, float]:  # noqa: ARG002 - the same after each
        """See `Measures`."""
        return self._measure(range(len(self._validation)), "full_valid")

    def _measure(self, examples: Sequence[int], prefix: str) -> dict[str, float]:
        if not examples:
            return {}
        rows = [row for example in examples for row in self._validation[example]]
        model = self._trainer.model_wrapped
        was_training = model.training
        model.eval()
        sums = [0.0, 0.0, 0.0]
        with torch.no_grad():
            for part in self._passes(rows):
                inputs = {
                    name: tensor.to(self._trainer.args.device)
                    for name, tensor in collate(part, self._padding).items()
                }
                for place, value in enumerate(self._trainer.score(model, inputs)):
                    sums[place] += float(value)
        model.train(was_training)
        return _means(prefix, add_up(sums, self._trainer.args.device))

    def _passes(self, rows: Sequence[Row]) -> Iterator[list[tuple[Row, bool]]]:
        """Yield this process's passes; each process has as many, as sharded models need it."""
        rows = sorted(rows, key=lambda row: -len(row.tokens))
        world, rank = self._trainer.args.world_size, self._trainer.args.process_index
        every = self._pass_rows * world
        for first in range(0, len(rows), every):
            mine = rows[first + rank : first + every : world]
            yield [(row, True) for row in mine] or [(rows[-1], False)]


def _means(prefix: str, sums: Sequence[float]) -> dict[str, float]:
    loss, right, tokens = sums
    return {f"{prefix}_loss": loss / tokens, f"{prefix}_mean_token_accuracy": right / tokens}


def _plain(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "peft_config") else model


def _largest(rows: Sequence[Row], size: int) -> Pass:
    """Return the pass of the longest rows, so many of them."""
    longest = sorted(rows, key=lambda row: -len(row.tokens))[:size]
    trained = [
        [place for place, label in enumerate(row.labels) if label != NOT_TRAINED] for row in longest
    ]
    return Pass(
        rows=len(longest),
        length=len(longest[0].tokens),
        predicted=len(longest) * len(set().union(*trained)),
        scored=sum(map(len, trained)),
    )


def prepare(setup: Setup) -> tuple[SupervisedTrainer, SupervisedMeasures, int]:
    """Return the trainer, its measures and the steps of an epoch.

    Raises:
        TrainingError: The files or the model are of no use.
    """
    training, validating = setup.file("training_file"), setup.file("validation_file")
    examples = training.rows() if training is not None else []
    validation = validating.rows() if validating is not None else []
    setup.warn_of(training, validating)
    lengths = [[len(row.tokens) for row in rows] for rows in examples]
    pass_rows = setup.pass_rows(max(length for rows in lengths for length in rows))
    batch_size = min(int(setup.settings["batch_size"]), len(examples))
    step_rows = batch_size * sum(map(len, lengths)) / len(lengths)
    passes = max(1, math.ceil(step_rows / (pass_rows * setup.processes)))
    batches = Batches(
        lengths,
        batch_size=batch_size,
        passes=passes,
        processes=setup.processes,
        rank=setup.rank,
        seed=setup.task["seed"],
    )
    padding = setup.tokenizer.pad_token_id
    rows = [row for one in examples for row in one]
    valid_rows = [row for one in validation for row in one]
    valid_size = setup.pass_rows(max((len(row.tokens) for row in valid_rows), default=1))
    setup.report_memory(
        _largest(rows, math.ceil(step_rows / (passes * setup.processes))),
        _largest(valid_rows, valid_size) if valid_rows else None,
        passes=passes,
    )
    model = setup.model()
    trainer = SupervisedTrainer(
        loader=RowLoader(rows, batches, lambda part: collate(part, padding)),
        tokenizer=setup.tokenizer,
        model=model,
        args=setup.arguments(model, passes=passes, per_device_train_batch_size=pass_rows),
        train_dataset=rows,
    )
    trainer.remove_callback(PrinterCallback)
    measures = SupervisedMeasures(
        trainer,
        validation,
        batch_size=batch_size,
        pass_rows=valid_size,
        padding=padding,
    )
    return trainer, measures, batches.steps
