from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.local.training.llm.options import Options
from finetune_client.local.training.llm.trainer import LlmTrainer
from finetune_client.local.training.trainer import Notice, Step, TrainingError, TrainingTask
from tests.local.training.llm.conftest import chat
from tests.support.training_steps import steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client.local.training.llm.trainer import LlmTraining
    from tests.local.training.llm.conftest import Outcome

ROOT = Path(__file__).parents[4]
LINES = [chat(number) for number in range(10)]
VALID = [chat(number) for number in range(10, 15)]
SETTINGS = {"n_epochs": 2, "batch_size": 4}
FOREVER = {"n_epochs": 50, "batch_size": 1}

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def make(
    tiny: Path, tmp_path: Path, write_lines: Callable[..., Path]
) -> Iterator[Callable[..., LlmTraining]]:
    """Begin, or with `snapshot` resume, a run of the tiny model; it is closed at the end."""
    pytest.importorskip("torch")
    opened: list[LlmTraining] = []

    def begin(
        settings: dict[str, int], snapshot: Path | None = None, **options: Any
    ) -> LlmTraining:
        given = {"threads": 1, "dtype": "float32", "cache": tmp_path / "cache", **options}
        trainer = LlmTrainer({"tiny-llama": tiny}, **given)
        task = TrainingTask(
            method="supervised",
            model="tiny-llama",
            base="tiny-llama",
            training_file=write_lines(LINES),
            validation_file=write_lines(VALID, "valid.jsonl"),
            hyperparameters=trainer.resolve("supervised", settings, "tiny-llama", len(LINES)),
            seed=1,
            grader=None,
            parent=None,
            directory=tmp_path / "job",
        )
        opened.append(trainer.start(task) if snapshot is None else trainer.resume(task, snapshot))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


def processes_in(directory: Path) -> dict[int, list[str]]:
    """The processes whose arguments name the directory."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().decode().split("\0")
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if state != "Z" and any(str(directory) in one for one in arguments):
                found[int(entry.name)] = arguments
    return found


def assert_gone(directory: Path, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while processes_in(directory) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes_in(directory) == {}


def test_training__pauses_and_resumes_with_the_same_numbers(
    make: Callable[..., LlmTraining], train_here: Callable[..., Outcome], tmp_path: Path
) -> None:
    expected = train_here(LINES, validation=VALID, **SETTINGS).steps
    first = make(SETTINGS)
    seen = []
    for step in steps_of(first):
        seen.append(step)
        first.stop()
    assert first.total_steps == len(expected)
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    first.save_snapshot(snapshot)
    kept = sorted(path.name for path in snapshot.iterdir())
    assert_gone(tmp_path)
    if len(seen) < len(expected):  # it may have been done before it heard of the pause
        second = make(SETTINGS, snapshot)
        seen += steps_of(second)
        model = tmp_path / "model"
        model.mkdir()
        second.save_model(model)
        names = {path.name for path in model.iterdir()}
        assert names == {"adapter_config.json", "adapter_model.safetensors"}
    assert [(step.number, step.metrics, step.tokens, step.checkpoint) for step in seen] == [
        (step["number"], step["metrics"], step["tokens"], step["checkpoint"]) for step in expected
    ]
    assert sorted(path.name for path in snapshot.iterdir()) == kept


def test_training__resumed_after_its_last_step_still_has_the_model(
    make: Callable[..., LlmTraining], tmp_path: Path
) -> None:
    first = make({"n_epochs": 1, "batch_size": 10})
    assert len(list(steps_of(first))) == 1
    snapshot, model = tmp_path / "snapshot", tmp_path / "model"
    snapshot.mkdir()
    model.mkdir()
    first.save_snapshot(snapshot)
    second = make({"n_epochs": 1, "batch_size": 10}, snapshot)
    assert list(steps_of(second)) == []
    second.save_model(model)
    assert (model / "adapter_model.safetensors").exists()


def test_training__two_processes_are_like_one(
    make: Callable[..., LlmTraining], train_here: Callable[..., Outcome], tmp_path: Path
) -> None:
    expected = train_here(LINES, validation=VALID, **SETTINGS).steps
    training = make(SETTINGS, processes=2, tokens_per_pass=150)
    steps = list(steps_of(training))
    assert training.processes == 2
    assert [step.tokens for step in steps] == [step["tokens"] for step in expected]
    for step, one in zip(steps, expected, strict=True):
        assert dict(step.metrics) == pytest.approx(one["metrics"], abs=1e-6)
    assert_gone(tmp_path)


def write_config(path: Path, kind: str, *, machine: int | None = None, port: int = 0) -> Path:
    """A config file of accelerate for two processes, on one machine or two."""
    lines = [
        "compute_environment: LOCAL_MACHINE",
        f"distributed_type: {kind}",
        "use_cpu: true",
        "mixed_precision: 'no'",
        "num_processes: 2",
        f"num_machines: {1 if machine is None else 2}",
        f"machine_rank: {machine or 0}",
        "main_process_ip: 127.0.0.1",
        f"main_process_port: {port}",
    ]
    if kind == "FSDP":
        lines += [
            "fsdp_config:",
            "  fsdp_version: 2",
            "  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP",
            "  fsdp_state_dict_type: SHARDED_STATE_DICT",
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


MACHINES = """
import subprocess, sys, time

