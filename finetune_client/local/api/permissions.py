"""``/fine_tuning/checkpoints/{checkpoint}/permissions``: which projects may use a checkpoint.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.http.errors import RequestRefusedError, invalid_value, no_such_model
from finetune_client.local.http.request_fields import (
    check_known,
    json_body,
    list_with_ends,
    page,
    read_choice,
)

if TYPE_CHECKING:
    from finetune_client.local.api.models import Models
    from finetune_client.local.state import State

__all__ = ["Permissions"]


@dataclass(frozen=True, slots=True)
class _Permission:
    checkpoint: str
    wire: dict[str, Any]


class Permissions:
    """The permissions of one server, oldest first."""

    def __init__(self, state: State, models: Models) -> None:
        self._state = state
        self._models = models
        self._rows = {
            record["wire"]["id"]: _Permission(record["checkpoint"], record["wire"])
            for record in state.store.load("permissions")
        }

    def _of(self, checkpoint: str) -> list[dict[str, Any]]:
        if self._models.find(checkpoint) is None:
            raise no_such_model(checkpoint)
        return [row.wire for row in self._rows.values() if row.checkpoint == checkpoint]

    def list(self, checkpoint: str) -> dict[str, Any]:
        """``GET``: newest first unless ``order=ascending``."""
        query = flask.request.args
        order = read_choice(query, "order", ("ascending", "descending")) or "descending"
        with self._state.lock:
            rows = self._of(checkpoint)
        if query.get("project_id") is not None:
            rows = [row for row in rows if row["project_id"] == query["project_id"]]
        if order == "descending":
            rows.reverse()
        return list_with_ends(*page(rows, 10))

    def create(self, checkpoint: str) -> dict[str, Any]:
        """``POST``: a project that has a permission keeps it."""
        body = json_body()
        check_known(body, ("project_ids",))
        projects = body.get("project_ids")
        if not isinstance(projects, list) or not projects or not all(map(_is_name, projects)):
            message = "'project_ids' must be a list of one or more project ids."
            raise invalid_value(message, "project_ids")
        with self._state.lock:
            known = {row["project_id"]: row for row in self._of(checkpoint)}
            for project in dict.fromkeys(projects):
                known[project] = known.get(project) or self._add(checkpoint, project)
        return list_with_ends([known[project] for project in dict.fromkeys(projects)], more=False)

    def _add(self, checkpoint: str, project: str) -> dict[str, Any]:
        wire = {
            "object": "checkpoint.permission",
            "id": self._state.new_id("cp_"),
            "created_at": self._state.now(),
            "project_id": project,
        }
        row = _Permission(checkpoint, wire)
        self._rows[wire["id"]] = row
        record = {"checkpoint": checkpoint, "wire": wire}
        self._state.store.save("permissions", str(wire["id"]), record)
        return wire

    def delete(self, checkpoint: str, permission_id: str) -> dict[str, Any]:
        """``DELETE …/{permission_id}``."""
        with self._state.lock:
            if not any(row["id"] == permission_id for row in self._of(checkpoint)):
                raise RequestRefusedError(
                    404,
                    f"No permission {permission_id} of the checkpoint {checkpoint}.",
                    param="permission_id",
                )
            del self._rows[permission_id]
            self._state.store.delete("permissions", permission_id)
        return {"id": permission_id, "object": "checkpoint.permission", "deleted": True}


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)
