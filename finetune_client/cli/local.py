"""``--local``: the embedded server on a directory that stays, in this process or already running."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_client import Client
from finetune_client.atomic_file import replacing
from finetune_client.cli.reporting import printable
from finetune_client.errors import ConfigurationError, FineTuneError
from finetune_client.loopback import IN_PROCESS_URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from finetune_client import FineTuningJob
    from finetune_client.local import LocalServer

__all__ = [
    "announced",
    "connect_locally",
    "default_directory",
    "has_log",
    "is_in_process",
    "made_directory",
    "needs_extra",
    "open_locally",
    "show_result",
    "show_size",
    "threads_option",
    "with_base_model",
]

_RUNNING = "server.json"
"""The file of a directory that says where the server on it listens."""

_LONGEST_ANSWER = 120

threads_option = click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads of each process that trains a real model on a CPU. Default: all cores.",
)


def default_directory() -> Path:
    """Return where local jobs and models stay unless another directory is named."""
    with needs_extra():
        import platformdirs

    return platformdirs.user_data_path("finetune_client", appauthor=False)


@contextlib.contextmanager
def needs_extra() -> Iterator[None]:
    """Turn a package of the extra ``local`` that is missing into a sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The embedded server needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'finetune-client[local]'"
        ) from None


def is_in_process(client: Client) -> bool:
    """Return whether a client's server lives in this process, and ends with it."""
    return client.base_url == IN_PROCESS_URL


def connect_locally(directory: Path | None, *, allow_python_graders: bool = False) -> Client:
    """Return a client of the server on a directory: the one that runs on it, or one in this process.

    Args:
        directory: As the user named it.
        allow_python_graders: Whether the server runs them, if it is in this process.

    Raises:
        ConfigurationError: The directory is in use, and nobody says by which server.
    """
    with needs_extra():
        place = made_directory(directory)
        try:
            return Client.local(place, allow_python_graders=allow_python_graders)
        except BlockingIOError:
            return _client_of_running(place)


@contextlib.contextmanager
def open_locally(
    directory: Path | None,
    base_models: Mapping[str, str],
    *,
    allow_python_graders: bool,
    threads: int | None = None,
) -> Iterator[tuple[Client, LocalServer | None]]:
    """Open the same, and yield the server too if it is in this process.

    Args:
        directory: As the user named it.
        base_models: Real models that the server is to have, if it is in this process.
        allow_python_graders: Whether it runs them then.
        threads: Of each process that trains a real model; `None` for as many as there are cores.

    Raises:
        ConfigurationError: The directory is in use and nobody says by which server, or by one that
            is to have `threads`.
    """
    with needs_extra():
        from finetune_client.local import LocalServer
    place = made_directory(directory)
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(
                LocalServer(
                    place,
                    base_models=base_models,
                    llm_options={} if threads is None else {"threads": threads},
                    allow_python_graders=allow_python_graders,
                )
            )
        except BlockingIOError:
            if threads is not None:
                raise ConfigurationError(
                    f"A server is running on the directory {str(place)!r}, and trains with the "
                    "threads it was started with. Leave out --threads, or stop that server."
                ) from None
            yield stack.enter_context(_client_of_running(place)), None
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--model") from None
        else:
            yield stack.enter_context(Client.local(server=server)), server


def made_directory(directory: Path | None) -> Path:
    """Return the directory, or the default one; made for its owner alone if it is not there."""
    place = directory or default_directory()
    if not place.exists():
        place.mkdir(mode=0o700, parents=True)
    return place


def _client_of_running(place: Path) -> Client:
    try:
        url = json.loads((place / _RUNNING).read_text(encoding="utf-8"))["base_url"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"Another command is using the directory {str(place)!r}. Wait until it has ended, or "
            f"start a server that several commands can use: finetune serve --directory "
            f"{shlex.quote(str(place))}"
        ) from None
    return Client(os.environ.get("OPENAI_API_KEY") or "local", base_url=url, provider="local")


@contextlib.contextmanager
def announced(directory: Path | None, base_url: str) -> Iterator[None]:
    """Let other commands find the server that listens at a URL, while the block runs."""
    if directory is None:
        yield
        return
    file = directory / _RUNNING
    with replacing(file) as draft:
        draft.write(json.dumps({"base_url": base_url}).encode())
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def show_size(directory: Path | None) -> None:
    """Say on the standard error how large the directory is, and how to empty it."""
    place = directory or default_directory()
    total = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    click.echo(
        printable(
            f"{place} holds {total / 1e6:.1f} MB. To empty it, delete the folder while nothing runs on it."
        ),
        err=True,
    )


def has_log(job_id: str, directory: Path | None) -> bool:
    """Return whether the directory has the log of a job."""
    with needs_extra():
        from finetune_client.local import read_job_log
    try:
        read_job_log(directory or default_directory(), job_id, lines=0)
    except FineTuneError:
        return False
    return True


def with_base_model(model: str, directory: Path | None) -> tuple[str, dict[str, str]]:
    """Return the name that a job uses for a model, and what the server must be given for it.

    ``tiny``, tuned models and those that the directory remembers need nothing; all else is a path or
    the id of a repository of the hub.
    """
    with needs_extra():
        from finetune_client.local.base_models import known_base_models, name_of_base_model
    if model == "tiny" or model.startswith("ft:"):
        return model, {}
    if model in known_base_models(directory or default_directory()):
        return model, {}
    try:
        return name_of_base_model(model), {name_of_base_model(model): model}
    except ValueError as error:
        raise click.BadParameter(
            f"{error} Give tiny, a directory with a model, a GGUF file, or the id of a model on the "
            "Hugging Face hub.",
            param_hint="--model",
        ) from None


def show_result(
    client: Client,
    job: FineTuningJob,
    *,
    server: LocalServer | None,
    questions: Path,
    named: str,
) -> None:
    """Say where a tuned model is, what it answers now and before, and how to use it.

    Args:
        client: The client.
        job: The job, which has succeeded.
        server: The server, if it is in this process.
        questions: A file whose first question both models are asked.
        named: The options that name the server in another command.
    """
    name = str(job.fine_tuned_model)
    where = server.model_directory(name) if server is not None else None
    if where is not None:
        click.echo(printable(f"Files: {where}"))
    if not name.startswith("ft:tiny:"):
        _ask_both(client, base=str(job.model), tuned=name, questions=questions)
    click.echo(printable(f"Ask it:   finetune try {shlex.quote(name)} 'your question'{named}"))
    click.echo(printable(f"Serve it: finetune serve{named.replace(' --local', '')}"))


def _ask_both(client: Client, *, base: str, tuned: str, questions: Path) -> None:
    from finetune_client.evaluation import read_questions

    try:
        [question] = read_questions(questions, limit=1)
        answers = {
            name: client.chat.completions.create(
                model=name,
                messages=question.messages,
                max_tokens=_LONGEST_ANSWER,
                temperature=0.0,
            )
            for name in (base, tuned)
        }
    except FineTuneError as error:  # the job has succeeded all the same
        click.echo(printable(f"The model could not be asked: {error}"), err=True)
        return
    asked: Any = question.messages[-1].get("content")
    click.echo(f"\nQuestion: {printable(_short(asked))}")
    for label, name in (("before", base), ("after", tuned)):
        choices = answers[name].choices or []
        said = choices[0].message.content if choices and choices[0].message else ""
        click.echo(printable(f"{label:>8}: {_short(said)}"))
    click.echo("")


def _short(text: object) -> str:
    plain = " ".join(str(text).split())
    return plain if len(plain) <= 600 else f"{plain[:600]} ..."
