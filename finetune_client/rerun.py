"""The same job on another server: what can be carried over, and what is done where it cannot.

Nothing is sent here. What each provider takes stands in its `Provider`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune_client.display import format_value
from finetune_client.errors import RequestError
from finetune_client.models import FineTuningJobRequest, MethodType
from finetune_client.models.codec import to_plain
from finetune_client.models.graders.registry import GRADERS

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client.models import Grader
    from finetune_client.providers import Bounds, Feature, Provider

__all__ = ["Note", "adapt_request", "has_images"]

_ABSOLUTE_RATE = "learning_rate"
_RATE_MULTIPLIER = "learning_rate_multiplier"


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something of a job that could not be carried over as it was.

    Attributes:
        place: Where it stands in the request, such as ``method.dpo.hyperparameters.beta``.
        reason: Why it could not.
        instead: What was done.
    """

    place: str
    reason: str
    instead: str

    def __str__(self) -> str:
        """Return it as one sentence."""
        return f"{self.place}: {self.reason}; {self.instead}."


def adapt_request(
    request: FineTuningJobRequest,
    source: Provider,
    target: Provider,
    *,
    model: str | None = None,
    grader: Grader | Mapping[str, Any] | None = None,
    images: bool = False,
) -> tuple[FineTuningJobRequest, list[Note]]:
    """Return the request that makes the same job on another server, and what is not as it was.

    Args:
        request: What made the job, such as `JobFile.of_job` gives.
        source: Who was to take it.
        target: Who is to take it now.
        model: What to start from there; the same name if not given.
        grader: The grader of a reinforcement job, in place of its own.
        images: There are images in its files.

    Raises:
        RequestError: The target would train something else, or nothing; `problems` says why.
            ``dataclasses.replace(target, lacks={}, grader_types=None)`` adapts the request all the
            same.
    """
    adapting = _Adapting(request.to_dict(), source, target)
    if model is not None:
        adapting.body["model"] = model
    adapting.own_fields()
    adapting.method(to_plain(grader))
    adapting.suffix()
    adapting.seed()
    adapting.lacking(
        "metadata", "left out; a ledger remembers an idempotency key without it (--ledger)"
    )
    adapting.lacking("integrations", "left out; the curves are in the job's metrics")
    if images:
        adapting.images()
    if adapting.problems:
        listed = "".join(f"\n- {problem}" for problem in adapting.problems)
        raise RequestError(
            f"The job cannot be rerun on {target.name!r}, and nothing was sent:{listed}",
            problems=adapting.problems,
        )
    return FineTuningJobRequest.from_dict(adapting.body), adapting.notes


