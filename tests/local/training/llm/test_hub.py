"""Base models from the hub: a stand-in that the processes download from, and a cache of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from click.testing import CliRunner, Result

from finetune_client.cli.commands import cli
from finetune_client.local import LocalServer
from finetune_client.local.training.trainer import TrainingError
from tests.local.training.llm.conftest import chat
from tests.support.local_api import LocalApi, jsonl
from tests.support.model_hub import ModelHub, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Connect = Callable[[LocalServer], LocalApi]

ROOT = Path(__file__).parents[4]
LINES = [chat(number) for number in range(12)]
ASK = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "temperature": 0}
OPTIONS = {"threads": 1, "dtype": "float32"}

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("default")]


@dataclass
class Trained:
    """What a command left that has trained a model of the hub.

    Attributes:
        directory: The one that the command has filled.
        home: Where the cache of the hub is.
        result: What the command has printed.
        downloads: The files that were downloaded, in order.
    """

    directory: Path
    home: Path
    result: Result
    downloads: list[str]

    @property
    def model(self) -> str:
        """The model's name."""
        name: str = json.loads(self.result.stdout.splitlines()[-1])["job"]["fine_tuned_model"]
        return name


@pytest.fixture(scope="module")
def hub() -> Iterator[ModelHub]:
    with ModelHub() as hub:
        yield hub