lines = [[one.replace("machine-0", f"machine-{n}") for one in sys.argv[1:]] for n in range(2)]
machines = [subprocess.Popen(line) for line in lines]
while all(machine.poll() is None for machine in machines):
    time.sleep(0.1)
if any(machine.poll() for machine in machines):
    for machine in machines:
        machine.terminate()
sys.exit(max(machine.wait() for machine in machines))
"""
"""Starts a command twice, as launchers of clusters do on their machines, each with a file of its own."""


def test_training__on_two_machines_is_like_one_process(
    make: Callable[..., LlmTraining], train_here: Callable[..., Outcome], tmp_path: Path
) -> None:
    expected = train_here(LINES, validation=VALID, **SETTINGS).steps
    program = tmp_path / "machines.py"
    program.write_text(MACHINES)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for machine in range(2):
        write_config(tmp_path / f"machine-{machine}.yaml", "MULTI_GPU", machine=machine, port=port)
    training = make(
        SETTINGS,
        launcher=[sys.executable, str(program)],
        accelerate_config=tmp_path / "machine-0.yaml",
    )
    steps = list(steps_of(training))
    assert training.processes == 2
    assert [step.tokens for step in steps] == [step["tokens"] for step in expected]
    for step, one in zip(steps, expected, strict=True):
        assert dict(step.metrics) == pytest.approx(one["metrics"], abs=1e-6)
    assert_gone(tmp_path)


CPU_AS_ACCELERATOR = """
import os

if "RANK" in os.environ:
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    import torch
    from accelerate import state

    torch.distributed.init_process_group("gloo")
    state.PartialState._prepare_backend = lambda *_, **__: ("gloo", state.DistributedType.MULTI_GPU)
