"""An account of any size in the folder of a `LocalServer`, without training it, and what to compare."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

from finetune_client.archive import layout
from finetune_client.local.faults import Fault
from finetune_client.local.http.api_keys import DEFAULT_PROJECT
from finetune_client.local.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from finetune_client import Client
    from finetune_client.local import LocalServer

__all__ = ["differences", "make_account", "with_random_faults"]

CREATED = 1_760_000_000
GRADER = {
    "type": "string_check",
    "name": "same",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}
METHODS = ("supervised", "dpo", "reinforcement")


def example(kind: str, number: int) -> dict[str, Any]:
    question = {"role": "user", "content": f"What is {number} times {number}?"}
    answer = {"role": "assistant", "content": f"{number} times {number} is {number * number}."}
    if kind == "dpo":
        other = {"role": "assistant", "content": "I do not know."}
        return {
            "input": {"messages": [question]},
            "preferred_output": [answer],
            "non_preferred_output": [other],
        }
    if kind == "reinforcement":
        return {"messages": [question], "answer": answer["content"]}
    return {"messages": [question, answer]}


def lines(kind: str, numbers: range) -> bytes:
    return "".join(json.dumps(example(kind, number)) + "\n" for number in numbers).encode()


class _Account:
    """Rows and bytes, written straight into the store of a server that is not running."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._count = 0

    def add_file(self, content: bytes, name: str, purpose: str = "fine-tune") -> str:
        self._count += 1
        file_id = f"file-{self._count:08d}"
        wire = {
            "id": file_id,
            "object": "file",
            "bytes": len(content),
            "created_at": CREATED,
            "filename": name,
            "purpose": purpose,
            "status": "processed",
        }
        row = (file_id, json.dumps(wire), self._store.put(content), purpose, DEFAULT_PROJECT)
        with self._store.database.write() as rows:
            rows.execute(
                "INSERT INTO files (id, wire, blob, purpose, project) VALUES (?, ?, ?, ?, ?)", row
            )
        return file_id

    def add_model(self, name: str) -> None:
        def write(directory: Path) -> None:
            (directory / "model.npz").write_bytes(b"weights")

        row = (name, "tiny", CREATED, self._store.put_model(write), DEFAULT_PROJECT)
        with self._store.database.write() as rows:
            rows.execute(
                "INSERT INTO models (name, base, created_at, directory, project)"
                " VALUES (?, ?, ?, ?, ?)",
                row,
            )

    def add_job(self, wire: dict[str, Any], events: list[Any], checkpoints: list[Any]) -> None:
        job_id, metadata = wire["id"], wire["metadata"] or {}
        with self._store.database.write() as rows:
            made = rows.execute(
                "INSERT INTO jobs (id, wire, status, base, has_metadata, project)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    job_id,
                    json.dumps(wire),
                    wire["status"],
                    "tiny",
                    bool(metadata),
                    DEFAULT_PROJECT,
                ),
            )
            rows.executemany(
                "INSERT INTO job_metadata (key, value, job) VALUES (?, ?, ?)",
                [(*pair, made.lastrowid) for pair in metadata.items()],
            )
            rows.executemany(
                "INSERT INTO events (id, job, type, wire) VALUES (?, ?, ?, ?)",
                [(one["id"], job_id, one["type"], json.dumps(one)) for one in events],
            )
            rows.executemany(
                "INSERT INTO checkpoints (id, job, step, model, wire) VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        one["id"],
                        job_id,
                        one["step_number"],
                        one["fine_tuned_model_checkpoint"],
                        json.dumps(one),
                    )
                    for one in checkpoints
                ],
            )


def _method(kind: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"hyperparameters": {"n_epochs": 1}}
    if kind == "reinforcement":
        settings["grader"] = GRADER
    return {"type": kind, kind: settings}


def _events(number: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "object": "fine_tuning.job.event",
            "id": f"ftevent-{number:04d}-{step:05d}",
            "created_at": CREATED + 60 * number + step,
            "level": "info",
            "message": f"Step {step}/{count}",
            "type": "metrics",
            "data": {"step": step, "total_steps": count, "train_loss": 3 / (1 + step / 9)},
        }
        for step in range(1, count + 1)
    ]


def _checkpoint(job_id: str, name: str, number: int) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": f"ftckpt-{number:04d}",
        "created_at": CREATED,
        "fine_tuned_model_checkpoint": f"{name}:ckpt-step-10",
        "fine_tuning_job_id": job_id,
        "metrics": {"step": 10, "train_loss": 1.5},
        "step_number": 10,
    }


def make_account(
    root: Path,
    *,
    jobs: int = 12,
    events: int = 240,
    files: int = 9,
    models: int = 3,
    large_bytes: int = 300_000,
    examples: int = 12,
) -> None:
    """Write the records of an account: a third of the files each training, validation and result files.

    Args:
        root: The folder for a `LocalServer`.
        jobs: How many jobs, of all methods; the last is paused, the others have ended.
        events: How many events they have together.
        files: How many files; the first training file of each method is shared by many jobs.
        models: How many jobs made a model, each with a checkpoint.
        large_bytes: The least size of the first training file.
        examples: How many examples the other training and validation files have.
    """
    store = Store(root)
    try:
        _fill(_Account(store), jobs, events, files, models, large_bytes, examples)
    finally:
        store.close()