@pytest.fixture
def use_hub(hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the processes that are started use the hub, and a cache."""

    def use(home: Path, **more: str) -> None:
        for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        given = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), **more}
        for name, text in given.items():
            monkeypatch.setenv(name, text)
        hub.seen.clear()
        hub.downloads.clear()

    return use


@pytest.fixture(scope="module")
def trained(hub: ModelHub, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    place = tmp_path_factory.mktemp("trained")
    (place / "train.jsonl").write_text(jsonl(LINES), encoding="utf-8")
    # What no process may download: a pickle and code.
    more = {"pytorch_model.bin": b"pickle", "modeling.py": b"raise SystemExit"}
    hub.models["acme/tiny"] = Repository.of(tiny, more)
    hub.downloads.clear()
    result = CliRunner().invoke(
        cli,
        [
            *("run", str(place / "train.jsonl"), "--model", "acme/tiny", "--epochs", "2"),
            *("--local", "--directory", str(place / "local"), "--threads", "1", "--json"),
        ],
        env={
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(place / "home"),
            **dict.fromkeys(("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN")),
        },
    )
    return Trained(place / "local", place / "home", result, list(hub.downloads))


def test_run__downloads_a_model_of_the_hub_and_trains_it(trained: Trained, tiny: Path) -> None:
    assert trained.result.exit_code == 0, trained.result.output
    assert trained.model.startswith("ft:acme/tiny:local::")
    lines = map(json.loads, trained.result.stdout.splitlines())
    messages = [line["event"]["message"] for line in lines if line["kind"] == "event"]
    [told] = [message for message in messages if message.startswith("Downloading ")]
    assert told.startswith(
        "Downloading the weights of the model 'acme/tiny' from http://127.0.0.1:"
    )
    assert told.endswith(": 0.4 MB.")
    assert sorted(trained.downloads) == sorted(path.name for path in tiny.iterdir())


def test_server__has_what_was_downloaded_when_offline(
    trained: Trained, hub: ModelHub, use_hub: Callable[..., None], connect: Connect
) -> None:
    """Another process asks base and tuned model, by the names that the command and this server give."""
    use_hub(trained.home, HF_HUB_OFFLINE="1")
    bases = {"mine": "acme/tiny"}
    api = connect(LocalServer(trained.directory, base_models=bases, llm_options=OPTIONS))
    listed = {model["id"] for model in api.ok("GET", "/models")["data"]}
    assert listed >= {"mine", "acme/tiny", trained.model}
    assert answer_of(api, "mine") == answer_of(api, "acme/tiny")
    assert answer_of(api, trained.model)
    assert hub.seen == []


def answer_of(api: LocalApi, model: str) -> str:
    body = api.ok("POST", "/chat/completions", json={"model": model, **ASK})
    text: str = body["choices"][0]["message"]["content"]
    return text


@pytest.fixture
def fetch_here(
    hub: ModelHub, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], list[str]]:
    """Fetch a model in this process, into a cache, and return what was told."""
    from huggingface_hub import constants

    from finetune_client.local.training.llm.hub import fetch

    hub.models["acme/here"] = Repository.of(tiny)
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    def fetched(cache: Path) -> list[str]:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        told: list[str] = []
        path = fetch("acme/here", report=told.append)
        assert {one.name for one in Path(path).iterdir()} == {one.name for one in tiny.iterdir()}
        return told

    return fetched


def test_fetch__reports_that_the_cached_model_is_used(
    hub: ModelHub,
    fetch_here: Callable[[Path], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(fetch_here(tmp_path)) == 1
    assert fetch_here(tmp_path) == []
    monkeypatch.setattr(hub, "fails", True)
    [told] = fetch_here(tmp_path)
    assert told == (
        f"The model 'acme/here' cannot be downloaded: {hub.url} answered 503 (It is being mended). "
        "Check the token in HF_TOKEN if there is one, or try again later. Until then the copy in the "
        "cache is used."
    )


def test_fetch__into_a_cache_that_cannot_be_written(
    fetch_here: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError) as caught:
        fetch_here(tmp_path / "file" / "cache")
    assert caught.value.code == "model_not_downloaded"
    assert str(caught.value).startswith(
        "The model 'acme/here' cannot be written to the cache of the Hugging Face hub on this machine: "
        "Not a directory. "
    )


def test_server__fetches_only_what_it_was_given(
    hub: ModelHub, use_hub: Callable[..., None], connect: Connect, tiny: Path, tmp_path: Path
) -> None:
    use_hub(tmp_path / "home")
    hub.models["acme/other"] = Repository.of(tiny)
    server = LocalServer(tmp_path / "server", base_models={"mine": "acme/tiny"})
    api = connect(server)
    listed = {model["id"] for model in api.ok("GET", "/models")["data"]}
    assert listed == {"mine", "tiny"}
    file = api.upload(jsonl(LINES))
    for name in ("acme/tiny", "acme/other"):
        given = {"model": name, "training_file": file}
        status, error = api.refused("POST", "/fine_tuning/jobs", json=given)
        assert (status, error["code"]) == (400, "model_not_found")
        status, error = api.refused("POST", "/chat/completions", json={"model": name, **ASK})
        assert (status, error["code"]) == (404, "model_not_found")
    assert hub.seen == []


@contextlib.contextmanager
def run_of_a_gated_model(hub: ModelHub, directory: Path) -> Iterator[None]:
    """Let a command run beside the block, and see how it has ended after that."""
    train = directory / "train.jsonl"
    train.write_text(jsonl(LINES), encoding="utf-8")
    command = [sys.executable, "-m", "finetune_client.cli", "run", str(train)]
    command += ["--model", "acme/theirs", "--local", "--directory", str(directory / "local")]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        yield
        output = process.communicate()[0]
    assert process.returncode == 1
    assert (
        f"The model 'acme/theirs' is gated. Ask for access at {hub.url}/acme/theirs, and start the "
        "server or the command again with HF_TOKEN set to a token of the account that has it."
    ) in " ".join(output.split())
    assert "model_not_found" in output
    assert "Traceback" not in output


def test_chat__with_what_the_hub_does_not_give(
    hub: ModelHub, use_hub: Callable[..., None], connect: Connect, tiny: Path, tmp_path: Path
) -> None:
    """All in one process, since loading torch takes longer than all that it is asked."""
    use_hub(tmp_path / "home", HF_TOKEN="hf_mine")
    whole = Repository.of(tiny)
    config = json.loads(whole.files["config.json"])
    config |= {"model_type": "clever", "auto_map": {"AutoModelForCausalLM": "modeling.Model"}}
    ran = tmp_path / "ran"
    clever = {
        "config.json": json.dumps(config).encode(),
        "modeling.py": f"open({str(ran)!r}, 'w')".encode(),
    }
    small = {name: data for name, data in whole.files.items() if name != "model.safetensors"}
    hub.models |= {
        "acme/granted": Repository.of(tiny, token="hf_mine"),
        "acme/theirs": Repository.of(tiny, token="hf_theirs"),
        "acme/pickled": Repository({**small, "pytorch_model.bin": b"pickle"}),
        "acme/gguf": Repository({"tiny.Q4.gguf": b"GGUF"}),
        "acme/clever": Repository({**whole.files, **clever}),
        "acme/broken": Repository(whole.files, ends_after=1000),
    }
    names = [*hub.models, "acme/absent", "acme--odd", "acme/later"]
    api = connect(
        LocalServer(
            tmp_path / "server", base_models={name: name for name in names}, llm_options=OPTIONS
        )
    )

    def refusal(model: str) -> tuple[int, Any, str]:
        status, error = api.refused("POST", "/chat/completions", json={"model": model, **ASK})
        return status, error["code"], error["message"]

    with run_of_a_gated_model(hub, tmp_path):
        answered = answer_of(api, "acme/granted")
        asked = len(hub.seen)
        assert answer_of(api, "acme/granted") == answered
        assert len(hub.seen) == asked  # a model that is loaded is not asked for again

        absent = (
            f"There is no model 'acme/absent' on {hub.url}, or it is private. Check the id; for a private "
            "model, start the server or the command again with HF_TOKEN set to a token that may read it. "
            "If a directory was meant, there is none of this path where that was started."
        )
        assert refusal("acme/absent") == (400, "model_not_found", absent)
        status, code, message = refusal("acme--odd")
        assert (status, code) == (400, "model_not_found")
        assert message.startswith("'acme--odd' cannot be the id of a model: ")
        assert refusal("acme/theirs")[:2] == (400, "model_not_found")
        no_weights = (
            f"on {hub.url} has no weights in safetensors (model.safetensors or model-*-of-*.safetensors). "
            "Other formats are not downloaded: a pickle can run any code when it is opened."
        )
        assert refusal("acme/pickled") == (
            400,
            "model_not_found",
            f"The model 'acme/pickled' {no_weights} Choose one that has.",
        )
        assert refusal("acme/gguf")[2] == (
            f"The model 'acme/gguf' {no_weights} It has GGUF: download one of these files, and give its "
            "path; for example: hf download acme/gguf tiny.Q4.gguf --local-dir DIRECTORY"
        )

        hub.downloads.clear()
        status, code, message = refusal("acme/clever")
        assert (status, code) == (400, "model_not_found")
        assert message.startswith("The model 'acme/clever' cannot be loaded: ")
        assert message.endswith(" that transformers knows without code of its own.")
        assert not ran.exists()
        assert not {"model.safetensors", "modeling.py"} & set(hub.downloads)

        unavailable = (
            "Try again with a connection (files that are whole are not downloaded twice), or "
        )
        status, code, message = refusal("acme/broken")
        assert (status, code) == (500, "model_not_downloaded")
        assert message.startswith(
            f"The model 'acme/broken' cannot be downloaded from {hub.url}: peer closed connection"
        )
        assert unavailable in message
        hub.models["acme/broken"] = whole
        assert answer_of(api, "acme/broken") == answered

    url = hub.url
    hub.close()
    assert answer_of(api, "acme/granted") == answered  # from the cache
    status, code, message = refusal("acme/later")
    assert (status, code) == (500, "model_not_downloaded")
    assert message.startswith(f"The model 'acme/later' cannot be downloaded from {url}: ")
    assert unavailable in message