"""
"""accelerate shards on GPUs and the like alone; torch does so on CPUs, too. Python runs this when it
starts."""


def test_training__sharded_by_fsdp2_is_like_one_process(
    make: Callable[..., LlmTraining],
    train_here: Callable[..., Outcome],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    whole = train_here(LINES, validation=VALID, options={"full": True}, **SETTINGS)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CPU_AS_ACCELERATOR)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    config = write_config(tmp_path / "fsdp2.yaml", "FSDP")
    training = make(SETTINGS, full=True, accelerate_config=config)
    told = list(training.steps())
    assert training.processes == 2
    assert {one.level for one in told if isinstance(one, Notice)} == {"info"}
    steps = [one for one in told if isinstance(one, Step)]
    assert [step.tokens for step in steps] == [step["tokens"] for step in whole.steps]
    for step, one in zip(steps, whole.steps, strict=True):
        assert dict(step.metrics) == pytest.approx(one["metrics"], abs=1e-6)
    model, snapshot = tmp_path / "model", tmp_path / "snapshot"
    for directory, save in ((model, training.save_model), (snapshot, training.save_snapshot)):
        directory.mkdir()
        save(directory)
    assert (snapshot / "pytorch_model_fsdp.bin").exists()  # so it was sharded
    assert {path.suffix for path in model.iterdir()} == {".json", ".jinja", ".safetensors"}
    first, second = (
        transformers.AutoModelForCausalLM.from_pretrained(path).state_dict()
        for path in (whole.model, model)
    )
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(second[name], first[name], atol=1e-5, rtol=0)


DEEPSPEED = """
compute_environment: LOCAL_MACHINE
distributed_type: DEEPSPEED
mixed_precision: 'no'
num_processes: 2
num_machines: 1
machine_rank: 0
deepspeed_config:
  zero_stage: {stage}
  gradient_accumulation_steps: auto
  offload_optimizer_device: none
  offload_param_device: none
  zero3_init_flag: false
"""


@pytest.mark.slow
@pytest.mark.timeout(900)  # DeepSpeed compiles its communication when it is first used
@pytest.mark.parametrize(("stage", "full"), [(2, False), (2, True), (3, True)])
def test_training__sharded_by_deepspeed_is_like_one_process(
    make: Callable[..., LlmTraining],
    train_here: Callable[..., Outcome],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: int,
    full: bool,
) -> None:
    if importlib.util.find_spec("deepspeed") is None:  # which writes to stdout when it is imported
        pytest.skip("deepspeed is not installed")
    torch = pytest.importorskip("torch")
    load_file = pytest.importorskip("safetensors.torch").load_file
    whole = train_here(LINES, validation=VALID, options={"full": full}, **SETTINGS)
    (tmp_path / "site").mkdir()
    program = CPU_AS_ACCELERATOR.replace("MULTI_GPU", "DEEPSPEED")
    (tmp_path / "site" / "sitecustomize.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    config = tmp_path / "deepspeed.yaml"
    config.write_text(DEEPSPEED.format(stage=stage))
    training = make(SETTINGS, full=full, accelerate_config=config)
    steps = []
    for step in steps_of(training):
        steps.append(step)
        if step.number == 2:
            training.stop()
    assert training.processes == 2
    (snapshot := tmp_path / "snapshot").mkdir()
    training.save_snapshot(snapshot)
    assert list(snapshot.glob("global_step*/*_optim_states.pt"))  # so it was sharded
    if len(steps) < len(whole.steps):  # it may have been done before it heard of the pause
        training = make(SETTINGS, snapshot, full=full, accelerate_config=config)
        steps += steps_of(training)
    assert [step.tokens for step in steps] == [step["tokens"] for step in whole.steps]
    for step, one in zip(steps, whole.steps, strict=True):
        assert dict(step.metrics) == pytest.approx(one["metrics"], abs=1e-5)
    (model := tmp_path / "model").mkdir()
    training.save_model(model)
    assert {path.suffix for path in model.iterdir()} <= {".json", ".jinja", ".safetensors"}
    name = "model.safetensors" if full else "adapter_model.safetensors"
    first, second = (load_file(directory / name) for directory in (whole.model, model))
    assert second.keys() - first.keys() <= {"lm_head.weight"}  # the same as that of the inputs
    for key in first:
        torch.testing.assert_close(second[key], first[key], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "FSDP",
            (
                "The config file of accelerate asks for FSDP, but accelerate shards models on GPUs and "
                "other accelerators alone: on this CPU each process holds the whole model."
            ),
        ),
        (
            "MULTI_CPU",
            (
                "The config file of accelerate asks for several processes, but with its "
                "distributed_type accelerate starts only one. MULTI_GPU starts them on CPUs, too; so "
                "does the option processes, without a config file."
            ),
        ),
    ],
)
def test_training__by_a_config_that_accelerate_does_not_heed_says_so(
    make: Callable[..., LlmTraining], tmp_path: Path, kind: str, message: str
) -> None:
    training = make(FOREVER, accelerate_config=write_config(tmp_path / "config.yaml", kind))
    told = training.steps()
    first = [next(told) for _ in range(3)]
    assert [one.level for one in first if isinstance(one, Notice)] == ["info", "warn"]
    assert isinstance(first[1], Notice)
    assert first[1].message == message


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("processes", [1, 2])
def test_training__that_is_closed_leaves_no_process(
    make: Callable[..., LlmTraining], tmp_path: Path, processes: int
) -> None:
    training = make(FOREVER, processes=processes)
    steps = steps_of(training)
    next(steps)
    assert len(processes_in(tmp_path)) == (1 if processes == 1 else 3)
    training.close()
    assert list(steps) == []
    assert_gone(tmp_path, 5)
    training.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("victim", ["the child", "a rank", "the launcher"])
def test_training__whose_processes_are_killed_has_failed(
    make: Callable[..., LlmTraining], tmp_path: Path, victim: str
) -> None:
    training = make(FOREVER, processes=1 if victim == "the child" else 2)
    steps = steps_of(training)
    next(steps)
    running = processes_in(tmp_path)
    launchers = {pid for pid, arguments in running.items() if "torch.distributed.run" in arguments}
    others = sorted(running.keys() - launchers)
    os.kill(launchers.pop() if victim == "the launcher" else others[0], signal.SIGKILL)
    with pytest.raises(TrainingError) as caught:
        list(steps)
    assert caught.value.code == "trainer_died"
    if victim != "a rank":
        assert "killed by signal 9; the system does so when memory is short" in str(caught.value)
    assert_gone(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_training__that_is_told_to_end_waits_for_its_server_to_end_it(
    make: Callable[..., LlmTraining], tmp_path: Path
) -> None:
    training = make(FOREVER)
    steps = steps_of(training)
    next(steps)
    [child] = processes_in(tmp_path)
    os.kill(child, signal.SIGTERM)
    assert [next(steps).number, next(steps).number] == [2, 3]
    training.close()
    assert_gone(tmp_path, 5)


SERVER = """
import os, signal, sys
from pathlib import Path
from finetune_client.local.training.llm.trainer import LlmTrainer
from finetune_client.local.training.trainer import Step, TrainingTask

