from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from finetune_client.local import LocalServer
from tests.support.gated_trainer import GatedTrainer
from tests.support.local_api import BASE, LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

pytestmark = pytest.mark.usefixtures("impatient")
ROOT = BASE.removesuffix("/v1")


def answer_of(api: LocalApi, job_id: str, query: str = "") -> requests.Response:
    api.session.mount(ROOT, api.session.get_adapter(BASE))
    return api.session.get(f"{ROOT}/ui/jobs/{job_id}/curve.svg{query}", timeout=20)


def drawn(api: LocalApi, job_id: str, query: str = "") -> str:
    answer = answer_of(api, job_id, query)
    assert answer.headers["content-type"].startswith("image/svg+xml")
    ET.fromstring(answer.text)
    return answer.text


def points(drawing: str) -> int:
    """How many points the longest curve has."""
    paths: list[str] = re.findall(r'd="(M[^"]*)"', drawing)
    return max(path.count("L") for path in paths)


def test_draw__shows_the_losses_with_epochs_and_checkpoints(api: LocalApi) -> None:
    file_id = api.upload(jsonl(chat_lines(12)))
    valid = api.upload(jsonl(chat_lines(4, first=50)))
    settings = {"n_epochs": 2, "batch_size": 3}
    job = api.trained(training_file=file_id, validation_file=valid, hyperparameters=settings)
    drawing = drawn(api, job["id"])
    assert 'aria-label="train_loss, valid_loss, full_valid_loss by step"' in drawing
    for text in ("loss", "step", "epoch", "2"):
        assert f">{text}</text>" in drawing
    assert f"<title>checkpoint {job['fine_tuned_model']}:ckpt-step-4</title>" in drawing
    assert points(drawing) == 7
    assert 'width="640"' in drawing


@pytest.mark.parametrize(
    ("query", "width"), [("300", 300), ("1", 280), ("1000000", 1200), ("-5", 280), ("x", 640)]
)
def test_draw__is_as_wide_as_asked_within_bounds(api: LocalApi, query: str, width: int) -> None:
    job_id = api.create(training_file=api.upload(jsonl(chat_lines(10))))["id"]
    assert f'width="{width}"' in drawn(api, job_id, f"?width={query}")


def test_draw__of_a_job_without_steps(connect: Callable[[LocalServer], LocalApi]) -> None:
    api = connect(LocalServer(trainer=GatedTrainer()))
    job_id = api.create(training_file=api.upload(jsonl(chat_lines(10))))["id"]
    assert "No values yet" in drawn(api, job_id)


def test_draw__shows_rewards_where_there_are_no_losses(
    connect: Callable[[LocalServer], LocalApi],
) -> None:
    server = LocalServer()
    api = connect(server)
    job_id = api.trained(training_file=api.upload(jsonl(chat_lines(10))))["id"]
    assert ">reward</text>" not in drawn(api, job_id)
    with server._store.database.write() as rows:
        rows.execute("UPDATE events SET wire = replace(wire, '\"train_loss\"', '\"train_reward\"')")
    drawing = drawn(api, job_id)
    assert 'aria-label="train_reward by step"' in drawing
    assert ">reward</text>" in drawing


def test_draw__reads_a_part_of_a_long_job_with_all_full_validations(
    connect: Callable[[LocalServer], LocalApi],
) -> None:
    server = LocalServer()
    api = connect(server)
    job_id = api.trained(training_file=api.upload(jsonl(chat_lines(10))))["id"]
    steps, last = [], 20_001
    for step in range(1, last + 1):
        metrics: dict[str, Any] = {"step": step, "total_steps": last, "train_loss": 1 / step}
        if step in {777, 778}:
            metrics["full_valid_loss"] = float(step)
        steps.append((f"e{step}", job_id, json.dumps({"data": metrics})))
    with server._store.database.write() as rows:
        rows.execute("DELETE FROM events WHERE job = ?", (job_id,))
        rows.execute("UPDATE jobs SET step = ? WHERE id = ?", (last, job_id))
        rows.executemany(
            "INSERT INTO events (id, job, type, wire) VALUES (?, ?, 'metrics', ?)", steps
        )
    drawing = drawn(api, job_id)
    assert ">full_valid_loss</text>" in drawing
    assert ">20000</text>" in drawing
    assert points(drawing) < 1000


def test_draw__of_a_job_that_does_not_exist(api: LocalApi) -> None:
    answer = answer_of(api, "ftjob-0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "fine_tune_not_found")
