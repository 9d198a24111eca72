"""Make the same calls with the official client and with ours, and compare what is sent.

The calls are those that scripts make: jobs, files in every form that is taken, uploads, models,
graders, permissions and chat, with the options of a single call. Method, path, query, body (of a
form its fields) and the headers that a server acts on must be the same. What ours does otherwise on
purpose is undone before, and counted (see ``undo_differences``, and ``docs/compatibility.md``).
"""

from __future__ import annotations

import io
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openai import AzureOpenAI, OpenAI
from openai.types.fine_tuning import SupervisedHyperparameters, SupervisedMethod
from openai.types.fine_tuning.fine_tuning_job import Method
from recording_api import GRADER, current, requests, serve

from finetune_client import Client, ShutdownWarning
from finetune_client.providers import AZURE_CLASSIC, OPENAI

if TYPE_CHECKING:
    from collections.abc import Callable

HEADERS = [
    *("accept", "authorization", "content-type", "openai-organization", "openai-project"),
    *("x-mine", "api-key"),
]
"""The headers that are compared: those that a server acts on, and one that calls add."""

LINES = b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
CHECKPOINT = "ft:gpt-4o-mini-2024-07-18:org:weather:B7R9VjQd:ckpt-step-10"
REINFORCEMENT = {
    "type": "reinforcement",
    "reinforcement": {
        "grader": {
            "type": "multi",
            "name": "both",
            "calculate_output": "(same + close) / 2",
            "graders": {
                "same": GRADER,
                "close": {
                    "type": "text_similarity",
                    "name": "close",
                    "input": "{{sample.output_text}}",
                    "reference": "{{item.answer}}",
                    "evaluation_metric": "fuzzy_match",
                },
            },
        },
        "hyperparameters": {"reasoning_effort": "low", "eval_interval": "auto"},
    },
}


