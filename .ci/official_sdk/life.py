"""Take the official SDK through the whole life of a job, on the server of this package.

The official SDK for JavaScript does the same, where node is there and can get it (``life.mjs``).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import openai
from openai import OpenAI

from finetune_client.local import LocalServer, running

ROWS = [
    {
        "messages": [
            {"role": "user", "content": f"{n} + 1"},
            {"role": "assistant", "content": f"{n + 1}"},
        ]
    }
    for n in range(20)
]
TRAINING_FILE = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
GRADER: Any = {
    "type": "string_check",
    "name": "same",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}


def main() -> None:
    checks = [one for name, one in globals().items() if name.startswith("check_")]
    with (
        LocalServer() as server,
        running(server) as url,
        OpenAI(api_key="none", admin_api_key="none", base_url=url, max_retries=0) as client,
    ):
        for check in checks:
            check(client)
            print("ok", check.__name__)
        run_node(url)


def run_node(url: str) -> None:
    """Run the same in JavaScript; it can find a package beside itself alone, hence the copy."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        print("skipped: there is no node")
        return
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "life.mjs"
        shutil.copyfile(Path(__file__).with_name("life.mjs"), script)
        command = [npm, "install", "--silent", "--no-audit", "--prefix", folder, "openai"]
        if subprocess.run(command, check=False).returncode:
            print("skipped: the npm package openai cannot be had")
            return
        subprocess.run([node, str(script), url], check=True)


def check_files(client: OpenAI) -> None:
    file = client.files.create(
        file=("train.jsonl", TRAINING_FILE),
        purpose="fine-tune",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert (file.bytes, file.filename, file.purpose) == (
        len(TRAINING_FILE),
        "train.jsonl",
        "fine-tune",
    )
    assert file.expires_at == file.created_at + 3600
    assert client.files.retrieve(file.id) == file
    assert client.files.wait_for_processing(file.id).id == file.id
    assert client.files.content(file.id).read() == TRAINING_FILE
    others = [client.files.create(file=b"x", purpose="user_data").id for _ in range(3)]
    listed = [one.id for one in client.files.list(purpose="user_data", limit=2, order="asc")]
    assert listed == others
    for one in others:
        assert client.files.delete(one).deleted
    with (
        tempfile.TemporaryDirectory() as folder,
        client.files.with_streaming_response.content(file.id) as response,
    ):
        response.stream_to_file(Path(folder) / "a")
        assert (Path(folder) / "a").read_bytes() == TRAINING_FILE


def check_uploads(client: OpenAI) -> None:
    upload = client.uploads.create(
        bytes=len(TRAINING_FILE),
        filename="parts.jsonl",
        mime_type="application/jsonl",
        purpose="fine-tune",
    )
    half = len(TRAINING_FILE) // 2
    parts = [
        client.uploads.parts.create(upload.id, data=data).id
        for data in (TRAINING_FILE[:half], TRAINING_FILE[half:])
    ]
    done = client.uploads.complete(upload.id, part_ids=parts)
    assert done.status == "completed"
    assert done.file is not None
    assert client.files.content(done.file.id).read() == TRAINING_FILE
    other = client.uploads.create(
        bytes=3, filename="a", mime_type="text/plain", purpose="user_data"
    )
    assert client.uploads.cancel(other.id).status == "cancelled"
    chunked = client.uploads.upload_file_chunked(
        file=TRAINING_FILE,
        filename="chunked.jsonl",
        bytes=len(TRAINING_FILE),
        mime_type="application/jsonl",
        purpose="fine-tune",
        part_size=500,
    )
    assert chunked.status == "completed"


def create(client: OpenAI, **settings: Any) -> Any:
    file = client.files.create(file=("train.jsonl", TRAINING_FILE), purpose="fine-tune")
    return client.fine_tuning.jobs.create(model="tiny", training_file=file.id, **settings)


def check_job(client: OpenAI) -> None:
    job = create(
        client,
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
        suffix="mine",
        seed=7,
        metadata={"who": "ci"},
    )
    assert (job.object, job.seed, job.metadata) == ("fine_tuning.job", 7, {"who": "ci"})
    until = time.monotonic() + 60
    while client.fine_tuning.jobs.retrieve(job.id).status not in {"succeeded", "failed"}:
        assert time.monotonic() < until
        time.sleep(0.05)
    job = client.fine_tuning.jobs.retrieve(job.id)
    assert (job.status, job.error) == ("succeeded", None)
    assert job.fine_tuned_model
    assert job.trained_tokens
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=3))
    assert len({event.id for event in events}) == len(events) > 3
    assert any(event.type == "metrics" for event in events)
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert checkpoints[0].metrics.step is not None
    assert client.files.content(job.result_files[0]).text
    assert job.id in [one.id for one in client.fine_tuning.jobs.list(limit=1)]
    assert [one.id for one in client.fine_tuning.jobs.list(metadata={"who": "ci"})] == [job.id]
    assert client.models.retrieve(job.fine_tuned_model).id == job.fine_tuned_model
    share(client, job.fine_tuned_model)
    assert client.models.delete(job.fine_tuned_model).deleted


def share(client: OpenAI, model: str) -> None:
    permissions = client.fine_tuning.checkpoints.permissions
    made = [one.id for one in permissions.create(model, project_ids=["proj_a", "proj_b"])]
    assert len(made) == 2
    assert {one.project_id for one in permissions.list(model, limit=1)} == {"proj_a", "proj_b"}
    assert permissions.delete(made[0], fine_tuned_model_checkpoint=model).deleted


def check_cancelling_and_pausing(client: OpenAI) -> None:
    job = create(client, hyperparameters={"n_epochs": 50, "batch_size": 1})
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    try:
        client.fine_tuning.jobs.resume(job.id)
    except openai.BadRequestError as error:
        assert error.body
    else:
        raise AssertionError("a cancelled job was resumed")


def check_graders(client: OpenAI) -> None:
    graders = client.fine_tuning.alpha.graders
    assert graders.validate(grader=GRADER).grader is not None
    run = graders.run(grader=GRADER, model_sample="4", item={"answer": "4"})
    assert run.reward == 1.0
    assert run.metadata.errors.api_model_grader_parse_error is False


def check_errors(client: OpenAI) -> None:
    for call in (
        lambda: client.fine_tuning.jobs.retrieve("ftjob-none"),
        lambda: client.files.retrieve("file-none"),
        lambda: client.models.retrieve("none"),
    ):
        try:
            call()
        except openai.NotFoundError as error:  # noqa: PERF203 - three times
            assert error.code or error.type
        else:
            raise AssertionError("something that is not there was found")
    try:
        client.fine_tuning.jobs.create(model="tiny", training_file="file-none")
    except openai.APIStatusError as error:
        assert error.status_code in {400, 404}
    else:
        raise AssertionError("a job of no file was created")


def check_raw_response(client: OpenAI) -> None:
    raw = client.models.with_raw_response.list()
    assert raw.request_id
    assert "tiny" in [one.id for one in raw.parse()]


if __name__ == "__main__":
    sys.exit(main())
