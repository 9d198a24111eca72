from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from finetune_client.training_data import check

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
TRAINING = FOLDER / "python_topics_train.jsonl"
VALIDATION = FOLDER / "python_topics_valid.jsonl"


def messages_of(path: Path) -> list[list[dict[str, str]]]:
    return [json.loads(line)["messages"] for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("path", [TRAINING, VALIDATION], ids=["training", "validation"])
def test_example_files__have_nothing_to_complain_about(path: Path) -> None:
    report = check(path)
    assert (report.ok, dict(report.counts)) == (True, {})


def test_example_files__no_leak_between_them() -> None:
    report = check(TRAINING, validation=VALIDATION)
    assert (report.ok, dict(report.counts)) == (True, {})
    both = [messages_of(path) for path in (TRAINING, VALIDATION)]
    for turn in (1, 2):
        training, held_back = ({chat[turn]["content"] for chat in chats} for chats in both)
        assert (len(training), len(held_back)) == (len(both[0]), len(both[1]))
        assert not training & held_back


def test_example_files__are_what_the_readme_says() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    for path in (TRAINING, VALIDATION):
        chats = messages_of(path)
        kilobytes = path.stat().st_size // 1000
        assert f"`{path.name}` | {len(chats)} chat examples ({kilobytes} kB)" in readme
        assert {tuple(turn["role"] for turn in chat) for chat in chats} == {
            ("system", "user", "assistant")
        }
        assert max(len(chat[2]["content"]) for chat in chats) <= 1200
    licence = (FOLDER / "LICENSE-PYTHON.txt").read_text("utf-8")
    notice = "Copyright (c) 2001-2024 Python Software Foundation; All Rights Reserved"
    assert licence.startswith(notice)
    assert notice in readme


def test_make_examples__works_with_this_python(tmp_path: Path) -> None:
    for folder in ("once", "again"):
        (tmp_path / folder).mkdir()
        done = subprocess.run(
            [sys.executable, str(FOLDER / "make_examples.py"), str(tmp_path / folder)],
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert (done.returncode, done.stderr) == (0, "")
        numbers = re.findall(r"jsonl: (\d+)", done.stdout)
        assert int(numbers[0]) >= 200
        assert int(numbers[1]) >= 20
    for name in (TRAINING.name, VALIDATION.name):
        made = tmp_path / "once" / name
        assert made.read_bytes() == (tmp_path / "again" / name).read_bytes()
        assert check(made).ok
