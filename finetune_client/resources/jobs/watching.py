"""Watching a job in one cell of a notebook, or as plain lines outside of one."""

from __future__ import annotations

import sys
from html import escape
from typing import TYPE_CHECKING, Any

from finetune_client.metrics import Metrics
from finetune_client.tables import html_table

if TYPE_CHECKING:
    from finetune_client.clock import Clock
    from finetune_client.models import FineTuningJob, FineTuningJobEvent

__all__ = ["JobView", "in_notebook"]

_SECONDS_BETWEEN_DRAWINGS = 0.5
_MESSAGES = 3
_METRICS_LINES = 20


def in_notebook() -> bool:
    """Return whether this code runs in a cell of a notebook; IPython in a terminal is none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class JobView:
    """What is shown of a job: its status, how far it is, the time left and its curve.

    Args:
        clock: Tells the time.
        notebook: Draw in the cell; else plain lines are written to the standard output.
    """

    def __init__(self, clock: Clock, *, notebook: bool) -> None:
        self._clock = clock
        self._notebook = notebook
        self._handle: Any = None
        self._drawn_at: float | None = None
        self._events: list[FineTuningJobEvent] = []
        self._shown_status: str | None = None
        self._shown_step = 0
        self.job: FineTuningJob | None = None
        self.note = ""

    def add(self, event: FineTuningJobEvent) -> None:
        """Add an event of the job."""
        self._events.append(event)
        if not self._notebook:
            self._write_event(event)

    def poll(self, job: FineTuningJob) -> None:
        """Show the job as it was just seen; it is not drawn more often than is seen."""
        self.job = job
        if not self._notebook:
            if job.status != self._shown_status:
                self._shown_status = job.status
                sys.stdout.write(f"{job.id}: {job.status}\n")
                sys.stdout.flush()
            return
        now = self._clock.monotonic()
        is_due = self._drawn_at is None or now - self._drawn_at >= _SECONDS_BETWEEN_DRAWINGS
        if is_due or job.is_terminal:
            self._drawn_at = now
            self.draw()

    def draw(self) -> None:
        """Draw the cell anew."""
        from IPython.display import HTML, display

        picture = HTML(self.to_html())
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)

    def to_html(self) -> str:
        """Return what the cell shows."""
        job = self.job
        if job is None:
            return f"<p>{escape(self.note)}</p>"
        step, total = self.progress()
        facts = [("job", job.id), ("status", job.status), ("base model", job.model)]
        if step is not None:
            facts.append(("step", f"{step} of {total}" if total else str(step)))
        left = None if job.is_terminal else self.seconds_left()
        if left is not None:
            facts.append(("time left", _duration(left)))
        if job.fine_tuned_model:
            facts.append(("model", job.fine_tuned_model))
        if job.error and job.error.message:
            facts.append(("error", job.error.message))
        if self.note:
            facts.append(("note", self.note))
        parts = [html_table([name for name, _ in facts], [[value for _, value in facts]])]
        if step is not None and total and not job.is_terminal:
            parts.append(_bar(step, total))
        metrics = Metrics.from_events(self._events)
        if metrics.losses:
            parts.append(metrics.to_svg(title=job.id))
        messages = [one.message for one in self._events if one.message and not _step_of(one)]
        parts += [f"<div>{escape(text)}</div>" for text in messages[-_MESSAGES:]]
        return f"<div>{''.join(parts)}</div>"

    def progress(self) -> tuple[int | None, int | None]:
        """Return the last step and how many there are, where the events say it."""
        for event in reversed(self._events):
            step = _step_of(event)
            if step is not None:
                return step, _whole(event, "total_steps")
        return None, None

    def seconds_left(self) -> float | None:
        """Return how long training may still take, by its speed so far or by the server's word."""
        now = self._clock.now()
        step, total = self.progress()
        timed = [one for one in self._events if _step_of(one) and one.created_at]
        if step is not None and total and timed:
            first, last = timed[0], timed[-1]
            steps = (_step_of(last) or 0) - (_step_of(first) or 0)
            seconds = (last.created_at or 0) - (first.created_at or 0)
            if steps > 0 and seconds > 0:
                return max(0.0, (total - step) * seconds / steps)
        finish = self.job.estimated_finish if self.job else None
        return max(0.0, finish - now) if finish else None

    def _write_event(self, event: FineTuningJobEvent) -> None:
        """Write a message as it is, and about twenty of the metrics over the whole job."""
        step = _step_of(event)
        if step is not None:
            total = _whole(event, "total_steps")
            if total and step < self._shown_step + max(1, total // _METRICS_LINES) != total:
                return
            self._shown_step = step
        text = event.message or event.type or ""
        sys.stdout.write("".join(c if c.isprintable() else " " for c in text) + "\n")
        sys.stdout.flush()


def _bar(step: int, total: int) -> str:
    """Return how far it is as a bar in the colour of the text around it.

    A ``<progress>`` takes its colours from the system: on a notebook's dark page its rest is white.
    """
    percent = min(max(100 * step / total, 0.0), 100.0)
    return (
        f'<div role="progressbar" aria-label="training" aria-valuenow="{step}" '
        f'aria-valuemax="{total}" style="border:1px solid;border-radius:4px;margin:8px 0">'
        f'<div style="width:{percent:.1f}%;height:8px;background:currentColor"></div></div>'
    )


def _step_of(event: FineTuningJobEvent) -> int | None:
    return _whole(event, "step") if event.type == "metrics" else None


def _whole(event: FineTuningJobEvent, name: str) -> int | None:
    value = (event.data or {}).get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"about {hours} h {minutes} min"
    return f"about {minutes} min {rest} s" if minutes else f"about {rest} s"
