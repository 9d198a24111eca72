"""Dates on which services and models end, told in time."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from finetune_client.caller import warn_caller
from finetune_client.errors import ShutdownWarning
from finetune_client.providers.training_rules import of_family

if TYPE_CHECKING:
    from collections.abc import Iterable

    from finetune_client.models import Model
    from finetune_client.providers import Provider

__all__ = ["log_shutdowns", "warn_of_shutdowns"]

_SOON = timedelta(days=90)

_log = logging.getLogger("finetune_client")


def warn_of_shutdowns(provider: Provider, model: object, now: float) -> None:
    """Warn of what a new job runs into within 90 days; nothing is asked for it.

    Args:
        provider: Its value has the dates.
        model: What the job is to start from.
        now: The time, in seconds since 1970.

    Warns:
        ShutdownWarning: The provider ends fine-tuning, or the model is shut down.
    """
    today = datetime.fromtimestamp(now, timezone.utc).date()
    last = provider.last_job_day
    if last is not None and _is_soon(date.fromisoformat(last), today):
        ends = "was" if date.fromisoformat(last) < today else "is"
        warn_caller(
            f"The last day on which {provider.name!r} creates fine-tuning jobs {ends} {last}.",
            ShutdownWarning,
        )
    day = of_family(model, provider.shutdowns) if isinstance(model, str) else None
    if day is not None and _is_soon(date.fromisoformat(day), today):
        are = "were" if date.fromisoformat(day) < today else "are"
        warn_caller(
            f"The model {model!r} and all that is fine-tuned from it {are} shut down on {day}.",
            ShutdownWarning,
        )


def log_shutdowns(models: Iterable[Model], now: float) -> None:
    """Log in one line which models the server shuts down within 90 days."""
    today = datetime.fromtimestamp(now, timezone.utc).date()
    ending = [
        f"{model.id} ({model.shuts_down.date()})"
        for model in models
        if model.shuts_down is not None and _is_soon(model.shuts_down.date(), today)
    ]
    if ending:
        _log.warning("models that are shut down: %s", ", ".join(ending))


def _is_soon(day: date, today: date) -> bool:
    """Return whether a day is past, or at most 90 days ahead."""
    return day - today <= _SOON