model, lines, job, processes = sys.argv[1:]
trainer = LlmTrainer(
    {"tiny-llama": model}, cache=Path(job), processes=int(processes), threads=1, dtype="float32"
)
settings = trainer.resolve("supervised", {"n_epochs": 50, "batch_size": 1}, "tiny-llama", 10)
task = TrainingTask(
    method="supervised", model="tiny-llama", base="tiny-llama", training_file=Path(lines),
    validation_file=None, hyperparameters=settings, seed=1, grader=None, parent=None,
    directory=Path(job),
)
for step in trainer.start(task).steps():
    if not isinstance(step, Step):
        continue
    print(step.number, flush=True)
    if step.number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("processes", [1, 2])
def test_training__whose_server_is_killed_leaves_no_process(
    tiny: Path, tmp_path: Path, write_lines: Callable[..., Path], processes: int
) -> None:
    pytest.importorskip("torch")
    job = tmp_path / "job"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SERVER,
            str(tiny),
            str(write_lines(LINES)),
            str(job),
            str(processes),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stdout.split()[:2]) == (-signal.SIGKILL, ["1", "2"]), done.stderr
    assert_gone(job)


def test_training__that_is_stopped_while_the_model_is_loaded_ends_without_a_step(
    make: Callable[..., LlmTraining], tmp_path: Path
) -> None:
    training = make(FOREVER)
    training.stop()
    assert list(training.steps()) == []
    assert not (tmp_path / "job").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
