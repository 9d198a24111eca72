"""``/models``: the base models, and the models that jobs made.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune_client.local.http.access import current_project
from finetune_client.local.http.errors import RequestRefusedError, no_such_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from finetune_client.local.state import State

__all__ = ["TUNED_PREFIX", "Models", "TunedModel"]

TUNED_PREFIX = "ft:"
"""How the names of tuned models begin, and of no others."""

_PREFERRED = "tiny"
"""The base model that other names stand for, if there is one of that name."""

_SELECT = "SELECT name, base, created_at, directory, project FROM models"
_MAY_USE = (
    "(project = ? OR name IN (SELECT checkpoint FROM permissions WHERE permissions.project = ?))"
)
"""The condition of the models that a project may use; with the project twice."""


@dataclass(frozen=True, slots=True)
class TunedModel:
    """A model that a job made.

    Attributes:
        name: ``ft:{base}:local:{suffix}:{id}``, for a checkpoint with ``:ckpt-step-{n}``.
        base: The base model's name, even if the job started from a tuned one.
        created_at: Unix time in seconds.
        directory: The key of its directory.
        project: Whose it is.
    """

    name: str
    base: str
    created_at: int
    directory: str
    project: str


class Models:
    """The models of one server.

    Args:
        state: What the server's parts share.
        bases: The names of the base models, those of all trainers.
        any_model: Whether any other name is taken too, and stands for one of them.

    Attributes:
        bases: See above.
    """

    def __init__(self, state: State, bases: Sequence[str], *, any_model: bool) -> None:
        self._state = state
        self.bases = tuple(bases)
        self._stand_in = None
        if any_model:
            self._stand_in = _PREFERRED if _PREFERRED in bases else self.bases[0]
        self._started = state.now()

    def trained_as(self, base: str) -> str | None:
        """Return the base model that is trained under a name: that one, or what stands in for it.

        It is `None` if nothing is: no trainer has such a model.
        """
        return base if base in self.bases else self._stand_in

    def add(self, name: str, base: str, directory: str, project: str) -> None:
        """Add a tuned model that is in the store already."""
        with self._state.database.write() as rows:
            rows.execute(
                "INSERT INTO models (name, base, created_at, directory, project)"
                " VALUES (?, ?, ?, ?, ?)",
                (name, base, self._state.now(), directory, project),
            )

    def find(self, name: str) -> TunedModel | None:
        """Return the tuned model of that name, if the request's project may use it.

        It may use its own ones, and those of other projects with a permission for it.
        """
        project = current_project()
        query = f"{_SELECT} WHERE name = ? AND {_MAY_USE}"
        row = self._state.database.row(query, (name, project, project))
        return None if row is None else TunedModel(*row)

    def find_own(self, name: str) -> TunedModel:
        """Return a tuned model of the request's project, or raise the 404 for one that it has not."""
        model = self.find(name)
        if model is None or model.project != current_project():
            raise no_such_model(name)
        return model

    def _stored(self, name: str) -> TunedModel | None:
        row = self._state.database.row(_SELECT + " WHERE name = ?", (name,))
        return None if row is None else TunedModel(*row)

    def path(self, name: str) -> Path:
        """Return the directory of a tuned model, whosever it is.

        Raises:
            FileNotFoundError: The model does not exist.
        """
        model = self._stored(name)
        if model is None:
            raise FileNotFoundError(f"The model '{name}' does not exist")
        return self._state.store.path(model.directory)

    def remove(self, name: str) -> None:
        """Remove a tuned model, if it exists, and its files."""
        database = self._state.database
        with database.write() as rows:
            model = self._stored(name)
            if model is None:
                return
            rows.execute("DELETE FROM models WHERE name = ?", (name,))
            rows.execute("DELETE FROM files WHERE model = ?", (name,))
            for number, text in database.rows(
                "SELECT number, wire FROM checkpoints WHERE model = ?", (name,)
            ):
                wire = {**json.loads(text), "result_files": []}
                rows.execute(
                    "UPDATE checkpoints SET wire = ? WHERE number = ?", (json.dumps(wire), number)
                )
            database.after_commit(lambda: self._state.store.drop(model.directory))

    def list(self) -> dict[str, Any]:
        """``GET /models``."""
        project = current_project()
        query = f"{_SELECT} WHERE {_MAY_USE} ORDER BY number"
        rows = self._state.database.rows(query, (project, project))
        tuned = [_object(name, created, "org-local") for name, _, created, *_ in rows]
        bases = [_object(name, self._started, "system") for name in self.bases]
        return {"object": "list", "data": [*bases, *tuned]}

    def retrieve(self, model: str) -> dict[str, Any]:
        """``GET /models/{model}``."""
        tuned = self.find(model)
        if tuned is not None:
            return _object(model, tuned.created_at, "org-local")
        if model.startswith(TUNED_PREFIX) or self.trained_as(model) is None:
            raise no_such_model(model)
        return _object(model, self._started, "system")

    def delete(self, model: str) -> dict[str, Any]:
        """``DELETE /models/{model}``: only tuned models can be deleted."""
        if self.retrieve(model)["owned_by"] == "system":
            raise RequestRefusedError(
                403, f"The model '{model}' is a base model and cannot be deleted.", param="model"
            )
        self.find_own(model)
        self.remove(model)
        return {"id": model, "object": "model", "deleted": True}


def _object(name: str, created: int, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}
