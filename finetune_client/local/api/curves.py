"""``/ui/jobs/{id}/curve.svg``: the drawing that the server's page shows of a job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import flask

from finetune_client import svg

if TYPE_CHECKING:
    from finetune_client.local.api.jobs import Jobs
    from finetune_client.local.state import State

__all__ = ["Curves"]

_MOST_STEPS = 1000
"""Of a longer job only every second, third … step is read, and each with a validation of the whole
file: the page asks each second, and reading 100,000 steps each time would hold up the training."""

_LEAST_WIDTH, _WIDTH, _MOST_WIDTH = 280, 640, 1200
_HEIGHT = 320


class Curves:
    """The drawings of one server's jobs.

    Args:
        state: What the server's parts share.
        jobs: Where the jobs are looked up.
    """

    def __init__(self, state: State, jobs: Jobs) -> None:
        self._state = state
        self._jobs = jobs

    def draw(self, job_id: str) -> flask.Response:
        """Return the losses (or rewards) as SVG, ``?width=`` pixels wide."""
        wire = self._jobs.retrieve(job_id).get_json()  # or the API's error, if it is not to be seen
        steps = self._steps(job_id)
        names = list(dict.fromkeys(name for step in steps for name in step))
        losses = [name for name in names if name.endswith("loss")]
        plotted = losses or [name for name in names if "reward" in name]
        curves = {
            name: [(step["step"], step[name]) for step in steps if name in step] for name in plotted
        }
        drawing = svg.draw(
            curves,
            svg.Chart(
                y_label="loss" if losses or not plotted else "reward",
                marks=self._checkpoints(job_id),
                epochs=_epochs(wire, steps),
                width=_width(),
                height=_HEIGHT,
            ),
        )
        return flask.Response(drawing, mimetype="image/svg+xml")

    def _steps(self, job_id: str) -> list[dict[str, Any]]:
        [last] = self._state.database.row("SELECT step FROM jobs WHERE id = ?", (job_id,))
        rows = self._state.database.rows(
            "SELECT wire FROM (SELECT wire, number, row_number() OVER (ORDER BY number DESC) AS back"
            " FROM events WHERE job = ? AND type = 'metrics')"
            " WHERE (back - 1) % ? = 0 OR wire LIKE '%\"full\\_valid%' ESCAPE '\\' ORDER BY number",
            (job_id, 1 + last // _MOST_STEPS),
        )
        return [json.loads(wire)["data"] for (wire,) in rows]

    def _checkpoints(self, job_id: str) -> dict[float, str]:
        rows = self._state.database.rows(
            "SELECT step, model FROM checkpoints WHERE job = ? ORDER BY number", (job_id,)
        )
        return {step: f"checkpoint {model}" for step, model in rows}


def _epochs(wire: dict[str, Any], steps: list[dict[str, Any]]) -> float | None:
    """Return how many epochs the steps so far are."""
    epochs = wire["hyperparameters"]["n_epochs"]
    if not steps or not isinstance(epochs, int):
        return None
    part: float = steps[-1]["step"] / steps[-1]["total_steps"]
    return epochs * part


def _width() -> int:
    asked = flask.request.args.get("width", _WIDTH, type=int)
    return min(max(asked, _LEAST_WIDTH), _MOST_WIDTH)
