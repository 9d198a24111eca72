from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from finetune_client.local.training.llm.memory import (
    Memory,
    Pass,
    Shape,
    TrainingPlan,
    estimate,
    free_memory,
    notice_of,
)
from tests.benchmarks.bench_llm_memory import measure, task_of
from tests.local.training.llm.conftest import TEMPLATE, make_model

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = Shape(
    weights=1_000_000, layers=10, hidden_size=100, vocabulary=1000, features=20_000, cache=5000
)
PASS = Pass(rows=1, length=100, predicted=100, scored=50)
ADAPTER = TrainingPlan(
    rank=8, itemsize=4, checkpointing=False, largest=PASS, is_accumulated=True, on_gpu=True
)
FULL = replace(ADAPTER, rank=None)
ON_CPU = replace(ADAPTER, on_gpu=False)


def test_estimate__of_an_adapter() -> None:
    memory = estimate(SHAPE, ADAPTER, libraries=7)
    assert memory == Memory(
        libraries=7,
        weights=4_000_000 + 4 * 160_000,
        gradients=4 * 160_000,
        optimizer=8 * 160_000,
        activations=round(100 * 20_000 * 4.35),
        logits=1000 * (100 * 4 + 50 * 12),
    )
    assert memory.total == sum(memory.to_dict().values())


def test_estimate__of_all_weights() -> None:
    memory = estimate(SHAPE, FULL)
    assert (memory.weights, memory.gradients, memory.optimizer) == (4e6, 4e6, 8e6)
    short = estimate(SHAPE, replace(FULL, itemsize=2))
    assert short.weights == 6e6  # in float32, and a copy in bfloat16
    assert short.activations < memory.activations
    assert estimate(SHAPE, replace(ADAPTER, itemsize=2)).weights == 2e6 + 4 * 160_000
    assert estimate(SHAPE, replace(FULL, references=1)).weights == 8e6


def test_estimate__of_a_step_of_one_pass_puts_gradients_where_activations_were() -> None:
    several = estimate(SHAPE, ADAPTER)
    one = estimate(SHAPE, replace(ADAPTER, is_accumulated=False))
    assert one == replace(several, gradients=0)
    small = Pass(rows=1, length=10, predicted=10, scored=10)
    one = estimate(SHAPE, replace(FULL, largest=small, is_accumulated=False))
    assert one.gradients == 4_000_000 - one.activations - one.logits > 0


def test_estimate__of_a_cpu_has_room_for_what_is_left_of_earlier_passes() -> None:
    gpu, cpu = (estimate(SHAPE, replace(ADAPTER, on_gpu=on_gpu)) for on_gpu in (True, False))
    assert cpu == replace(gpu, activations=2 * gpu.activations, logits=2 * gpu.logits)


def test_estimate__of_several_processes() -> None:
    one = estimate(SHAPE, FULL)
    many = estimate(SHAPE, replace(FULL, processes=4))
    assert many.gradients == 2 * one.gradients
    assert (many.weights, many.optimizer) == (one.weights, one.optimizer)
    sharded = estimate(SHAPE, replace(FULL, processes=4, shards=4))
    assert sharded.weights * 4 == one.weights
    assert sharded.gradients * 4 == one.gradients
    assert sharded.optimizer * 4 == one.optimizer
    assert sharded.activations == one.activations


def test_estimate__of_activations_that_are_computed_twice() -> None:
    twice = estimate(SHAPE, replace(ADAPTER, checkpointing=True))
    layer = 2000 * 4.35
    assert twice.activations == round(100 * (100 * 4 * 10 + layer))
    assert twice.activations < estimate(SHAPE, ADAPTER).activations / 4


def test_estimate__of_padded_rows_has_a_mask_for_each_layer() -> None:
    rows = replace(PASS, rows=2, length=50)
    padded = estimate(SHAPE, replace(ADAPTER, largest=rows))
    assert padded.activations - estimate(SHAPE, ADAPTER).activations == 100 * 50 * 4 * 10


def test_estimate__of_what_is_larger_than_the_pass_that_is_trained_on() -> None:
    large = Pass(rows=1, length=10, predicted=10_000, scored=10_000)
    measured = estimate(SHAPE, replace(ADAPTER, measured=large))
    assert measured.logits == 1000 * 10_000 * 16
    assert measured.activations == round(10 * 2000 * 4.35)  # one layer at a time
    sampled = estimate(SHAPE, replace(ADAPTER, sampled=10_000))
    assert (sampled.activations, sampled.logits) == (10_000 * 5000 * 4, 0)
    small = Pass(rows=1, length=1, predicted=1, scored=1)
    assert estimate(SHAPE, replace(ADAPTER, measured=small, sampled=1)) == estimate(SHAPE, ADAPTER)


def test_estimate__of_logits_that_are_computed_a_part_at_a_time() -> None:
    shape = replace(SHAPE, vocabulary=100_000)
    tiled = Pass(rows=100, length=100, predicted=10_000, scored=10_000, is_tiled=True)
    memory = estimate(shape, replace(ADAPTER, largest=tiled))
    assert memory.logits == 4 * 4 * 4096 * 32_768


def need(**parts: int) -> Memory:
    nothing = dict.fromkeys(Memory.__dataclass_fields__, 0)
    return Memory(**{**nothing, **{name: size * 10**8 for name, size in parts.items()}})


