"""The list of commands: short, whole, and without loading what one of them needs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from finetune_client.cli.commands import cli
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Finetune

WIDEST = 61
"""Characters that a terminal of 80 columns has beside the longest name."""

CONTEXT = click.Context(cli, info_name="finetune")


def every_command() -> Iterator[tuple[str, click.Command]]:
    for name in cli.list_commands(CONTEXT):
        command = cli.get_command(CONTEXT, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for inner, one in command.commands.items():
                yield f"{name} {inner}", one


COMMANDS = dict(every_command())


@pytest.mark.parametrize("name", COMMANDS)
def test_help__has_a_short_line_and_an_example(name: str) -> None:
    command = COMMANDS[name]
    assert not command.get_short_help_str(WIDEST).endswith("...")
    text = command.get_help(click.Context(command, parent=CONTEXT, info_name=name))
    example = " ".join(text.split()).partition("Example: ")[2]
    assert example.startswith(f"finetune {name}")


def test_help__the_list_says_what_the_commands_say(finetune: Finetune) -> None:
    said = finetune("--help", COLUMNS="80").output.partition("Commands:\n")[2].splitlines()
    found = dict(line.strip().split(maxsplit=1) for line in said)
    names = [name for name in COMMANDS if " " not in name]
    assert list(found) == names
    for name in names:
        assert found[name].rstrip(".") == COMMANDS[name].get_short_help_str(WIDEST).rstrip(".")


def loaded_by(code: str, **env: str) -> tuple[set[str], str]:
    """The modules that a piece of code loads in a process of its own, and what it prints."""
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))\n" + code
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=unmeasured(**env),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return set(done.stderr.split()), done.stdout


HEAVY = {
    *("requests", "urllib3", "flask", "numpy", "plotille", "msgspec", "sqlite3"),
    *("finetune_client.client", "finetune_client.training_data.checking.check"),
    *("finetune_client.resources", "finetune_client.transport", "finetune_client.local"),
}
FINETUNE = "sys.argv[0] = 'finetune'\nfrom finetune_client.cli.main import main\nmain()"


def test_help__loads_hardly_more_than_click() -> None:
    libraries, _ = loaded_by("import click, click.shell_completion, rich.console")
    loaded, shown = loaded_by(f"sys.argv.append('--help')\n{FINETUNE}")
    assert shown.startswith("Usage: finetune [OPTIONS] COMMAND")
    assert loaded & HEAVY == set()
    own = {name for name in loaded if name.startswith("finetune_client")}
    assert len(own) <= 20
    assert len(loaded) < len(libraries)


def test_completion__of_names_loads_no_command() -> None:
    env = {"_FINETUNE_COMPLETE": "bash_complete", "COMP_WORDS": "finetune fi", "COMP_CWORD": "1"}
    loaded, shown = loaded_by(f"sys.argv[1:] = []\n{FINETUNE}", **env)
    assert shown.split() == ["plain,files", "plain,fix"]
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("finetune files d", ["plain,delete", "plain,download"]),
        ("finetune create --met", ["plain,--method"]),
        ("finetune create --method d", ["plain,dpo"]),
        ("finetune --ver", ["plain,--version"]),
    ],
)
def test_completion__of_what_follows(words: str, found: list[str]) -> None:
    number = str(len(words.split()) - 1)
    env = {"_FINETUNE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": number}
    _, shown = loaded_by(f"sys.argv[1:] = []\n{FINETUNE}", **env)
    assert shown.split() == found


def test_command__that_is_not_there(finetune: Finetune) -> None:
    done = finetune("fly")
    assert done.exit_code == 2
    assert "No such command 'fly'" in done.output


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("lst", " Did you mean list?"),
        ("log", " Did you mean logs?"),
        ("fie", " Did you mean one of: files, fix?"),
        ("jobs", " Did you mean one of: list, show, create, follow, wait, cancel?"),
        ("job", " Did you mean one of: list, show, create, follow, wait, cancel?"),
        ("xyzzy", ""),
    ],
)
def test_command__that_does_not_exist_names_those_that_may_be_meant(
    finetune: Finetune, typed: str, hint: str
) -> None:
    done = finetune(typed)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == f"Error: No such command {typed!r}.{hint}"


def test_command__that_is_meant_by_jobs_exists() -> None:
    assert {"list", "show", "create", "follow", "wait", "cancel"} <= COMMANDS.keys()
