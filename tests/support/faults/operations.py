"""Every call of the API by a plain name, each giving something that shows the answer was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client import Client

__all__ = ["OPERATIONS", "create"]

GRADER = {
    "type": "string_check",
    "name": "g",
    "input": "{{sample.output_text}}",
    "reference": "a",
    "operation": "eq",
}
OWN_KEY = "order-4711"


def create(client: Client, **more: Any) -> Any:
    return client.jobs.create(model="gpt-4o-mini", training_file="file-abc", **more)


OPERATIONS: dict[str, Callable[[Client], Any]] = {
    "retrieve a job": lambda c: c.jobs.retrieve("ftjob-7").id,
    "list jobs": lambda c: c.jobs.list().data,
    "cancel a job": lambda c: c.jobs.cancel("ftjob-7").id,
    "pause a job": lambda c: c.jobs.pause("ftjob-7").id,
    "resume a job": lambda c: c.jobs.resume("ftjob-7").id,
    "list events": lambda c: c.jobs.list_events("ftjob-7").data,
    "list checkpoints": lambda c: c.jobs.checkpoints.list("ftjob-7").data,
    "list permissions": lambda c: c.checkpoints.permissions.list("ft:m").data,
    "delete a permission": lambda c: (
        c.checkpoints.permissions.delete("cp_1", fine_tuned_model_checkpoint="ft:m").id
    ),
    "list files": lambda c: c.files.list().data,
    "retrieve a file": lambda c: c.files.retrieve("file-7").id,
    "download a file": lambda c: c.files.content("file-7"),
    "delete a file": lambda c: c.files.delete("file-7").id,
    "start an upload": lambda c: (
        c.uploads.create(
            filename="a.jsonl", purpose="fine-tune", bytes=4, mime_type="text/jsonl"
        ).id
    ),
    "add a part": lambda c: c.uploads.parts.create("upload_7", data=b"abcd").id,
    "cancel an upload": lambda c: c.uploads.cancel("upload_7").id,
    "list models": lambda c: c.models.list().data,
    "retrieve a model": lambda c: c.models.retrieve("ft:m").id,
    "delete a model": lambda c: c.models.delete("ft:m").id,
    "validate a grader": lambda c: c.graders.validate(grader=GRADER),
    "upload a file": lambda c: (
        c.files.create(file=("a.jsonl", b"0123456789" * 1000), purpose="fine-tune").bytes
    ),
    "complete an upload": lambda c: c.uploads.complete("upload_7", part_ids=["part_1"]).id,
    "permit a project": lambda c: (
        c.checkpoints.permissions.create("ft:m", project_ids=["proj_1"]).data
    ),
    "run a grader": lambda c: c.graders.run(grader=GRADER, model_sample="a").reward,
    "create a job": lambda c: create(c).id,
    "create a job with a key of one's own": lambda c: create(c, idempotency_key=OWN_KEY).id,
}