def _fill(
    account: _Account,
    jobs: int,
    events: int,
    files: int,
    models: int,
    large_bytes: int,
    examples: int,
) -> None:
    kinds = [METHODS[number % 3] for number in range(files // 3)]
    train = [account.add_file(lines(kind, range(examples)), f"{kind}.jsonl") for kind in kinds]
    line = lines("supervised", range(1, 2))
    content = line * (large_bytes // len(line) + 1)
    train[0] = account.add_file(content, "large.jsonl")
    fresh = range(500, 500 + examples)
    valid = [account.add_file(lines(kind, fresh), f"{kind}-v.jsonl") for kind in kinds]
    text = "step,train_loss\n" + "".join(f"{n},{2 / n:.4f}\n" for n in range(1, 40))
    csv = (text.encode(), base64.b64encode(text.encode()))
    results = [
        account.add_file(csv[n % 2], "step_metrics.csv", "fine-tune-results")
        for n in range(files - 2 * (files // 3) - 1)
    ]
    for number in range(jobs):
        kind = METHODS[number % 3]
        of_kind = [n for n, one in enumerate(kinds) if one == kind]
        place = of_kind[number % len(of_kind)]
        job_id = f"ftjob-{number:06d}"
        tuned = f"ft:tiny:local:n{number}:{number:08d}" if number < models else None
        status = "succeeded" if tuned else ("failed", "cancelled")[number % 2]
        error = {"code": "e", "message": f"It <failed> & {number}", "param": None}
        is_paused = number == jobs - 1
        checkpoints = []
        if tuned:
            account.add_model(tuned)
            account.add_model(f"{tuned}:ckpt-step-10")
            checkpoints = [_checkpoint(job_id, tuned, number)]
        wire = {
            "object": "fine_tuning.job",
            "id": job_id,
            "model": "tiny",
            "created_at": CREATED + 60 * number,
            "finished_at": None if is_paused else CREATED + 60 * number + 50,
            "fine_tuned_model": tuned,
            "organization_id": "org-local",
            "result_files": [results[number % len(results)]] if tuned and results else [],
            "status": "paused" if is_paused else status,
            "validation_file": valid[place] if number % 2 or kind == "reinforcement" else None,
            "training_file": train[place],
            "hyperparameters": {"n_epochs": 1, "batch_size": "auto"},
            "trained_tokens": None,
            "error": error if status == "failed" else None,
            "user_provided_suffix": f"n{number}",
            "seed": number,
            "estimated_finish": None,
            "integrations": None,
            "metadata": {"team": "a"} if number % 2 else None,
            "method": _method(kind),
        }
        count = events // jobs + (number < events % jobs)
        account.add_job(wire, _events(number, count), checkpoints)


def differences(root: Path, client: Client) -> list[str]:
    """Return in what an archive is not what the server holds; nothing is what one wants."""
    found = []
    index = layout.read_json(root / layout.INDEX)
    for job in client.jobs.list(limit=100):
        folder = root / job.id
        raw = client.request("GET", f"/fine_tuning/jobs/{job.id}")
        events = [event.to_dict() for event in client.jobs.list_events(job.id, limit=100)][::-1]
        read = [json.loads(line) for line in (folder / layout.EVENTS).read_bytes().splitlines()]
        checkpoints = [one.to_dict() for one in client.jobs.checkpoints.list(job.id)]
        same = {
            layout.SERVER_JOB: layout.read_json(folder / layout.SERVER_JOB) == raw,
            layout.EVENTS: read == events,
            layout.CHECKPOINTS: layout.read_json(folder / layout.CHECKPOINTS) == checkpoints,
        }
        found += [f"{job.id}/{name}" for name, is_same in same.items() if not is_same]
    refused = {one["id"] for one in index["missing"]}
    here = {path.stem: path for path in (root / layout.FILES).iterdir()}
    for file in client.files.list():
        if file.id not in refused:
            entry = index["files"][f"files/{here[file.id].name}"]
            content = hashlib.sha256()
            for block in client.files.stream(file.id):
                content.update(block)
            if (entry["bytes"], entry["sha256"]) != (file.bytes, content.hexdigest()):
                found.append(file.id)
    for name, entry in index["files"].items():
        content = (root / name).read_bytes()
        if (entry["bytes"], entry["sha256"]) != (len(content), hashlib.sha256(content).hexdigest()):
            found.append(f"index: {name}")
    named = {*index["files"], layout.INDEX, layout.PAGE}
    every = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return found + sorted(every ^ named)


def with_random_faults(
    server: LocalServer,
    refused_files: Iterable[str],
    *,
    seed: int = 1,
    rate: float = 0.08,
    kinds: tuple[str, ...] = ("429", "reset", "lost", "cut"),
) -> Callable[[], None]:
    """Let a server with ``faults=""`` refuse some files, and fail on some requests by chance.

    Returns:
        A function that ends the chance failures; the files stay refused.
    """
    faults = server.faults
    assert faults is not None
    chance = random.Random(seed)
    app = server.app
    refused = tuple(f"/v1/files/{file_id}/content" for file_id in refused_files)

    def failing(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path in refused:
            environ["HTTP_X_FINETUNE_FAULT"] = "403"
        elif chance.random() < rate:
            kind = chance.choice(kinds)
            faults.add(Fault(kind=kind, value=0 if kind == "429" else None, path=path))
        return app(environ, start_response)

    server.app = failing

    def end() -> None:
        nonlocal rate
        rate = 0
        faults.clear()

    return end
