from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from click.testing import CliRunner

from finetune_client import Client
from finetune_client.cli.commands import cli
from finetune_client.errors import ConfigurationError
from finetune_client.local import LocalServer, merge_adapter, running
from finetune_client.local.training.llm import weights
from tests.local.training.llm.conftest import chat
from tests.local.training.llm.test_generator import greedy
from tests.local.training.llm.test_trainer import assert_gone, processes_in
from tests.support.gated_trainer import GatedTrainer, GatedTraining
from tests.support.model_hub import ModelHub, Repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local import TrainingTask
    from tests.local.training.llm.conftest import Outcome

ROOT = Path(__file__).parents[4]
WHOLE = {
    *("config.json", "generation_config.json", "model.safetensors"),
    *("chat_template.jinja", "tokenizer.json", "tokenizer_config.json"),
}

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def adapter(train_here: Callable[..., Outcome], tmp_path: Path) -> Path:
    """An adapter after 12 steps, as a server gives it."""
    model = train_here([chat(number) for number in range(10)], n_epochs=6, batch_size=5).model
    directory = tmp_path / "adapter"
    directory.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(model / name, directory)
    return directory


def load(directory: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(directory)


def answer_of(directory: Path) -> str:
    """What a whole model answers, with transformers alone and with its own tokenizer."""
    return greedy(load(directory), transformers.AutoTokenizer.from_pretrained(directory), 12)


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_merge__gives_a_whole_model_that_answers_as_base_and_adapter_do(
    adapter: Path, tiny: Path, tmp_path: Path, tokenizer: Any
) -> None:
    with_adapter = peft.PeftModel.from_pretrained(load(tiny), str(adapter))
    expected = greedy(with_adapter, tokenizer, 12)
    assert expected != answer_of(tiny)

    merged = tmp_path / "models" / "merged"
    assert merge_adapter(adapter, merged, base_model=tiny, threads=1) == merged
    assert names_in(merged) == WHOLE
    assert names_in(merged.parent) == {"merged"}
    assert answer_of(merged) == expected
    config = (merged / "config.json").read_text()
    assert str(tmp_path) not in config
    assert str(tiny) not in config
    assert len({path.stat().st_mode for path in merged.iterdir()}) == 1


def test_merge__into_an_empty_directory_by_the_name_that_a_server_knows(
    adapter: Path, tiny: Path, tmp_path: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base is in bfloat16 and the adapter has a tokenizer of its own; both stay so."""
    base = tmp_path / "half"
    load(tiny).to(torch.bfloat16).save_pretrained(base)
    tokenizer.save_pretrained(base)
    tokenizer.save_pretrained(adapter)
    (adapter / "chat_template.jinja").write_text("mine")
    LocalServer(tmp_path / "server", base_models={"tiny-llama": base}).close()
    merged = tmp_path / "merged"
    merged.mkdir()
    monkeypatch.chdir(merged)
    merge_adapter(adapter, Path(), server_directory=tmp_path / "server")
    assert names_in(merged) == WHOLE
    assert weights.stored_dtype(str(merged)) is torch.bfloat16
    assert load(merged).dtype is torch.bfloat16
    assert (merged / "chat_template.jinja").read_text() == "mine"


def test_merge__into_a_repository_of_the_hub(
    adapter: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-llama"
    config["base_model_name_or_path"] = "acme/tiny"
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with ModelHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.models["acme/tiny"] = Repository.of(tiny)
        merge_adapter(adapter, tmp_path / "merged")
        assert names_in(tmp_path / "merged") == WHOLE
        assert sorted(hub.downloads) == sorted(names_in(tiny))
        # PEFT would look at what the base model's name stands for just now.
        assert [line for line in hub.seen if "/resolve/main/" in line] == []

        config["base_model_name_or_path"] = "acme/other"
        (adapter / "adapter_config.json").write_text(json.dumps(config))
        with pytest.raises(ConfigurationError, match=r"^There is no model 'acme/other' on http"):
            merge_adapter(adapter, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("differs", ["layers", "size"])
def test_merge__into_another_base_model_is_refused(
    adapter: Path, tiny: Path, tmp_path: Path, differs: str
) -> None:
    config = transformers.AutoConfig.from_pretrained(tiny)
    if differs == "layers":
        config.num_hidden_layers = 1
        config.layer_types = None
    else:
        config.intermediate_size = 64
    base = tmp_path / "other"
    transformers.LlamaForCausalLM(config).save_pretrained(base)
    with pytest.raises(ConfigurationError) as caught:
        merge_adapter(adapter, tmp_path / "merged", base_model=base)
    assert caught.value.message.startswith("The adapter was not made for this base model: ")
    assert "\n" not in caught.value.message
    assert not (tmp_path / "merged").exists()


def test_merge__reads_no_pickle(adapter: Path, tiny: Path, tmp_path: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(ConfigurationError) as caught:
        merge_adapter(adapter, tmp_path / "merged", base_model=tiny)
    assert caught.value.message == (
        "The adapter has no adapter_model.safetensors. Other formats are not read: a pickle can run "
        "any code when it is opened."
    )


MERGE = """
import signal, sys
from finetune_client.local import merge_adapter

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
merge_adapter(sys.argv[1], sys.argv[2], base_model=sys.argv[3])
"""


def has_torch(process: int) -> bool:
    """Whether a process has begun to load torch, which this one has loaded too."""
    with contextlib.suppress(OSError):
        return process != os.getpid() and "libtorch" in Path(f"/proc/{process}/maps").read_text()
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("by", ["Ctrl-C", "kill"])
def test_merge__that_is_stopped_leaves_no_process_and_no_half_made_directory(
    adapter: Path, tiny: Path, tmp_path: Path, by: str
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    program = [sys.executable, "-c", MERGE, str(adapter), str(place / "merged"), str(tiny)]
    with subprocess.Popen(
        program, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + 100
        while not any(map(has_torch, processes_in(place))):
            assert time.monotonic() < end
            time.sleep(0.01)
        assert names_in(place) != set()
        process.send_signal(signal.SIGINT if by == "Ctrl-C" else signal.SIGKILL)
        process.wait(30)
    assert_gone(place, 20)
    assert not (place / "merged").exists()
    if by == "Ctrl-C":
        assert names_in(place) == set()


class AdapterTrainer(GatedTrainer):
    """It makes models of an adapter that is there."""

    def __init__(self, adapter: Path) -> None:
        super().__init__(1, "tiny-llama")
        self.adapter = adapter
        self.let(1)

    def start(self, task: TrainingTask) -> GatedTraining:
        return _AdapterTraining(self, task)


class _AdapterTraining(GatedTraining):
    def __init__(self, trainer: AdapterTrainer, task: TrainingTask) -> None:
        super().__init__(trainer, task, 0)
        self._adapter = trainer.adapter

    def save_model(self, directory: Path) -> None:
        shutil.copytree(self._adapter, directory, dirs_exist_ok=True)


def test_command__downloads_from_a_server_and_merges_here(
    adapter: Path, tiny: Path, tmp_path: Path, write_lines: Callable[..., Path]
) -> None:
    def finetune(*args: object) -> Any:
        return CliRunner().invoke(cli, [str(arg) for arg in args], env={"OPENAI_API_KEY": "local"})

    place = tmp_path / "server"
    LocalServer(place, base_models={"tiny-llama": tiny}).close()
    (tmp_path / "empty").mkdir()
    with (
        LocalServer(tmp_path / "other", trainers=[AdapterTrainer(adapter)]) as server,
        running(server) as url,
        Client(base_url=url, api_key="local") as client,
    ):
        job = client.jobs.create(
            model="tiny-llama", training_file=write_lines([chat(n) for n in range(10)])
        )
        model = client.jobs.wait(job.id).fine_tuned_model
        at = ("--base-url", url)
        command: tuple[object, ...]
        command = ("models", "download", model, tmp_path / "merged", "--merge", *at)
        done = finetune(*command, "--directory", place)
        assert (done.exit_code, done.stdout) == (
            0,
            f"{model}: 6 files written to {tmp_path / 'merged'}.\n",
        )
        assert done.stderr == "Merging the adapter into its base model ...\n"
        assert names_in(tmp_path / "merged") == WHOLE

        command = ("models", "download", job.id, tmp_path / "again", "--merge", *at, "--json")
        done = finetune(*command, "--directory", tmp_path / "empty", "--base-model", tiny)
        assert json.loads(done.stdout) == {
            "kind": "weights",
            "model": job.id,
            "directory": str(tmp_path / "again"),
            "files": sorted(WHOLE),
            "merged": True,
        }
        assert done.stderr == ""
        assert answer_of(tmp_path / "again") == answer_of(tmp_path / "merged")

        done = finetune(*command[:3], tmp_path / "no", *command[4:], "--directory", tmp_path)
        assert done.exit_code == 2
        assert json.loads(done.stdout)["message"] == (
            "The adapter needs its base model, and 'tiny-llama' is not known here. Say where it is: "
            "--base-model, or base_model= in Python."
        )
        assert not (tmp_path / "no").exists()