def test_training__without_memory_says_so(make: Callable[..., LlmTraining], tmp_path: Path) -> None:
    program = tmp_path / "limited.py"
    program.write_text(
        textwrap.dedent(
            """
            import os, resource, sys
            import torch, transformers, peft  # what they take is not what is limited
            from finetune_client.local.training.llm import runs, supervised
            from finetune_client.local.training.llm.child import main

            used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (used + 1_500_000_000,) * 2)
            main(sys.argv[-1])
            """
        )
    )
    training = make(
        {"n_epochs": 1, "batch_size": 10},
        launcher=[sys.executable, str(program)],
        lora_rank=10_000_000,
    )
    with pytest.raises(TrainingError) as caught:
        list(training.steps())
    assert caught.value.code == "out_of_memory", str(caught.value)
    assert "smaller batch_size" in str(caught.value)


def test_training__has_gpus_of_its_own_and_takes_relative_paths(
    make: Callable[..., LlmTraining], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "one.yaml"
    config.write_text("compute_environment: LOCAL_MACHINE\ndistributed_type: 'NO'\nuse_cpu: true\n")
    program = tmp_path / "launcher.py"
    program.write_text(
        "import os, sys\n"
        "print('GPUs:', os.environ['CUDA_VISIBLE_DEVICES'], flush=True)\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    training = make(
        {"n_epochs": 1, "batch_size": 10},
        launcher=[sys.executable, str(program)],
        accelerate_config=Path("one.yaml"),
        cache=Path("cache"),
        gpus_per_job=2,
    )
    assert len(list(steps_of(training))) == 1
    log = tmp_path / "job" / "log.txt"
    assert log.read_text().splitlines()[0] == "GPUs: 4,7"


def test_training__of_a_program_that_is_not_there(make: Callable[..., LlmTraining]) -> None:
    with pytest.raises(TrainingError) as caught:
        list(make(SETTINGS, launcher=["/nowhere/srun"]).steps())
    assert caught.value.code == "trainer_died"
    assert str(caught.value) == (
        "The processes that train cannot be started: [Errno 2] No such file or directory: "
        "'/nowhere/srun'."
    )


def test_trainer__of_a_model_that_it_does_not_have(tmp_path: Path) -> None:
    trainer = LlmTrainer({"some/model": "some/model"}, cache=tmp_path)
    assert trainer.models() == ("some/model",)
    with pytest.raises(TrainingError) as caught:
        trainer.resolve("supervised", {}, "/etc", 10)
    assert caught.value.code == "model_not_found"
    assert str(caught.value) == "This server cannot train the model '/etc'; it has: some/model."


def test_trainer__where_torch_is_not_installed(tmp_path: Path) -> None:
    if "torch" in sys.modules or _has_torch():
        pytest.skip("torch is installed")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").touch()
    trainer = LlmTrainer({"model": tmp_path / "model"}, cache=tmp_path)
    task = TrainingTask(
        method="supervised",
        model="model",
        base="model",
        training_file=tmp_path / "train.jsonl",
        validation_file=None,
        hyperparameters=trainer.resolve("supervised", {}, "model", 10),
        seed=1,
        grader=None,
        parent=None,
        directory=tmp_path / "job",
    )
    with pytest.raises(TrainingError) as caught:
        list(trainer.start(task).steps())
    assert caught.value.code == "trainer_not_installed"
    assert str(caught.value) == (
        "Training needs torch and other packages: pip install 'finetune-client[llm]'"
    )


def _has_torch() -> bool:
    import importlib.util

    return importlib.util.find_spec("torch") is not None


def test_options__are_all_known(tmp_path: Path) -> None:
    assert Options().to_dict()["lora_rank"] == 16
    with pytest.raises(TypeError):
        LlmTrainer({}, cache=tmp_path, rank=4)
