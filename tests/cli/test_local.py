from __future__ import annotations

import shlex
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from finetune_client import Client, ConfigurationError
from finetune_client.cli.llm_options import named_base_models
from finetune_client.cli.local import (
    announced,
    connect_locally,
    default_directory,
    is_in_process,
    show_result,
    with_base_model,
)
from finetune_client.local import LocalServer, running
from finetune_client.local.training.llm.trainer import LlmTrainer
from tests.support.processes import end_with
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from tests.cli.conftest import Finetune


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "Little-1B"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_default_directory__is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
        assert default_directory() == Path("/somewhere/finetune_client")
    assert default_directory().name == "finetune_client"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights")
def test_connect_locally__makes_a_directory_for_its_owner_alone(tmp_path: Path) -> None:
    with connect_locally(tmp_path / "a" / "b") as client:
        assert is_in_process(client)
        assert client.models.retrieve("tiny").id == "tiny"
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_connect_locally__talks_to_the_server_that_runs_on_the_directory(tmp_path: Path) -> None:
    with (
        LocalServer(tmp_path) as server,
        running(server) as url,
        announced(tmp_path, url),
        connect_locally(tmp_path) as client,
    ):
        assert client.base_url == url
        assert not is_in_process(client)
        assert client.models.retrieve("tiny").id == "tiny"
    assert not (tmp_path / "server.json").exists()


def test_connect_locally__says_so_where_another_command_has_the_directory(tmp_path: Path) -> None:
    with LocalServer(tmp_path), pytest.raises(ConfigurationError) as caught:
        connect_locally(tmp_path)
    assert str(caught.value) == (
        f"Another command is using the directory {str(tmp_path)!r}. Wait until it has ended, or "
        f"start a server that several commands can use: finetune serve --directory {tmp_path}"
    )


def test_threads__are_those_of_the_training(
    finetune: Finetune, train: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    real = LlmTrainer.__init__

    def seen(self: LlmTrainer, *args: Any, **options: Any) -> None:
        given.append(options.get("threads"))
        real(self, *args, **options)

    monkeypatch.setattr(LlmTrainer, "__init__", seen)
    done = finetune("run", train, "-m", base, "--local", "--threads", 3)
    assert done.exit_code == 1  # the model has no weights
    assert given == [3]


def test_threads__are_of_local_training_alone(finetune: Finetune, train: Path) -> None:
    done = finetune("run", train, "-m", "tiny", "--threads", 3)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == "Error: --threads goes with --local alone."


def test_threads__of_a_server_that_runs_are_its_own(
    finetune: Finetune, train: Path, tmp_path: Path
) -> None:
    with LocalServer(tmp_path) as server, running(server) as url, announced(tmp_path, url):
        done = finetune(
            "run", train, "-m", "tiny", "--local", "--directory", tmp_path, "--threads", 3
        )
    assert done.exit_code == 2
    assert done.stderr == (
        f"Error: A server is running on the directory {str(tmp_path)!r}, and trains with the "
        "threads it was started with. Leave out --threads, or stop that server.\n"
    )


def test_serve__is_found_by_the_next_command(finetune: Finetune, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "finetune_client.cli", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--directory", str(tmp_path)],
        env=unmeasured(),
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("Serving http://127.0.0.1:")
        done = finetune("models", "--local", "--directory", tmp_path)
        assert (done.exit_code, done.stdout.split("\t")[0]) == (0, "tiny")
        end_with(signal.SIGTERM, server)
    assert not (tmp_path / "server.json").exists()


def test_serve__has_what_local_has_made(finetune: Finetune, train: Path) -> None:
    made = finetune("run", train, "-m", "tiny", "--local", "--epochs", 1)
    name = next(line for line in made.output.splitlines() if line.startswith("Model: "))[7:]
    serve = made.output.splitlines()[-1].removeprefix("Serve it: finetune ")
    command = [sys.executable, "-m", "finetune_client.cli", *shlex.split(serve), "--port", "0"]
    with subprocess.Popen(command, env=unmeasured(), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("Serving ")
        asked = finetune("try", name, "hello", "--local", "--max-tokens", 5)
        assert asked.exit_code == 0, asked.output
        end_with(signal.SIGTERM, server)


def test_with_base_model__names_what_a_job_uses(base: Path, tmp_path: Path) -> None:
    place = tmp_path / "local"
    assert with_base_model("tiny", place) == ("tiny", {})
    assert with_base_model("ft:x:local::1", place) == ("ft:x:local::1", {})
    assert with_base_model(str(base), place) == ("Little-1B", {"Little-1B": str(base)})
    assert with_base_model("a/b", place) == ("a/b", {"a/b": "a/b"})
    with LocalServer(place, base_models={"mine": base}):
        assert with_base_model("mine", place) == ("mine", {})
    with pytest.raises(click.BadParameter) as caught:
        with_base_model("/no/such", place)
    assert caught.value.message == (
        "There is no model at '/no/such'. Give tiny, a directory with a model, a GGUF file, or the id of "
        "a model on the Hugging Face hub."
    )


def test_named_base_models__with_and_without_a_name(base: Path) -> None:
    assert named_base_models([str(base), "mine=a/b"]) == {"Little-1B": str(base), "mine": "a/b"}
    with pytest.raises(ValueError, match="There is no model at"):
        named_base_models(["/no/such"])


def test_serve__refuses_a_base_model_that_is_not_there(finetune: Finetune) -> None:
    done = finetune("serve", "--base-model", "x=/no/such")
    assert done.exit_code == 2
    assert "There is no model at '/no/such'." in done.stderr


@pytest.mark.parametrize("command", [["list"], ["models"], ["try", "tiny", "hello"], ["files"]])
def test_local__goes_with_no_other_server(finetune: Finetune, command: list[str]) -> None:
    done = finetune(*command, "--local", "--provider", "nebius")
    assert done.exit_code == 2
    assert "--local goes with neither --base-url nor --provider." in done.stderr


def test_show_result__asks_both_models_the_first_question(
    tmp_path: Path, train: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        LocalServer(tmp_path / "s", any_model=True) as server,
        Client.local(server=server) as client,
    ):
        job = client.jobs.create(
            model="other", training_file=train, hyperparameters={"n_epochs": 1}
        )
        job = client.jobs.wait(job.id)
        show_result(client, job, server=server, questions=train, named=" --local")
    lines = capsys.readouterr().out.splitlines()
    assert Path(lines[0].removeprefix("Files: ")).parent == tmp_path / "s" / "models"
    assert lines[2] == "Question: What is 0 times 0?"
    assert [line.partition(":")[0].strip() for line in lines[3:5]] == ["before", "after"]
    assert lines[-2] == f"Ask it:   finetune try {job.fine_tuned_model} 'your question' --local"
    assert lines[-1] == "Serve it: finetune serve"