def test_notice__says_what_is_needed_and_what_is_free() -> None:
    memory = need(libraries=4, weights=27)
    told = notice_of(memory, 14_200_000_000, ON_CPU, processes=1)
    assert told["level"] == "info"
    assert told["message"] == "Training needs about 3.1 GB of memory; 14 GB are free."
    assert told["data"]["needed_bytes"] == 3_100_000_000
    assert told["data"]["free_bytes"] == 14_200_000_000
    assert told["data"]["parts"]["weights"] == 2_700_000_000
    two = notice_of(memory, 14_200_000_000, ON_CPU, processes=2)
    assert (
        two["message"] == "Training needs about 6.2 GB of memory for 2 processes; 14 GB are free."
    )
    gpu = notice_of(memory, 14_200_000_000, ADAPTER, processes=1)
    assert gpu["message"] == "Training needs about 3.1 GB of GPU memory; 14 GB are free."


def test_notice__warns_only_where_clearly_more_is_needed() -> None:
    def level(free: int) -> str:
        told = notice_of(need(weights=50), free, ON_CPU, processes=1)
        return str(told["level"])

    assert level(4_000_000_000) == "info"  # 1.25 times what is free
    assert level(3_990_000_000) == "warn"


@pytest.mark.parametrize(
    ("training", "memory", "largest", "remedies"),
    [
        (
            replace(ON_CPU, rank=None),
            need(weights=40, optimizer=60, activations=200),
            "20 GB for activations and 6.0 GB for optimizer",
            (
                "an adapter instead of all weights, a smaller max_length or fewer tokens_per_pass, "
                "activation_checkpointing, or a smaller model"
            ),
        ),
        (
            replace(ON_CPU, checkpointing=True),
            need(activations=200, logits=100),
            "20 GB for activations and 10 GB for logits",
            (
                "a smaller max_length or fewer tokens_per_pass, the dtype bfloat16, or a smaller "
                "model"
            ),
        ),
        (replace(ON_CPU, itemsize=2), need(weights=300), "30 GB for weights", "a smaller model"),
    ],
)
def test_notice__says_what_to_do(
    training: TrainingPlan, memory: Memory, largest: str, remedies: str
) -> None:
    told = notice_of(memory, 10**9, training, processes=1)
    assert told["level"] == "warn"
    begin, end = told["message"].split("It needs less with ")
    assert end == f"{remedies}."
    assert begin == (
        f"Training needs about 30 GB of memory, of which {largest}, but only 1.0 GB are free: it "
        "may run out of memory. This is an estimate. "
    )


@pytest.fixture
def cgroups(tmp_path: Path) -> Path:
    pytest.importorskip("psutil")
    for folder in ("", "job"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "memory.stat").write_text("anon 5\ninactive_file 2000\n")
        (tmp_path / folder / "memory.current").write_text("90000\n")
        (tmp_path / folder / "memory.max").write_text("max\n")
    (tmp_path / "own").write_text("0::/job\n")
    return tmp_path


def test_free_memory__is_what_the_container_leaves(cgroups: Path) -> None:
    unlimited = free_memory(cgroups, cgroups / "own")
    assert unlimited > 1_000_000
    (cgroups / "job" / "memory.max").write_text("100000\n")
    assert free_memory(cgroups, cgroups / "own") == 100_000 - 90_000 + 2000
    (cgroups / "memory.max").write_text("91000\n")
    assert free_memory(cgroups, cgroups / "own") == 91_000 - 90_000 + 2000
    (cgroups / "own").write_text("0::/../elsewhere\n")  # as a container may see it
    assert free_memory(cgroups, cgroups / "own") == 91_000 - 90_000 + 2000
    (cgroups / "memory.max").write_text("10\n")
    assert free_memory(cgroups, cgroups / "own") == 0


def test_free_memory__of_the_first_version_of_cgroups(cgroups: Path) -> None:
    folder = cgroups / "memory" / "job"
    folder.mkdir(parents=True)
    (folder / "memory.stat").write_text("cache 5000\ntotal_inactive_file 3000\n")
    (folder / "memory.usage_in_bytes").write_text("50000")
    (folder / "memory.limit_in_bytes").write_text("60000")
    (cgroups / "own").write_text("4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n")
    assert free_memory(cgroups, cgroups / "own") == 60_000 - 50_000 + 3000


def test_free_memory__where_there_are_no_cgroups(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    free = free_memory(tmp_path, tmp_path / "own")
    assert 0 < free <= psutil.virtual_memory().total


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("options", "method"),
    [
        ({}, "supervised"),
        ({"full": True}, "supervised"),
        pytest.param({}, "dpo", marks=pytest.mark.slow),
    ],
)
def test_estimate__is_about_what_a_process_takes(
    tmp_path: Path, options: dict[str, bool], method: str
) -> None:
    pytest.importorskip("trl")
    sizes = {"hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 6}
    model = make_model(tmp_path / "model", TEMPLATE, vocab_size=20_000, **sizes)
    task = task_of(model, tmp_path, method=method, examples=12, dtype="float32", **options)
    told, peak = measure(task, tmp_path)
    libraries = told["parts"]["libraries"]
    needed, taken = told["needed_bytes"] - libraries, peak - libraries
    assert taken > 2e8
    assert taken / 1.5 < needed < taken * 1.5
