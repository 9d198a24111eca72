from __future__ import annotations

import threading

import pytest

from finetune_client.local.training.llm.gpus import GpuPool, visible_gpus


def test_visible_gpus__are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-5f3,")
    assert visible_gpus() == ["2", "GPU-5f3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_visible_gpus__without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert visible_gpus() == []


def test_pool__gives_each_job_its_own_in_order() -> None:
    pool = GpuPool(["0", "1", "2"], 2)
    first = pool.take(lambda: False)
    assert first == ["0", "1"]
    got: list[list[str]] = []
    second = threading.Thread(target=lambda: got.append(pool.take(lambda: False)))
    second.start()
    second.join(0.3)
    assert got == []
    pool.give_back(first)
    second.join(10)
    assert got == [["2", "0"]]


def test_pool__a_job_that_is_given_up_makes_way_for_the_next() -> None:
    pool = GpuPool(["0"], 1)
    held = pool.take(lambda: False)
    assert pool.take(lambda: True) == []
    pool.give_back(held)
    assert pool.take(lambda: False) == ["0"]


@pytest.mark.parametrize("per_job", [0, 2])
def test_pool__of_too_few(per_job: int) -> None:
    with pytest.raises(ValueError, match="A job cannot have") as caught:
        GpuPool(["0"], per_job)
    assert str(caught.value) == (f"A job cannot have {per_job} GPUs: there are 1 on this machine.")
