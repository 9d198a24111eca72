"""What an evaluation found: each model's mean, and each pair of models question by question."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from finetune_client.atomic_file import replacing
from finetune_client.display import counted

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from finetune_client.evaluation.answers import Answer
    from finetune_client.evaluation.questions import Question

__all__ = ["Evaluation", "GradedAnswer", "ModelComparison", "ModelResult"]

_RESAMPLES = 2000
_LEVEL = 0.95
_CHANGES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class GradedAnswer:
    """An answer and its reward."""

    answer: Answer
    reward: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelResult:
    """How one model did.

    Attributes:
        model: Its name.
        mean: The mean of its rewards.
        count: How many answers were graded.
        missing: How many questions have no answer or no grade.
        cut_off: How many answers ended because of their length.
        prompt_tokens, completion_tokens: What the answers took, as far as the server told.
    """

    model: str
    mean: float
    count: int
    missing: int
    cut_off: int
    prompt_tokens: int
    completion_tokens: int

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelComparison:
    """One model against the first, over the questions that both have answered.

    Attributes:
        base, model: The two names.
        difference: The mean of ``model``'s reward less that of ``base``, question by question.
        low, high: The ends of the 95 % interval of that mean, by resampling the questions (a
            percentile bootstrap). An interval that holds 0 shows no difference.
        wins, losses, ties: For how many questions ``model``'s reward is higher, lower, the same.
    """

    base: str
    model: str
    difference: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __str__(self) -> str:
        if self.wins + self.losses + self.ties == 1:
            sure = "one question shows nothing"
        elif self.low <= 0 <= self.high:
            sure = "no difference that could not be chance"
        else:
            sure = "better" if self.difference > 0 else "worse"
        return (
            f"{self.model} against {self.base}: {self.difference:+.3f} "
            f"(95 % interval {self.low:+.3f} to {self.high:+.3f}), {self.wins} better, "
            f"{self.losses} worse, {self.ties} the same: {sure}"
        )


def _shown(mean: float) -> str:
    """Return a mean for people; there is none where nothing was graded."""
    return "-" if math.isnan(mean) else f"{mean:.3f}"


def bootstrap_interval(differences: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean: the percentiles of the means of resampled values."""
    rng = random.Random(seed)  # noqa: S311  # repeatable, and nothing secret
    size = len(differences)
    means = sorted(statistics.fmean(rng.choices(differences, k=size)) for _ in range(_RESAMPLES))
    cut = round(_RESAMPLES * (1 - _LEVEL) / 2)
    return means[cut], means[-1 - cut]


