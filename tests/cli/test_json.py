"""The lines of ``--json`` have the keys that the docs promise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from click.testing import Result

    from tests.cli.conftest import Finetune

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", re.MULTILINE)


def promised() -> dict[str, list[str]]:
    """The keys that are always there, by kind: what the docs say before the first condition."""
    table = PAGE.read_text(encoding="utf-8").partition("| `kind` | from | keys |")[2]
    keys = {}
    for kind, text in ROW.findall(table.partition("\n\n")[0]):
        always = re.split(r"[:;]|, and what is known", text)[0]
        keys[kind] = re.findall(r"`(\w+)`", always)
    return keys


def lines(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def found(
    finetune: Finetune, train: Path, valid: Path, remote: str, tmp_path: Path
) -> dict[str, list[dict[str, Any]]]:
    """What many commands print, by kind."""
    table = tmp_path / "faq.csv"
    table.write_text("prompt,completion\nWho?,I.\nWhen?,Now.\n", encoding="utf-8")
    place = ("--base-url", remote)
    run = ("-m", "tiny", "--epochs", 1, "--validation", valid)
    first = lines(finetune("run", train, *run, *place, "--json", OPENAI_API_KEY="sk-x"))
    [uploaded] = [line["uploaded"]["id"] for line in first if line["kind"] == "upload"][:1]
    job = first[-1]["job"]["id"]
    commands: list[tuple[object, ...]] = [
        ("check", train),
        ("config", *place),
        ("convert", table),
        ("fix", train),
        ("split", train),
        ("dedupe", train),
        ("estimate", train, "--price", 1),
        ("upload", train, *place),
        ("files", "download", uploaded, "-o", tmp_path / "copy.jsonl", *place),
        ("follow", job, *place),
        ("metrics", job, *place),
        ("sweep", train, "-m", "tiny", "--grid", "epochs=1", *place),
        ("show", "ftjob-0", *place),
    ]
    kinds: dict[str, list[dict[str, Any]]] = {}
    for line in first:
        kinds.setdefault(line["kind"], []).append(line)
    for command in commands:
        for line in lines(finetune(*command, "--json", OPENAI_API_KEY="sk-x")):
            kinds.setdefault(line["kind"], []).append(line)
    return kinds


def test_json__every_kind_has_the_keys_that_the_docs_promise(
    found: dict[str, list[dict[str, Any]]],
) -> None:
    keys = promised()
    assert found.keys() == keys.keys() - {"weights", "evaluation", "archive", "log"}
    for kind, rows in found.items():
        assert keys[kind]
        for row in rows:
            assert set(keys[kind]) - row.keys() == set(), kind
