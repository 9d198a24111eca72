"""Graders: running and validating them.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune_client import models
from finetune_client.backports import Unpack
from finetune_client.models import GraderRun, GraderValidation
from finetune_client.models.checks import needed_object, needed_text, object_at
from finetune_client.models.codec import PydanticModel, to_plain
from finetune_client.resources.arguments import check_arguments
from finetune_client.resources.base import Resource
from finetune_client.resources.options import RequestOptions
from finetune_client.transport.request import Request

__all__ = ["Graders"]


class Graders(Resource):
    """Graders of reinforcement jobs, tried before one is paid for: ``client.graders``.

    https://developers.openai.com/api/reference
    """

    def run(
        self,
        *,
        grader: models.Grader | Mapping[str, Any] | PydanticModel,
        model_sample: str,
        item: Mapping[str, Any] | None = None,
        **options: Unpack[RequestOptions],
    ) -> GraderRun:
        """Grade one sample. It may cost tokens, so it is not repeated when its outcome is unknown.

        Args:
            grader: A grader, or its dict, or an object of the official SDK's.
            model_sample: What a model answered; templates see it as ``sample``.
            item: The row of the data set; templates see it as ``item``.
            **options: See `RequestOptions`.

        Raises:
            RequestError: An argument is of the wrong kind.
        """
        written = to_plain(grader)
        check_arguments(
            "run the grader",
            needed_object("grader", written),
            needed_text("model_sample", model_sample, empty=True),
            object_at("item", item),
        )
        body = {"grader": written, "model_sample": model_sample}
        return self._read(
            self._request("run", body if item is None else {**body, "item": dict(item)}, paid=True),
            GraderRun.from_dict,
            options,
        )

    def validate(
        self,
        *,
        grader: models.Grader | Mapping[str, Any] | PydanticModel,
        **options: Unpack[RequestOptions],
    ) -> GraderValidation:
        """Validate a grader; return it as the server reads it.

        Raises:
            BadRequestError: The server does not accept it, and says why.
            RequestError: It is not a grader.
        """
        written = to_plain(grader)
        check_arguments("validate the grader", needed_object("grader", written))
        request = self._request("validate", {"grader": written}, paid=False)
        return self._read(request, GraderValidation.from_dict, options)

    def _request(self, verb: str, body: dict[str, Any], *, paid: bool) -> Request:
        self._session.require("graders", "running and validating graders")
        return Request(
            method="POST",
            path=f"/fine_tuning/alpha/graders/{verb}",
            json=body,
            idempotent=not paid,
        )
