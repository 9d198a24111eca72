"""``/models``: the base models, and the models that jobs made.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from finetune_client.local.http.errors import RequestRefusedError, no_such_model

if TYPE_CHECKING:
    from pathlib import Path

    from finetune_client.local.state import State

__all__ = ["BASE_MODELS", "Models", "TunedModel"]

BASE_MODELS = ("tiny", "babbage-002", "davinci-002", "gpt-3.5-turbo", "gpt-4o-mini")
"""The base models that are listed. They, and any other name, mean the same untrained model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TunedModel:
    """A model that a job made.

    Attributes:
        key: The id of its record.
        name: ``ft:{base}:local:{suffix}:{id}``, for a checkpoint with ``:ckpt-step-{n}``.
        base: The base model's name, even if the job started from a tuned one.
        created: Unix time in seconds.
        directory: The key of its directory.
    """

    key: str
    name: str
    base: str
    created: int
    directory: str


class Models:
    """The models of one server."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._started = state.now()
        self._rows = {record["name"]: TunedModel(**record) for record in state.store.load("models")}

    def add(self, name: str, base: str, directory: str) -> None:
        """Add a tuned model that is in the store already."""
        store = self._state.store
        with self._state.lock:
            model = TunedModel(
                key=self._state.new_id("model-"),
                name=name,
                base=base,
                created=self._state.now(),
                directory=directory,
            )
            store.save("models", model.key, asdict(model))
            self._rows[name] = model

    def find(self, name: str) -> TunedModel | None:
        """Return the tuned model of that name, if there is one."""
        with self._state.lock:
            return self._rows.get(name)

    def path(self, name: str) -> Path:
        """Return the directory of a tuned model.

        Raises:
            FileNotFoundError: The model does not exist.
        """
        model = self.find(name)
        if model is None:
            raise FileNotFoundError(f"The model '{name}' does not exist")
        return self._state.store.path(model.directory)

    def remove(self, name: str) -> None:
        """Remove a tuned model, if it exists."""
        with self._state.lock:
            model = self._rows.pop(name, None)
            if model is not None:
                self._state.store.delete("models", model.key)
                self._state.store.drop(model.directory)

    def _objects(self) -> dict[str, dict[str, Any]]:
        owners = dict.fromkeys(BASE_MODELS, (self._started, "system"))
        with self._state.lock:
            owners |= {row.name: (row.created, "org-local") for row in self._rows.values()}
        return {
            name: {"id": name, "object": "model", "created": created, "owned_by": owner}
            for name, (created, owner) in owners.items()
        }

    def list(self) -> dict[str, Any]:
        """``GET /models``."""
        return {"object": "list", "data": list(self._objects().values())}

    def retrieve(self, model: str) -> dict[str, Any]:
        """``GET /models/{model}``."""
        row = self._objects().get(model)
        if row is None:
            raise no_such_model(model)
        return row

    def delete(self, model: str) -> dict[str, Any]:
        """``DELETE /models/{model}``: only tuned models can be deleted."""
        if self.retrieve(model)["owned_by"] == "system":
            raise RequestRefusedError(
                403, f"The model '{model}' is a base model and cannot be deleted.", param="model"
            )
        self.remove(model)
        return {"id": model, "object": "model", "deleted": True}
