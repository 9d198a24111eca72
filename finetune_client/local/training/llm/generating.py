"""The process that answers: it reads requests and writes pieces of answers, as lines of JSON.

It keeps the last model that it loaded, and its adapter apart from the base, so that a base and what
was tuned from it can be asked in turn.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer
from transformers.utils.logging import disable_progress_bar

from finetune_client.local.training.llm import weights
from finetune_client.local.training.llm.conversations import LineError
from finetune_client.local.training.llm.failures import failure
from finetune_client.local.training.llm.rendering import Renderer
from finetune_client.local.training.llm.sources import Source
from finetune_client.local.training.llm.watching import watch_parent
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["main"]


class _Models:
    """The last base model and the last adapter of it."""

    def __init__(self, dtype: str) -> None:
        self._dtype = weights.matmul_dtype(dtype)
        self._location: str | None = None
        self._source: Source | None = None
        self._base: Any = None
        self._adapted: Any = None
        self._adapter: str | None = None
        self.tokenizer: Any = None
        self.longest = 0

    def use(self, source: Source, cache: Path, tuned: str | None) -> tuple[Any, Any]:
        """Load what is asked for, and return the model and what it must be used in."""
        whole = tuned if tuned is not None and not weights.is_adapter(Path(tuned)) else None
        location = whole or self._located(source, cache)
        if location != self._location:
            self._load(location)
            self._source = None if whole else source
        if tuned is None or whole is not None:
            without = (
                self._adapted.disable_adapter() if self._adapted is not None else nullcontext()
            )
            return self._adapted if self._adapted is not None else self._base, without
        if tuned != self._adapter:
            from peft import PeftModel

            if self._adapted is not None:
                self._base = self._adapted.unload()
            self._adapted = self._adapter = None
            self._adapted = PeftModel.from_pretrained(self._base, tuned).eval()
            self._adapter = tuned
        return self._adapted, nullcontext()

    def _located(self, source: Source, cache: Path) -> str:
        """Return where a base model is; the hub is not asked again for the one that is loaded."""
        if source == self._source and self._location is not None and not source.is_local:
            return self._location
        return weights.localize(source, cache)

    def _load(self, location: str) -> None:
        # First of all the memory of the last one.
        self._base = self._adapted = self._adapter = self._location = self._source = None
        self.tokenizer = weights.load_tokenizer(location)
        self.longest = weights.longest_input(self.tokenizer, location)
        model = weights.load_model(location, self._dtype).eval()
        if torch.cuda.is_available():
            model = model.to("cuda")
        ends = model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        # A model's own habits, such as a top_k, are not what a request asks for.
        model.generation_config = GenerationConfig(
            eos_token_id=sorted({*ends, self.tokenizer.eos_token_id} - {None}),
            pad_token_id=self.tokenizer.pad_token_id,
        )
        self._base, self._location = model, location


class _Answer(BaseStreamer, StoppingCriteria):
    """One answer while it is sampled: text is passed on as soon as no later token can change it.

    Args:
        tokenizer: Turns tokens into text.
        stops: Texts that end the answer, and are not part of it.
        on_text: Called with each piece of text.
        is_cancelled: Whether nobody waits for it any more.
    """

    def __init__(
        self,
        tokenizer: Any,
        stops: Sequence[str],
        on_text: Callable[[str], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._tokenizer = tokenizer
        self._stops = stops
        self._on_text = on_text
        self._is_cancelled = is_cancelled
        self._sent = 0
        self._has_prompt = False
        self.tokens: list[int] = []
        self.is_stopped = False

    def put(self, value: torch.Tensor) -> None:
        """Take the prompt, then each token."""
        if not self._has_prompt:
            self._has_prompt = True
            return
        self.tokens += value.reshape(-1).tolist()
        self._advance(is_last=False)

    def end(self) -> None:
        """Pass on what was held back."""
        if not self.is_stopped:
            self._advance(is_last=True)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:  # noqa: ARG002 - as asked for
        """Return whether to end."""
        is_done = self.is_stopped or self._is_cancelled()
        return torch.full((input_ids.shape[0],), is_done, device=input_ids.device)

    def _advance(self, *, is_last: bool) -> None:
        text = self._tokenizer.decode(self.tokens, skip_special_tokens=True)
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            self.is_stopped = True
            text = text[: min(places)]
        elif not is_last:
            text = text[: len(text) - self._held_back(text)]
        if len(text) > self._sent:
            self._on_text(text[self._sent :])
            self._sent = len(text)

    def _held_back(self, text: str) -> int:
        """Return how many characters at the end may still change or belong to a stop."""
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            return len(text) - len(text.rstrip("\N{REPLACEMENT CHARACTER}"))
        longest = max(map(len, self._stops), default=0)
        for size in range(min(longest - 1, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0


class _Process:
    """Answers requests until its input ends."""

    def __init__(self, requests: IO[str], answers: IO[str], dtype: str) -> None:
        self._requests = requests
        self._answers = answers
        self._models = _Models(dtype)
        self._waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._cancelled: set[int] = set()

    def run(self) -> None:
        """Answer; never returns."""
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            request = self._waiting.get()
            number = request["id"]
            try:
                self._answer(number, request)
            except LineError as error:
                self._write(number, error={"code": "invalid_value", "message": str(error)})
            except Exception as error:  # noqa: BLE001 - the process lives on, the server is told
                traceback.print_exc()
                self._write(number, error=failure(error))

    def _read(self) -> None:
        for line in self._requests:
            request = json.loads(line)
            if "cancel" in request:
                self._cancelled.add(request["cancel"])
            else:
                self._waiting.put(request)
        os._exit(0)  # the server has closed its end, or has died

    def _write(self, number: int, **data: Any) -> None:
        self._answers.write(json.dumps({"id": number, **data}) + "\n")
        self._answers.flush()

    def _answer(self, number: int, request: Mapping[str, Any]) -> None:
        source = Source(**request["source"])
        model, using = self._models.use(source, Path(request["cache"]), request["tuned"])
        renderer = Renderer(self._models.tokenizer)
        prompt = renderer.encode(renderer.prompt(request))
        room = self._models.longest - len(prompt)
        if room < 1:
            raise TrainingError(
                f"The messages have {len(prompt)} tokens, and the model takes "
                f"{self._models.longest} together with its answer.",
                code="context_length_exceeded",
            )
        limit = min(room, request["max_tokens"] or room)
        with using, torch.inference_mode():
            for index in range(request["n"]):
                if number not in self._cancelled:
                    self._sample(number, index, model, prompt, limit, request)
        self._write(number, done=True)

    def _sample(
        self,
        number: int,
        index: int,
        model: Any,
        prompt: Sequence[int],
        limit: int,
        request: Mapping[str, Any],
    ) -> None:
        answer = _Answer(
            self._models.tokenizer,
            request["stop"],
            lambda text: self._write(number, index=index, text=text),
            lambda: number in self._cancelled,
        )
        if request["seed"] is not None:
            torch.manual_seed(request["seed"] + index)
        sampling: dict[str, Any] = {"do_sample": False}
        if request["temperature"] > 0:
            sampling = {
                "do_sample": True,
                "temperature": request["temperature"],
                "top_p": request["top_p"],
                "top_k": 0,
            }
        given = torch.tensor([prompt], device=model.device)
        model.generate(
            input_ids=given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=limit,
            streamer=answer,
            stopping_criteria=StoppingCriteriaList([answer]),
            **sampling,
        )
        ended = answer.is_stopped or answer.tokens[-1] in model.generation_config.eos_token_id
        self._write(
            number,
            index=index,
            finish_reason="stop" if ended else "length",
            prompt_tokens=len(prompt),
            completion_tokens=len(answer.tokens),
        )


def main(dtype: str, threads: str) -> None:
    """Answer the requests on the standard input."""
    watch_parent()
    disable_progress_bar()
    if threads:
        torch.set_num_threads(int(threads))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    _Process(sys.stdin, answers, dtype).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
