"""``/fine_tuning/checkpoints/{checkpoint}/permissions``: which projects may use a checkpoint.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.http.errors import RequestRefusedError, invalid_value
from finetune_client.local.http.lists import Listing, list_page
from finetune_client.local.http.request_fields import (
    check_known,
    json_body,
    read_choice,
)

if TYPE_CHECKING:
    from finetune_client.local.api.models import Models
    from finetune_client.local.state import State

__all__ = ["Permissions"]


class Permissions:
    """The permissions of one server."""

    def __init__(self, state: State, models: Models) -> None:
        self._state = state
        self._models = models

    def list(self, checkpoint: str) -> flask.Response:
        """``GET``: newest first unless ``order=ascending``."""
        query = flask.request.args
        order = read_choice(query, "order", ("ascending", "descending")) or "descending"
        self._models.find_own(checkpoint)
        where, values = ["checkpoint = ?"], [checkpoint]
        if query.get("project_id") is not None:
            where.append("project = ?")
            values.append(query["project_id"])
        listing = Listing("permissions", where, values, default=10, ascending=order == "ascending")
        return list_page(self._state.database, listing)

    def create(self, checkpoint: str) -> dict[str, Any]:
        """``POST``: a project that has a permission keeps it."""
        body = json_body()
        check_known(body, ("project_ids",))
        projects = body.get("project_ids")
        if not isinstance(projects, list) or not projects or not all(map(_is_name, projects)):
            message = "'project_ids' must be a list of one or more project ids."
            raise invalid_value(message, "project_ids")
        with self._state.database.write():
            self._models.find_own(checkpoint)
            data = [self._of(checkpoint, project) for project in dict.fromkeys(projects)]
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
        return {"object": "list", "data": data, **ends, "has_more": False}

    def _of(self, checkpoint: str, project: str) -> dict[str, Any]:
        """Return the permission of a project, which is made if there is none."""
        database = self._state.database
        row = database.row(
            "SELECT wire FROM permissions WHERE checkpoint = ? AND project = ?",
            (checkpoint, project),
        )
        if row is not None:
            known: dict[str, Any] = json.loads(row[0])
            return known
        wire = {
            "object": "checkpoint.permission",
            "id": self._state.new_id("cp_"),
            "created_at": self._state.now(),
            "project_id": project,
        }
        with database.write() as rows:
            rows.execute(
                "INSERT INTO permissions (id, wire, checkpoint, project) VALUES (?, ?, ?, ?)",
                (wire["id"], json.dumps(wire), checkpoint, project),
            )
        return wire

    def delete(self, checkpoint: str, permission_id: str) -> dict[str, Any]:
        """``DELETE …/{permission_id}``."""
        with self._state.database.write() as rows:
            self._models.find_own(checkpoint)
            deleted = rows.execute(
                "DELETE FROM permissions WHERE id = ? AND checkpoint = ?",
                (permission_id, checkpoint),
            )
            if deleted.rowcount == 0:
                raise RequestRefusedError(
                    404,
                    f"No permission {permission_id} of the checkpoint {checkpoint}.",
                    param="permission_id",
                )
        return {"id": permission_id, "object": "checkpoint.permission", "deleted": True}


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)
