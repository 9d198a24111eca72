from __future__ import annotations

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
import responses

from finetune_client import Client
from finetune_client.cli.job_options import new_job
from finetune_client.local import LocalServer, TrainingError, running
from tests.cli.conftest import example
from tests.support.gated_trainer import GatedTrainer
from tests.support.processes import end_with
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Finetune = Callable[..., Result]

_MAIN = "from finetune_client.cli.main import main; main()"
NOWHERE = ("--base-url", "http://127.0.0.1:9/v1")


def test_run__local_ends_with_the_models_name_and_how_to_use_it(
    finetune: Finetune, train: Path, valid: Path, tmp_path: Path, temporary_folder: Path
) -> None:
    csv = tmp_path / "metrics.csv"
    done = finetune(
        "run", train, "--validation", valid, "--model", "tiny", "--local",
        "--suffix", "squares", "--epochs", 2, "--metrics", csv,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == f"{train} is fit to train on: 12 examples."
    named = re.fullmatch(r"Model: (ft:tiny:local:squares:\w+)", lines[-4])
    assert named
    assert lines[-5] == f"Metrics: {csv}"
    place = Path(lines[-3].removeprefix("Files: "))
    assert [path.name for path in place.iterdir()] == ["model.npz"]
    where = f"--directory {temporary_folder / 'local'}"
    assert lines[-2] == f"Ask it:   finetune try {named[1]} 'your question' --local {where}"
    assert lines[-1] == f"Serve it: finetune serve {where}"
    assert re.search(
        r"^train_loss: \d\.\d{4} at step 1, \d\.\d{4} at step 24$", done.output, re.MULTILINE
    )
    assert csv.read_text(encoding="utf-8").startswith("step,train_loss,")


@pytest.mark.parametrize("options", [(), ("--metrics", "metrics.csv")], ids=["shown", "written"])
def test_run__names_the_best_step_by_the_whole_validation_file(
    finetune: Finetune,
    train: Path,
    valid: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    job = ("run", train, "--validation", valid, "-m", "tiny", "--local", "--epochs", 2)
    done = finetune(*job, *options)
    assert done.exit_code == 0, done.output
    assert re.search(r"^Best full_valid_loss: \d\.\d{4} at step \d+$", done.output, re.MULTILINE)


def test_run__local_stays_for_the_next_command(finetune: Finetune, train: Path) -> None:
    done = finetune("run", train, "--model", "tiny", "--local", "--epochs", 1)
    lines = done.output.splitlines()
    where, name = (
        next(line for line in lines if line.startswith(head)) for head in ("Metrics: ", "Model: ")
    )
    see = re.fullmatch(r"Metrics: finetune (metrics .*)", where)
    assert see
    shown = finetune(*shlex.split(see[1]))
    assert shown.output.startswith("train_loss: ")
    models = finetune("models", "--local")
    assert name.removeprefix("Model: ") in models.stdout
    assert re.search(r" holds \d+\.\d MB\. To empty it, delete the folder", models.stderr)
    again = finetune("run", train, "-m", name.removeprefix("Model: "), "--local", "--epochs", 1)
    assert again.exit_code == 0, again.output
    assert len(finetune("list", "--local").output.splitlines()) == 2


CODE = {
    "type": "python",
    "name": "vowels",
    "source": "def grade(sample, item):\n    return sample['output_text'].count('a') + item['more']",
}


def rewarded_by_code(folder: Path) -> list[str]:
    """Write a file to train on and a grader, and return the arguments of a job with them."""
    grader, lines = folder / "grader.json", folder / "lines.jsonl"
    grader.write_text(json.dumps(CODE), encoding="utf-8")
    question = [{"role": "user", "content": "Which?"}]
    rows = [{"messages": question, "more": 0.5, "number": number} for number in range(20)]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    files = [str(lines), "--validation", str(lines), "-m", "tiny", "--local"]
    return [*files, "--method", "reinforcement", "--grader", str(grader)]


def test_run__local_with_a_python_grader(finetune: Finetune, tmp_path: Path) -> None:
    arguments = rewarded_by_code(tmp_path)
    refused = finetune("run", *arguments)
    assert refused.exit_code == 1
    assert "on the command line with --allow-python-graders" in refused.output
    done = finetune("run", *arguments, "--epochs", 1, "--allow-python-graders")
    assert done.exit_code == 0, done.output
    rewards = [float(found) for found in re.findall(r"train_mean_reward (\d\.\d+)", done.output)]
    assert rewards
    assert min(rewards) >= 0.5
    hints = re.findall(r"finetune (metrics .*|try .*|serve.*)", done.output)
    assert len(hints) == 3
    assert not any("--allow-python-graders" in hint for hint in hints)


def test_run__local_leaves_nothing_in_the_systems_folder(
    finetune: Finetune,
    train: Path,
    temporary_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run = ["run", str(train), "--model", "tiny", "--local", "--epochs", "1"]
    command = [sys.executable, "-m", "finetune_client.cli", *run]
    subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    finetune(*run)
    assert [path.name for path in temporary_folder.iterdir()] == ["local"]
    assert tmp_path_factory.getbasetemp() in temporary_folder.parents


def test_run__as_json_lines(finetune: Finetune, train: Path) -> None:
    done = finetune("run", train, "--model", "tiny", "--local", "--epochs", 1, "--json")
    rows = [json.loads(line) for line in done.output.splitlines()]
    kinds = [row["kind"] for row in rows]
    assert kinds[:3] == ["check", "upload", "job"]
    assert kinds[-2:] == ["metrics", "end"]
    assert set(kinds[3:-2]) == {"event"}
    assert rows[-1]["fine_tuned_model"].startswith("ft:tiny:local::")
    steps = [row["event"]["data"]["step"] for row in rows if row.get("event", {}).get("data")]
    assert steps == list(range(1, 13))


def test_run__names_the_broken_line_and_sends_nothing(finetune: Finetune, train: Path) -> None:
    lines = train.read_text(encoding="utf-8").splitlines()
    lines[6] = lines[6][:-2]
    train.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = finetune("run", train, "--model", "tiny", *NOWHERE, OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 2
    assert "  line 7: The line is not JSON: " in done.output
    assert done.output.splitlines()[-1] == (
        f"Error: {train} is not fit to train on; nothing was uploaded."
    )


def test_run__a_broken_validation_file_is_found_before_anything_is_sent(
    finetune: Finetune, train: Path, valid: Path
) -> None:
    valid.write_text("[]\n", encoding="utf-8")
    options = ("--validation", valid, "--model", "m", *NOWHERE)
    done = finetune("run", train, *options, OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 2
    assert f"{train} is fit to train on: 12 examples." in done.output
    assert f"Error: {valid} is not fit to train on; nothing was uploaded." in done.output


def test_run__a_validation_file_may_be_short(finetune: Finetune, train: Path, valid: Path) -> None:
    valid.write_text(json.dumps(example(20)) + "\n", encoding="utf-8")
    done = finetune("run", train, "--validation", valid, "-m", "tiny", "--local", "--epochs", 1)
    assert done.exit_code == 0
    assert f"{valid} is fit to train on: 1 example." in done.output


def test_run__a_file_of_another_method_is_found_before_anything_is_sent(
    finetune: Finetune, train: Path
) -> None:
    said = {"role": "assistant", "content": "a"}
    row = {
        "input": {"messages": [{"role": "user", "content": "q"}]},
        "preferred_output": [said],
        "non_preferred_output": [said | {"content": "b"}],
    }
    train.write_text((json.dumps(row) + "\n") * 12, encoding="utf-8")
    done = finetune("run", train, "-m", "tiny", *NOWHERE, OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 2
    assert "wrong_format" in done.output


def test_new_job__is_asked_for_as_the_provider_takes_it() -> None:
    gateway = Client("k", base_url="https://gateway.example/v1", provider="litellm")
    azure = Client.azure("https://a.openai.azure.com", api_key="k", api_version="2024-10-21")
    with gateway, azure:
        assert new_job(gateway.provider).request.to_dict() == {"hyperparameters": {}}
        method = {"type": "supervised", "supervised": {"hyperparameters": {}}}
        assert new_job(azure.provider).request.to_dict() == {"method": method}


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no example"), (b"\xff\xfe{\x00}\x00", "UTF-8"), (b"\n\n", "line 1: ")],
    ids=["empty", "not UTF-8", "blank"],
)
def test_run__bad_files_get_a_sentence(
    finetune: Finetune, train: Path, content: bytes, said: str
) -> None:
    train.write_bytes(content)
    done = finetune("run", train, "--model", "tiny", "--local")
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_run__shows_why_the_server_cannot_use_the_file(finetune: Finetune, train: Path) -> None:
    base, stored = "https://api.openai.com/v1/files", {"id": "file-1", "object": "file"}
    with responses.RequestsMock() as server:
        server.post(base, json={**stored, "status": "pending"})
        server.get(
            f"{base}/file-1", json={**stored, "status": "error", "status_details": "Line 3."}
        )
        done = finetune("run", train, "--model", "gpt-4o-mini", OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 2
    assert done.output.splitlines()[-1] == (
        "Error: The file 'file-1' cannot be used, its status is 'error': Line 3."
    )


def test_run__a_missing_file_and_a_directory_are_wrong_usage(
    finetune: Finetune, tmp_path: Path
) -> None:
    missing = finetune("run", tmp_path / "no.jsonl", "--model", "tiny", "--local")
    folder = finetune("run", tmp_path, "--model", "tiny", "--local")
    assert (missing.exit_code, folder.exit_code) == (2, 2)
    assert "does not exist" in missing.output
    assert "is a directory" in folder.output


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("no.jsonl", "-m", "tiny"), "Invalid value for 'FILE': File 'no.jsonl' does not exist."),
        (("--bogus",), "No such option"),
        ((), "Missing argument 'FILE'."),
    ],
    ids=["file", "option", "nothing"],
)
def test_run__wrong_usage_as_a_json_line(
    finetune: Finetune, wrong: tuple[str, ...], said: str
) -> None:
    done = finetune("run", *wrong, "--json")
    assert (done.exit_code, done.stderr) == (2, "")
    told = json.loads(done.stdout)
    assert (told["kind"], told["error"]) == ("error", "UsageError")
    assert told["message"].startswith(said)


def test_run__json_before_the_command_is_told_as_a_json_line(finetune: Finetune) -> None:
    done = finetune("--json", "run", "train.jsonl")
    assert (done.exit_code, done.stderr) == (2, "")
    told = json.loads(done.stdout)
    assert (told["kind"], told["error"]) == ("error", "UsageError")
    assert told["message"].startswith("No such option")


@pytest.mark.parametrize("value", ["many", "1.5", ""])
def test_run__epochs_are_auto_or_a_whole_number(
    finetune: Finetune, train: Path, value: str
) -> None:
    done = finetune("run", train, "--model", "tiny", "--local", "--epochs", value)
    assert done.exit_code == 2
    assert f"{value!r} is neither auto nor an integer." in done.output


def test_run__settings_out_of_range_are_all_named_and_nothing_is_sent(
    finetune: Finetune, train: Path, remote: str
) -> None:
    settings = ("--provider", "openai", "--epochs", 51, "--batch-size", 0)
    done = finetune("run", train, "--model", "tiny", *settings)
    assert done.exit_code == 2
    assert "method.supervised.hyperparameters.n_epochs" in done.output
    assert "method.supervised.hyperparameters.batch_size" in done.output
    with Client() as client:
        assert list(client.jobs.list()) == []
        assert list(client.files.list()) == []


def test_run__without_a_key_says_both_ways_out(finetune: Finetune, train: Path) -> None:
    done = finetune("run", train, "--model", "tiny")
    assert done.exit_code == 2
    assert "OPENAI_API_KEY" in done.output
    assert "local" in done.output


def test_run__an_unreachable_server_is_status_1(finetune: Finetune, train: Path) -> None:
    env = {"OPENAI_API_KEY": "sk-made-up"}
    done = finetune("run", train, "--model", "m", "--base-url", "http://127.0.0.1:9/v1", **env)
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert "sk-made-up" not in done.output


def test_run__local_goes_with_no_other_server(finetune: Finetune, train: Path) -> None:
    done = finetune("run", train, "--model", "tiny", "--local", *NOWHERE)
    assert done.exit_code == 2
    assert "--local goes with neither --base-url nor --provider." in done.output


class _Broken(GatedTrainer):
    def start(self, task: object) -> NoReturn:
        raise TrainingError("The loss is not a number.", code="diverged")


def test_run__a_failed_job_is_status_1_with_its_code(
    finetune: Finetune, train: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalServer(trainer=_Broken()) as server, running(server) as base_url:
        done = finetune("run", train, "-m", "tiny", "--base-url", base_url, OPENAI_API_KEY="sk-x")
        as_json = finetune(
            "run", train, "-m", "tiny", "--base-url", base_url, "--json", OPENAI_API_KEY="sk-x"
        )
    assert (done.exit_code, as_json.exit_code) == (1, 1)
    assert "The loss is not a number." in done.output
    assert "diverged" in done.output
    last = json.loads(as_json.output.splitlines()[-1])
    assert (last["kind"], last["error"], last["code"]) == ("error", "JobFailedError", "diverged")


def test_run__the_same_key_twice_makes_one_job(
    finetune: Finetune, train: Path, server: LocalServer, remote: str
) -> None:
    args = ("run", train, "--model", "tiny", "--epochs", 1, "--idempotency-key", "k-1")
    env = {"OPENAI_BASE_URL": remote, "OPENAI_API_KEY": "sk-made-up"}
    with Client(provider="openai", base_url=remote, api_key="sk-made-up") as client:
        assert finetune(*args, "--provider", "openai", **env).exit_code == 0
        assert finetune(*args, "--provider", "openai", **env).exit_code == 0
        assert len(list(client.jobs.list())) == 1
        assert len(list(client.files.list(purpose="fine-tune"))) == 1


@pytest.mark.parametrize("options", [(), ("--metrics", "metrics.csv")], ids=["shown", "written"])
def test_run__asks_for_the_ended_job_once_and_for_its_result_file_once(
    finetune: Finetune,
    train: Path,
    remote: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    options: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {"OPENAI_BASE_URL": remote, "OPENAI_API_KEY": "sk-made-up"}
    with caplog.at_level(logging.DEBUG, "finetune_client"):
        done = finetune("run", train, "-m", "tiny", "--epochs", 1, *options, **env)
    assert done.exit_code == 0
    sent = [message.partition(" -> ")[0] for message in caplog.messages]
    assert [one.endswith("/content") for one in sent].count(True) == 1
    last_events = max(place for place, one in enumerate(sent) if one.endswith("/events"))
    assert [one for one in sent[last_events:] if one.startswith("GET /fine_tuning/jobs/")] == [
        sent[last_events]
    ]
    assert re.search(r"^train_loss: \d", done.output, re.MULTILINE)


def test_run__metrics_need_a_folder_before_anything_is_sent(
    finetune: Finetune, train: Path, tmp_path: Path
) -> None:
    target = tmp_path / "no" / "metrics.csv"
    done = finetune("run", train, "--model", "tiny", "--local", "--metrics", target)
    assert done.exit_code == 2
    assert f"There is no folder '{target.parent}' that can be written to." in done.output
    assert "uploading" not in done.output


def test_run__metrics_that_cannot_be_written_are_told_after_the_model(
    finetune: Finetune, train: Path, tmp_path: Path
) -> None:
    target = tmp_path / ("x" * 300)  # longer than a file's name may be
    done = finetune("run", train, "--model", "tiny", "--local", "--epochs", 1, "--metrics", target)
    assert done.exit_code == 1
    [named, said] = done.output.splitlines()[-2:]
    assert named.startswith("Model: ft:tiny:local::")
    assert said.startswith("Error: The job succeeded, but its metrics could not be written to ")


def test_run__without_a_stdout_ends_as_it_should(train: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.stdout = None\n" + _MAIN]
    done = subprocess.run(
        [*command, "run", str(train), "--model", "tiny", "--local", "--epochs", "1"],
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")  # noqa: PTH110
def test_run__a_full_disk_gets_a_sentence(train: Path) -> None:
    command = [sys.executable, "-m", "finetune_client.cli", "run", str(train), "-m", "tiny"]
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        done = subprocess.run(
            [*command, "--local"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=50,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "Error: The command cannot continue: No space left on device.\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")  # noqa: PTH110
def test_run__a_full_disk_gets_a_sentence_where_json_has_no_room_either(train: Path) -> None:
    train.write_text("[]\n" * 1000, encoding="utf-8")  # more than what is written in one go
    command = [sys.executable, "-m", "finetune_client.cli", "check", str(train), "--json"]
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=50
        )
    assert done.returncode == 1
    assert done.stderr == "Error: The command cannot continue: No space left on device.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="another error there")
def test_check__ends_quietly_when_nobody_reads_its_json(train: Path) -> None:
    train.write_text("[]\n", encoding="utf-8")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "finetune_client.cli", "list", "--json"]
    env = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    done = subprocess.run(
        command, env=env, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=50
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.skipif(sys.platform == "win32", reason="names are not bytes there")
def test_run__a_file_whose_name_is_not_utf8(finetune: Finetune, train: Path) -> None:
    renamed = train.rename(os.fsdecode(os.fsencode(train.parent) + b"/b\xff.jsonl"))
    done = finetune("run", renamed, "-m", "tiny", "--local", "--epochs", 1)
    assert done.exit_code == 0, done.output


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_run__ctrl_c_leaves_a_remote_job_running(train: Path) -> None:
    train.write_text("".join(json.dumps(example(n)) + "\n" for n in range(400)), encoding="utf-8")
    with LocalServer(step_seconds=0.05) as server, running(server) as base_url:
        command = [sys.executable, "-m", "finetune_client.cli", "run", str(train), "-m", "tiny"]
        env = unmeasured(OPENAI_BASE_URL=base_url, OPENAI_API_KEY="sk-made-up")
        child = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("step "):
                break
        _, said = end_with(signal.SIGINT, child)
        assert child.returncode == 130
        with Client(base_url=base_url, api_key="sk-made-up") as client:
            [job] = client.jobs.list()
            assert said.strip() == (
                f"Stopped watching; job {job.id} continues. Follow it with: finetune follow {job.id}"
            )
            time.sleep(0.2)
            assert client.jobs.retrieve(job.id).status == "running"


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_run__ctrl_c_names_what_python_graders_need(finetune: Finetune, tmp_path: Path) -> None:
    child = _running(*rewarded_by_code(tmp_path), "--allow-python-graders", "--epochs", "50")
    _, said = end_with(signal.SIGINT, child)
    follow = re.search(r"finetune (follow (ftjob-\w+) --local .* --allow-python-graders)$", said)
    assert follow, said
    assert finetune("cancel", follow[2], "--local").exit_code == 0
    assert finetune(*shlex.split(follow[1])).exit_code == 1


def _training(train: Path, **env: str) -> subprocess.Popen[str]:
    """Start a long local run, and wait until it has made a step."""
    train.write_text("".join(json.dumps(example(n)) + "\n" for n in range(5000)), encoding="utf-8")
    settings = ("-m", "tiny", "--local", "--epochs", "50", "--batch-size", "1")
    return _running(str(train), *settings, **env)


def _running(*arguments: str, **env: str) -> subprocess.Popen[str]:
    """Start ``finetune run``, and wait until it has made a step."""
    child = subprocess.Popen(
        [sys.executable, "-m", "finetune_client.cli", "run", *arguments],
        env=unmeasured(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("step "):
            break
    return child


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_run__ctrl_c_ends_a_local_job_and_says_so(train: Path) -> None:
    child = _training(train)
    _, said = end_with(signal.SIGINT, child)
    assert child.returncode == 130
    assert re.fullmatch(
        r"Stopped\. Job ftjob-\w+ was trained in this process; it continues from its last "
        r"checkpoint with: finetune follow ftjob-\w+ --local --directory \S+",
        said.strip(),
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGTERM and SIGHUP")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_run__leaves_nothing_behind_when_it_is_terminated(
    train: Path, tmp_path: Path, number: str
) -> None:
    if signal.getsignal(getattr(signal, number)) == signal.SIG_IGN:
        pytest.skip(f"{number} is ignored here, as nohup has it, and so it is by what is started")
    (folder := tmp_path / "tmp").mkdir()
    child = _training(train, TMPDIR=str(folder))
    _, said = end_with(signal.Signals[number], child)
    assert child.returncode == 130
    assert said.startswith("\nStopped. Job ftjob-")
    assert list(folder.iterdir()) == []
