"""Reinforcement with TRL's GRPO; rewards are those of the very graders that ``graders.run`` uses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from finetune_client.display import counted
from finetune_client.grading import PythonLimits
from finetune_client.local.training.llm import weights
from finetune_client.local.training.llm.memory import Pass
from finetune_client.local.training.llm.options import samples_per_prompt
from finetune_client.local.training.llm.reporting import add_up
from finetune_client.local.training.sample_grader import SampleGrader
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from finetune_client.local.training.llm.example_files import Prompt
    from finetune_client.local.training.llm.setup import Setup

__all__ = ["ReinforcementMeasures", "ReinforcementTrainer", "prepare"]


class ReinforcementTrainer(GRPOTrainer):
    """Samples answers, grades them, and adds up rewards and tokens of each step.

    Args:
        grader: Gives the rewards; it is closed when training has ended.
        saved_tokenizer: Saved beside a whole model; `None` for an adapter.
        kwargs: See `trl.GRPOTrainer`.
    """

    def __init__(self, *, grader: SampleGrader, saved_tokenizer: Any, **kwargs: Any) -> None:
        self._grader = grader
        super().__init__(reward_funcs=self._rewards, **kwargs)
        self._saved_tokenizer = saved_tokenizer
        self._sums = [0.0, 0.0, 0.0]

    def _rewards(
        self,
        completions: Sequence[str],
        completion_ids: Sequence[Sequence[int]],
        line: Sequence[str],
        **_: Any,
    ) -> list[float]:
        rewards = [
            self.reward(text, json.loads(one)) for text, one in zip(completions, line, strict=True)
        ]
        new = (len(rewards), sum(rewards), sum(map(len, completion_ids)))
        self._sums = [before + one for before, one in zip(self._sums, new, strict=True)]
        return rewards

    def reward(self, text: str, line: Mapping[str, Any]) -> float:
        """Return the reward of an answer to the prompt of a line."""
        return self._grader.reward(text, line)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train; what runs python graders is ended in any case."""
        try:
            return super().train(*args, **kwargs)
        finally:
            self._grader.close()

    def sample(self, prompts: Sequence[str]) -> list[str]:
        """Return an answer to each prompt."""
        tokens, *_ = self._tokenize_prompts(list(prompts))
        answers, _ = self._generate_single_turn(tokens, None, {}, 1)
        texts: list[str] = self.processing_class.batch_decode(answers, skip_special_tokens=True)
        return texts

    def take_sums(self) -> list[float]:
        """Return the samples, rewards and tokens since the last call, of this process."""
        self._metrics["train"].clear()  # TRL keeps them for a log that is never written
        sums, self._sums = self._sums, [0.0, 0.0, 0.0]
        return sums

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        # They are rendered, with whatever the template begins a text with.
        tokens = self.processing_class(text=prompts, add_special_tokens=False)["input_ids"]
        return tokens, None, {}

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if self.args.should_save and output_dir is not None:
            weights.save(self.model, output_dir, state_dict, self._saved_tokenizer)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write no card: it would name the directory of a job."""


class ReinforcementMeasures:
    """The mean rewards of the step's samples and of the validation file.

    Args:
        trainer: What trains.
        validation: The prompts of the validation file; empty without one.
        samples: How many answers to each of them are graded.
        pass_rows: How many answers a process samples at once.
        seed: Of the samples, so that measuring changes nothing in training.
    """

    def __init__(
        self,
        trainer: ReinforcementTrainer,
        validation: Sequence[Prompt],
        *,
        samples: int,
        pass_rows: int,
        seed: int,
    ) -> None:
        self._trainer = trainer
        self._prompts = [prompt for prompt in validation for _ in range(samples)]
        self._pass_rows = pass_rows
        self._seed = seed

    def before_step(self, step: int) -> dict[str, float]:  # noqa: ARG002 - samples cost too much
        """See `Measures`."""
        return {}

    def after_step(self) -> tuple[dict[str, float], int]:
        """See `Measures`."""
        samples, rewards, tokens = add_up(self._trainer.take_sums(), self._trainer.args.device)
        return {"train_mean_reward": rewards / samples}, round(tokens)

    def validate(self, step: int) -> dict[str, float]:
        """See `Measures`."""
        if not self._prompts:
            return {}
        trainer = self._trainer
        world, rank = trainer.args.world_size, trainer.args.process_index
        size = self._pass_rows
        rewards = 0.0
        trainer.model.eval()
        with torch.random.fork_rng():
            torch.manual_seed(self._seed + 1_000_003 * step + rank)
            for first in range(0, len(self._prompts), size * world):
                mine = self._prompts[first + rank : first + size * world : world]
                # Sharded models need every process in every pass.
                texts = trainer.sample([one.text for one in mine or self._prompts[-1:]])
                rewards += sum(
                    trainer.reward(text, one.line) for text, one in zip(texts, mine, strict=False)
                )
        trainer.model.train()
        total = add_up([rewards], trainer.args.device)[0]
        return {"full_valid_mean_reward": total / len(self._prompts)}


def prepare(setup: Setup) -> tuple[ReinforcementTrainer, ReinforcementMeasures, int]:
    """Return the trainer, its measures and the steps of an epoch.

    Raises:
        TrainingError: The files, the grader or the model are of no use.
    """
    if setup.task["grader"] is None:
        raise TrainingError("A reinforcement job needs a grader.")
    answer = setup.options.answer_tokens
    training, validating = setup.file("training_file"), setup.file("validation_file")
    prompts = training.prompts(answer) if training is not None else []
    validation = validating.prompts(answer) if validating is not None else []
    batch_size = min(int(setup.settings["batch_size"]), len(prompts))
    samples = samples_per_prompt(float(setup.settings["compute_multiplier"]))
    longest = max(len(setup.renderer.encode(one.text)) for one in [*prompts, *validation])
    pass_rows = setup.pass_rows(longest + answer)
    passes = setup.even_passes(
        batch_size * samples, pass_rows, f"batch_size times {samples} samples"
    )
    taken = batch_size * samples // (passes * setup.processes)
    largest = Pass(
        rows=taken,
        length=longest + answer,
        predicted=taken * answer,
        scored=taken * answer,
        is_tiled=True,
    )
    setup.report_memory(largest, passes=passes, sampled=passes * largest.tokens)
    # On a CPU the first step can take many minutes, in which nothing else is heard of the job.
    setup.inform(
        f"Before each step {batch_size * samples} answers of at most {answer} tokens are sampled and "
        f"graded: {samples} to each of {counted(batch_size, 'prompt')}.",
        prompts=batch_size,
        samples=samples,
        answer_tokens=answer,
    )
    model = setup.model()
    trainer = ReinforcementTrainer(
        grader=SampleGrader(
            setup.task["grader"], PythonLimits(**setup.task["python_limits"]), setup.warn
        ),
        saved_tokenizer=None if hasattr(model, "peft_config") else setup.tokenizer,
        model=model,
        args=setup.arguments(
            model,
            passes=passes,
            kind=GRPOConfig,
            per_device_train_batch_size=taken,
            num_generations=samples,
            max_completion_length=answer,
        ),
        train_dataset=Dataset.from_list(
            [{"prompt": one.text, "line": json.dumps(one.line)} for one in prompts]
        ),
        processing_class=setup.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    measures = ReinforcementMeasures(
        trainer,
        validation,
        samples=int(setup.settings["eval_samples"]),
        pass_rows=pass_rows,
        seed=setup.task["seed"],
    )
    return trainer, measures, len(prompts) // batch_size
