"""Models that the server offers.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Iterable

from finetune_client.backports import Unpack
from finetune_client.models import Deleted, Model
from finetune_client.resources.base import Resource
from finetune_client.resources.options import RequestOptions
from finetune_client.resources.pager import Pager
from finetune_client.resources.shutdowns import log_shutdowns
from finetune_client.transport import path_segment
from finetune_client.transport.request import Request

__all__ = ["Models"]


class Models(Resource):
    """Models that the server offers: ``client.models``.

    https://developers.openai.com/api/reference
    """

    def list(self, **options: Unpack[RequestOptions]) -> Pager[Model]:
        """List the models; the API sends them on one page.

        Those that are shut down within 90 days are logged; see `Model.shuts_down`.
        """
        return self._pager(
            Request(method="GET", path="/models"),
            Model,
            options,
            paged=False,
            on_rows=self._log_shutdowns,
        )

    def retrieve(self, model: str, **options: Unpack[RequestOptions]) -> Model:
        """Return a model by its name; that it is shut down within 90 days is logged."""
        request = Request(
            method="GET", path=f"/models/{path_segment(model, 'model')}", expect_id=model
        )
        found = self._read(request, Model.from_dict, options)
        self._log_shutdowns([found])
        return found

    def _log_shutdowns(self, models: Iterable[Model]) -> None:
        log_shutdowns(models, self._session.clock.now())

    def delete(self, model: str, **options: Unpack[RequestOptions]) -> Deleted:
        """Delete a fine-tuned model; the owner of the key must have the Owner role."""
        self._session.require("delete_model", "deleting a model")
        path = f"/models/{path_segment(model, 'model')}"
        return self._read(
            Request(method="DELETE", path=path, expect_id=model), Deleted.from_dict, options
        )