def has_images(path: Path) -> bool:
    """Return whether a training file has images in it; it is read line by line.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as lines:
        return any(b'"image_url"' in line for line in lines)


class _Adapting:
    """The JSON form of a request while it is adapted; what is not a dict where it should be stays."""

    def __init__(self, body: dict[str, Any], source: Provider, target: Provider) -> None:
        self.body = body
        self.source = source
        self.target = target
        self.notes: list[Note] = []
        self.problems: list[str] = []

    def note(self, place: str, reason: str, instead: str) -> None:
        self.notes.append(Note(place=place, reason=reason, instead=instead))

    def lacking(self, feature: Feature, instead: str) -> bool:
        """Leave out a key whose feature the target lacks; return whether it was there."""
        if feature not in self.target.lacks or not self.body.pop(feature, None):
            return False
        self.note(feature, f"{self.target.name} lacks it ({self.target.lacks[feature]})", instead)
        return True

    def own_fields(self) -> None:
        """Leave out the keys that only the source has."""
        for name in sorted(self.source.own_fields - self.target.own_fields):
            if self.body.pop(name, None) is not None:
                self.note(name, f"it is a key of {self.source.name} alone", "left out")

    def suffix(self) -> None:
        if self.lacking("suffix", "left out; the server names the model"):
            return
        limits, given = self.target.limits, self.body.get("suffix")
        if not isinstance(given, str):
            return
        allowed = limits.suffix_characters
        suffix = re.sub(f"[^{allowed}]", "-", given) if allowed else given
        if math.isfinite(limits.suffix):
            suffix = suffix[: int(limits.suffix)]
        if suffix != given:
            characters = f" of {allowed}" if allowed else ""
            self.body["suffix"] = suffix
            self.note(
                "suffix",
                f"{self.target.name} takes at most {limits.suffix} characters{characters}",
                f"{suffix!r} is sent",
            )

    def seed(self) -> None:
        seed = self.body.get("seed")
        problem = None if seed is None else self.target.limits.seed.problem(seed)
        if problem:
            del self.body["seed"]
            self.note("seed", f"it {problem}", "left out; the server chooses one")

    def images(self) -> None:
        """Say what becomes of images; a file with images that are refused fails its check."""
        if not self.target.training_rules.learns_images:
            self.note(
                "training_file",
                f"{self.target.name} does not learn from images",
                "the text beside them is trained on",
            )

    def method(self, grader: Any) -> None:
        """Carry the method and its settings over."""
        body, target = self.body, self.target
        given = body.get("method")
        method: dict[str, Any] = given if isinstance(given, dict) else {}
        kind = method.get("type")
        settings = method.get(kind) or {} if isinstance(kind, str) else None
        if not isinstance(kind, str) or not isinstance(settings, dict):
            self._settings("hyperparameters", body, MethodType.SUPERVISED)
            return
        if "method" in target.lacks:
            self._without_method(settings, kind)
            self._settings("hyperparameters", body, MethodType.SUPERVISED)
            return
        self._one_place_for_settings(settings, kind)
        self._settings("hyperparameters", body, MethodType.SUPERVISED)
        if kind not in target.methods:
            known = " and ".join(target.methods)
            self.note(
                "method",
                f"the documentation of {target.name} has only {known} jobs, not {kind}",
                "sent as it is; the server decides",
            )
        self._settings(f"method.{kind}.hyperparameters", settings, kind)
        if kind == MethodType.REINFORCEMENT:
            self._grader(settings, grader)
        if settings:
            method[kind] = settings

    def _one_place_for_settings(self, settings: dict[str, Any], kind: str) -> None:
        """Put top-level hyperparameters into the method where the target refuses both."""
        if "method_and_hyperparameters" not in self.target.lacks:
            return
        old = self.body.pop("hyperparameters", None)
        if isinstance(old, dict) and old:
            settings["hyperparameters"] = {**old, **(settings.get("hyperparameters") or {})}
            self.note(
                "hyperparameters",
                f"{self.target.name} takes them or a method, not both",
                f"put into method.{kind}.hyperparameters",
            )

    def _without_method(self, settings: Mapping[str, Any], kind: str) -> None:
        """Send the settings of a supervised job the old way; other methods cannot be sent."""
        reason = self.target.lacks["method"]
        if kind != MethodType.SUPERVISED:
            self.problems.append(
                f"method: {self.target.name} lacks it ({reason}), so that a {kind} job would become "
                "a supervised one"
            )
            return
        del self.body["method"]
        own = settings.get("hyperparameters") or {}
        merged = {**(self.body.get("hyperparameters") or {}), **own}
        if merged:
            self.body["hyperparameters"] = merged
        self.note(
            "method",
            f"{self.target.name} lacks it ({reason})",
            "sent as top-level hyperparameters, which mean a supervised job",
        )

    def _settings(self, at: str, holder: dict[str, Any], kind: str) -> None:
        """Carry hyperparameters over, each in what the target takes."""
        settings = holder.get("hyperparameters")
        if not isinstance(settings, dict):
            return
        for name in sorted(self.source.known_hyperparameters - self.target.known_hyperparameters):
            if settings.pop(name, None) is not None:
                reason = f"it is a setting of {self.source.name} alone"
                self.note(f"{at}.{name}", reason, "left out; the server chooses")
        self._learning_rate(at, settings)
        before = self.source.limits.hyperparameters(kind)
        for name, bounds in self.target.limits.hyperparameters(kind).items():
            if settings.get(name) is not None:
                self._setting(at, settings, name, before.get(name), bounds)
        effort, efforts = settings.get("reasoning_effort"), self.target.limits.reasoning_efforts
        if effort is not None and efforts is not None and effort not in efforts:
            del settings["reasoning_effort"]
            reason = f"{self.target.name} takes {', '.join(efforts)}, not {format_value(effort)}"
            self.note(f"{at}.reasoning_effort", reason, "left out; the server chooses")

    def _learning_rate(self, at: str, settings: dict[str, Any]) -> None:
        """Leave a multiplier out where the rate itself is wanted: what it multiplies is not known."""
        absolute = _ABSOLUTE_RATE in self.target.known_hyperparameters
        if not absolute or _ABSOLUTE_RATE in self.source.known_hyperparameters:
            return
        value = settings.pop(_RATE_MULTIPLIER, None)
        if value is not None and str(value) not in {"auto", "-1", "-1.0"}:
            self.note(
                f"{at}.{_RATE_MULTIPLIER}",
                f"{self.target.name} takes the rate itself ({_ABSOLUTE_RATE}), and what "
                f"{format_value(value)} multiplied is not known",
                "left out; the server uses its own rate",
            )

    def _setting(
        self, at: str, settings: dict[str, Any], name: str, before: Bounds | None, bounds: Bounds
    ) -> None:
        value = settings[name]
        if before is not None and before.automatic is not None and value == before.automatic:
            value = settings[name] = "auto" if bounds.automatic is None else value
        problem = bounds.problem(value)
        if problem is None:
            return
        nearest = _nearest(value, bounds)
        if nearest is None:
            del settings[name]
        else:
            settings[name] = nearest
        self.note(
            f"{at}.{name}",
            f"on {self.target.name} it {problem}",
            "left out; the server chooses" if nearest is None else f"{nearest:g} is sent",
        )

    def _grader(self, settings: dict[str, Any], grader: Any) -> None:
        """Replace the grader, or make sure that the target has its type."""
        if grader is not None:
            settings["grader"] = grader
            return
        if self.target.name == self.source.name:
            return
        known = self.target.grader_types or tuple(GRADERS)
        for kind in dict.fromkeys(_types(settings.get("grader"))):
            if kind not in known:
                self.problems.append(
                    f"method.reinforcement.grader: {self.target.name} has graders of the type "
                    f"{' or '.join(known)}, not {kind}; give one in its place (--grader)"
                )


def _nearest(value: Any, bounds: Bounds) -> float | None:
    """Return the number that is nearest to one and may be sent; None if that is not known."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if bounds.whole and bounds.problem(round(value)) is None:
        return round(value)
    ends = [end for end in (bounds.least, bounds.most) if end is not None]
    fitting = [end for end in ends if bounds.problem(end) is None]
    return min(fitting, key=lambda end: abs(end - value), default=None)


def _types(grader: Any) -> Iterator[str]:
    """Yield the type of a grader and of those in it."""
    if not isinstance(grader, Mapping):
        return
    if isinstance(grader.get("type"), str):
        yield grader["type"]
    inner = grader.get("graders")
    if isinstance(inner, Mapping) and not isinstance(inner.get("type"), str):
        inner = list(inner.values())
    for one in inner if isinstance(inner, list) else [inner]:
        yield from _types(one)
