from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from finetune_client.training_data import check

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
TRAINING = FOLDER / "python_short_train.jsonl"
VALIDATION = FOLDER / "python_short_valid.jsonl"


def test_short_example_files__have_nothing_to_complain_about() -> None:
    report = check(TRAINING, validation=VALIDATION)
    assert (report.ok, dict(report.counts)) == (True, {})


def test_short_example_files__are_what_the_readme_says() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    for path in (TRAINING, VALIDATION):
        chats = [json.loads(line)["messages"] for line in path.read_bytes().splitlines()]
        kilobytes = path.stat().st_size // 1000
        assert f"`{path.name}` | {len(chats)} chat examples ({kilobytes} kB)" in readme
        assert max(len(chat[-1]["content"]) for chat in chats) <= 160


def test_make_short_examples__makes_the_files_that_are_there(tmp_path: Path) -> None:
    script = str(FOLDER / "make_short_examples.py")
    subprocess.run([sys.executable, script, str(tmp_path)], check=True, capture_output=True)
    for path in (TRAINING, VALIDATION):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