@dataclass(kw_only=True, slots=True)
class Evaluation:
    """What came of asking several models the same questions.

    Attributes:
        models: Their names; the first is the one that the others are compared with.
        questions: What was asked.
        answers: Model -> question number -> its graded answer.
        failures: What went wrong: the model, the question's number, and a sentence.
    """

    models: list[str]
    questions: list[Question]
    answers: dict[str, dict[int, GradedAnswer]]
    failures: list[tuple[str, int, str]] = field(default_factory=list)

    @property
    def results(self) -> list[ModelResult]:
        """How each model did."""
        return [self._result(model) for model in self.models]

    def _result(self, model: str) -> ModelResult:
        graded = list(self.answers.get(model, {}).values())
        usages = [one.answer.usage for one in graded]
        return ModelResult(
            model=model,
            mean=statistics.fmean(one.reward for one in graded) if graded else float("nan"),
            count=len(graded),
            missing=len(self.questions) - len(graded),
            cut_off=sum(one.answer.finish_reason == "length" for one in graded),
            prompt_tokens=sum(_count(usage, "prompt_tokens") for usage in usages),
            completion_tokens=sum(_count(usage, "completion_tokens") for usage in usages),
        )

    @property
    def comparisons(self) -> list[ModelComparison]:
        """Each further model against the first; those without a common question are left out."""
        made = (self._compare(self.models[0], model) for model in self.models[1:])
        return [one for one in made if one is not None]

    def _compare(self, base: str, model: str) -> ModelComparison | None:
        pairs = self._pairs(base, model)
        if not pairs:
            return None
        differences = [after.reward - before.reward for _, before, after in pairs]
        low, high = bootstrap_interval(differences)
        return ModelComparison(
            base=base,
            model=model,
            difference=statistics.fmean(differences),
            low=low,
            high=high,
            wins=sum(one > 0 for one in differences),
            losses=sum(one < 0 for one in differences),
            ties=sum(one == 0 for one in differences),
        )

    def _pairs(self, base: str, model: str) -> list[tuple[Question, GradedAnswer, GradedAnswer]]:
        before, after = self.answers.get(base, {}), self.answers.get(model, {})
        return [
            (question, before[question.number], after[question.number])
            for question in self.questions
            if question.number in before and question.number in after
        ]

    @property
    def settings_note(self) -> str | None:
        """Say that the models' answers were asked for with different settings, if they were."""
        by_model = {
            model: {
                _settings_text(one.answer.settings)
                for one in self.answers.get(model, {}).values()
                if one.answer.settings is not None
            }
            for model in self.models
        }
        if len(set().union(*by_model.values())) < 2:
            return None
        parts = (
            f"{model}: {' or '.join(sorted(texts))}" for model, texts in by_model.items() if texts
        )
        return (
            "The answers were asked for with different settings, and a difference may come from "
            f"that ({'; '.join(parts)})."
        )

    def changes(
        self, model: str | None = None, *, count: int = _CHANGES
    ) -> list[tuple[Question, GradedAnswer, GradedAnswer]]:
        """Return the questions whose reward changed most from the first model to another.

        Args:
            model: The other model; by default the second.
            count: How many.
        """
        other = model or (self.models[1] if len(self.models) > 1 else self.models[0])
        pairs = self._pairs(self.models[0], other)
        moved = [pair for pair in pairs if pair[1].reward != pair[2].reward]
        return sorted(moved, key=lambda pair: -abs(pair[2].reward - pair[1].reward))[:count]

    def to_dict(self) -> dict[str, Any]:
        """Return results, comparisons and failures, ready for JSON."""
        return {
            "questions": len(self.questions),
            "models": [result.to_dict() for result in self.results],
            "comparisons": [one.to_dict() for one in self.comparisons],
            "failures": [
                {"model": model, "question": number, "message": message}
                for model, number, message in self.failures
            ],
            "settings_note": self.settings_note,
        }

    def __str__(self) -> str:
        """Return the report as plain text."""
        width = max([len("model"), *map(len, self.models)])
        lines = [f"{'model':<{width}}  {'mean':>7}  {'graded':>7}  {'missing':>7}  {'tokens':>9}"]
        for one in self.results:
            tokens = one.prompt_tokens + one.completion_tokens
            lines.append(
                f"{one.model:<{width}}  {_shown(one.mean):>7}  {one.count:>7}  {one.missing:>7}  "
                f"{tokens:>9}"
            )
        lines += map(str, self.comparisons)
        lines += [
            f"{counted(one.cut_off, 'answer')} of {one.model} "
            f"{'was' if one.cut_off == 1 else 'were'} cut off; a larger max_tokens may help."
            for one in self.results
            if one.cut_off
        ]
        if self.settings_note:
            lines.append(self.settings_note)
        return "\n".join(lines)

    def to_html(self) -> str:
        """Return the report as a page of its own, light or dark as the reader's system is."""
        title = f"{counted(len(self.questions), 'question')}, {counted(len(self.models), 'model')}"
        return (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{title}</title><style>{_STYLE}</style></head>"
            f"<body><h1>{title}</h1>{self._repr_html_()}</body></html>\n"
        )

    def write_html(self, path: str | os.PathLike[str]) -> None:
        """Write the page of `to_html` into a file."""
        with replacing(path) as file:
            file.write(self.to_html().encode("utf-8", "replace"))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(one.model)}</td><td>{_shown(one.mean)}</td><td>{one.count}</td>"
            f"<td>{one.missing}</td><td>{one.prompt_tokens + one.completion_tokens}</td></tr>"
            for one in self.results
        )
        head = "<th>model</th><th>mean reward</th><th>graded</th><th>missing</th><th>tokens</th>"
        parts = [f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"]
        for one in self.comparisons:
            parts.append(f"<p>{escape(str(one))}.</p>")
            parts.append(self._changes_html(one.model))
        if self.settings_note:
            parts.append(f"<p>{escape(self.settings_note)}</p>")
        return f"<div>{''.join(parts)}</div>"

    def _changes_html(self, model: str) -> str:
        changes = self.changes(model)
        if not changes:
            return ""
        head = "".join(
            f"<th>{escape(name)}</th>" for name in ("question", "reference", self.models[0], model)
        )
        rows = "".join(
            f"<tr><td>{escape(_last_text(question.messages))}</td>"
            f"<td>{escape(question.reference or '')}</td>"
            f"<td><b>{before.reward:.3f}</b> {escape(before.answer.text)}</td>"
            f"<td><b>{after.reward:.3f}</b> {escape(after.answer.text)}</td></tr>"
            for question, before, after in changes
        )
        return (
            f"<h2>What changed most in {escape(model)}</h2>"
            f'<table class="side"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        )


_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font-family:system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "th,td{border:1px solid color-mix(in srgb,currentColor 25%,transparent);padding:.4rem .6rem;"
    "text-align:left;vertical-align:top}"
    ".side td{white-space:pre-wrap;overflow-wrap:anywhere}"
)


def _settings_text(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items())) or "none"


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0


def _last_text(messages: Sequence[Mapping[str, Any]]) -> str:
    content = messages[-1].get("content") if messages else ""
    return content if isinstance(content, str) else str(content)