def calls(folder: Path) -> dict[str, Callable[[Any], object]]:
    """Return the calls, by what they are."""
    path = folder / "trainé.jsonl"
    path.write_bytes(LINES)
    simple: dict[str, Any] = {"model": "gpt-4o-mini-2024-07-18", "training_file": "file-1"}

    def create(**more: Any) -> Callable[[Any], object]:
        return lambda client: client.fine_tuning.jobs.create(**simple, **more)

    def send_open_file(client: Any) -> object:
        with path.open("rb") as file:
            return client.files.create(file=file, purpose="fine-tune")

    def send_file(file: Any, **more: Any) -> Callable[[Any], object]:
        return lambda client: client.files.create(
            file=file() if callable(file) else file, **{"purpose": "fine-tune", **more}
        )

    def send_chunks(client: Any) -> object:
        return client.uploads.upload_file_chunked(
            file=path, mime_type="text/jsonl", purpose="fine-tune", part_size=40
        )

    return {
        "a job": create(),
        "a job with every field": create(
            validation_file="file-2",
            suffix="weather",
            seed=7,
            metadata={"team": "Ä"},
            method={
                "type": "supervised",
                "supervised": {
                    "hyperparameters": {
                        "n_epochs": "auto",
                        "batch_size": 4,
                        "learning_rate_multiplier": 0.1,
                    }
                },
            },
            integrations=[{"type": "wandb", "wandb": {"project": "p", "tags": ["t"]}}],
        ),
        "a job with hyperparameters": create(hyperparameters={"n_epochs": 3}),
        "a job by DPO": create(
            method={"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1, "n_epochs": 2}}}
        ),
        "a job by reinforcement": create(method=REINFORCEMENT),
        "a job with the official SDK's objects": create(
            method=Method(
                type="supervised",
                supervised=SupervisedMethod(hyperparameters=SupervisedHyperparameters(n_epochs=2)),
            )
        ),
        "a job with options": create(
            extra_body={"trainingType": "GlobalStandard", "suffix": None},
            extra_headers={"X-Mine": "1"},
            extra_query={"api-version": "preview", "list": ["a", "b"]},
            timeout=5,
        ),
        "retrieve a job": lambda client: client.fine_tuning.jobs.retrieve("ftjob-a b/ü"),
        "list jobs": lambda client: client.fine_tuning.jobs.list(),
        "list jobs, filtered": lambda client: client.fine_tuning.jobs.list(
            after="ftjob-0", limit=5, metadata={"team": "A", "a b": "ü&"}
        ),
        "list jobs with a query of one's own": lambda client: client.fine_tuning.jobs.list(
            extra_query={"custom_llm_provider": "openai"}
        ),
        "cancel a job": lambda client: client.fine_tuning.jobs.cancel("ftjob-1"),
        "pause a job": lambda client: client.fine_tuning.jobs.pause("ftjob-1"),
        "resume a job": lambda client: client.fine_tuning.jobs.resume("ftjob-1"),
        "list events": lambda client: client.fine_tuning.jobs.list_events("ftjob-1", limit=10),
        "list checkpoints": lambda client: client.fine_tuning.jobs.checkpoints.list(
            "ftjob-1", after="ftckpt-0"
        ),
        "permit": lambda client: client.fine_tuning.checkpoints.permissions.create(
            CHECKPOINT, project_ids=["proj-1", "proj-2"]
        ),
        "list permissions": lambda client: client.fine_tuning.checkpoints.permissions.list(
            CHECKPOINT, order="ascending", project_id="proj-1", limit=1
        ),
        "delete a permission": lambda client: client.fine_tuning.checkpoints.permissions.delete(
            "cp-1", fine_tuned_model_checkpoint=CHECKPOINT
        ),
        "run a grader": lambda client: client.fine_tuning.alpha.graders.run(
            grader=GRADER, model_sample="4", item={"answer": "4"}
        ),
        "validate a grader": lambda client: client.fine_tuning.alpha.graders.validate(
            grader=GRADER
        ),
        "a file by path": send_file(path),
        "an open file": send_open_file,
        "a file as bytes": send_file(LINES),
        "a file in memory": send_file(lambda: io.BytesIO(LINES)),
        "a file with a name": send_file(("train.jsonl", LINES)),
        "a file with a name and a type": send_file(("a b.jsonl", LINES, "application/jsonl")),
        "a file that expires": send_file(
            ("t.jsonl", LINES), expires_after={"anchor": "created_at", "seconds": 3600}
        ),
        "a file with a field of one's own": send_file(
            ("t.jsonl", LINES), extra_body={"target_model_names": "gpt-4.1"}
        ),
        "list files": lambda client: client.files.list(purpose="fine-tune", order="asc", limit=2),
        "retrieve a file": lambda client: client.files.retrieve("file-1"),
        "a file's content": lambda client: client.files.content("file-1").read(),
        "delete a file": lambda client: client.files.delete("file-1"),
        "an upload": lambda client: client.uploads.create(
            bytes=10,
            filename="a.jsonl",
            mime_type="text/jsonl",
            purpose="fine-tune",
            expires_after={"anchor": "created_at", "seconds": 3600},
        ),
        "a part": lambda client: client.uploads.parts.create("upload_abc123", data=LINES),
        "complete an upload": lambda client: client.uploads.complete(
            "upload_abc123", part_ids=["part_2", "part_1"]
        ),
        "cancel an upload": lambda client: client.uploads.cancel("upload_abc123"),
        "a file in parts": send_chunks,
        "list models": lambda client: client.models.list(),
        "retrieve a model": lambda client: client.models.retrieve(CHECKPOINT),
        "delete a model": lambda client: client.models.delete("ft:gpt-4o-mini:org::1"),
        "chat": lambda client: client.chat.completions.create(
            model="ft:m", messages=[{"role": "user", "content": "héllo"}]
        ),
        "chat with settings": lambda client: client.chat.completions.create(
            model="ft:m",
            messages=[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
            temperature=0,
            max_tokens=5,
            stop=["\n"],
            response_format={"type": "json_object"},
        ),
    }


def record(client: Any, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Make the calls; return what each sent, in an order that does not depend on threads."""
    requests.clear()
    for name, call in calls(folder).items():
        current["test"] = name
        call(client)
    return {
        name: sorted(map(comparable, sent), key=lambda one: (one["path"], str(one["body"])))
        for name, sent in requests.items()
    }


def comparable(request: dict[str, Any]) -> dict[str, Any]:
    """Keep the headers that are compared; the official SDK names a type where there is no body."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    kept = {name: headers[name].partition("; boundary")[0] for name in HEADERS if name in headers}
    if request["body"] is None:
        kept.pop("content-type", None)
    return {**request, "headers": kept}


def undo_differences(request: dict[str, Any], found: Counter[str]) -> dict[str, Any]:
    """Undo what our client does otherwise on purpose, and count it."""
    body, headers = request["body"], request["headers"]
    if isinstance(body, dict) and "idempotency_key" in (body.get("metadata") or {}):
        found["an idempotency key in the metadata of a new job"] += 1
        metadata = {key: one for key, one in body["metadata"].items() if key != "idempotency_key"}
        body = {key: one for key, one in body.items() if key != "metadata"}
        body |= {"metadata": metadata} if metadata else {}
    if isinstance(body, list) and body[0][:2] == ["file", "upload.jsonl"]:
        found["a file without a name is called upload.jsonl, not upload"] += 1
        body = [["file", "upload", *body[0][2:]], *body[1:]]
    if request["path"].endswith("/complete") and body.keys() == {"part_ids", "md5"}:
        found["a digest of a file that is sent in parts"] += 1
        body = {"part_ids": body["part_ids"]}
    if "/permissions" in request["path"] and headers.get("authorization") == "Bearer sk-admin":
        found["the admin key for permissions"] += 1
        headers = {**headers, "authorization": "Bearer sk-1"}
    return {**request, "body": body, "headers": headers}


def compare(what: str, theirs: dict[str, Any], sent: dict[str, Any]) -> int:
    """Print what differs; return the number of calls that do."""
    differences, known = 0, Counter[str]()
    for name, official in theirs.items():
        undone = [undo_differences(one, known) for one in sent[name]]
        if undone != official:
            differences += 1
            print(f"  {name}:\n    openai {official}\n    ours   {undone}")
    print(f"the same calls, {what}: {len(theirs)} on both clients, {differences} send others")
    for difference, count in known.items():
        print(f"  on purpose: {difference} ({count})")
    return differences


def main() -> int:
    warnings.simplefilter("ignore", ShutdownWarning)  # of the days on which OpenAI ends
    url = serve()
    both: dict[str, Any] = {"organization": "org-1", "project": "proj-1", "max_retries": 0}
    version = "2025-01-01-preview"
    # The answers of this server are not about the files that it is sent; and what Azure's classic
    # API lacks is asked all the same.
    openai = replace(OPENAI, counts_bytes=False)
    azure = replace(AZURE_CLASSIC, counts_bytes=False, lacks={})
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with (
            OpenAI(api_key="sk-1", admin_api_key="sk-admin", base_url=url, **both) as official,
            Client("sk-1", admin_key="sk-admin", base_url=url, provider=openai, **both) as ours,
        ):
            differences = compare("OpenAI", record(official, folder), record(ours, folder))
        with (
            AzureOpenAI(azure_endpoint=url, api_key="sk-1", api_version=version) as official,
            Client.azure(url, api_key="sk-1", api_version=version, provider=azure) as ours,
        ):
            differences += compare("Azure", record(official, folder), record(ours, folder))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
