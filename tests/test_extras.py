"""What needs an extra says so, with the line that installs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
SERVER = (
    "The embedded server needs the package {}, which is not installed. "
    "Install it with: pip install 'finetune-client[local]'"
)
CASES = {
    "Client.local": (
        "flask",
        "from finetune_client import Client; Client.local()",
        "Client.local() needs flask, which is not installed: pip install 'finetune-client[local]'.",
    ),
    "the server": ("flask", "import finetune_client.local", SERVER.format("flask")),
    "its training": ("numpy", "import finetune_client.local", SERVER.format("numpy")),
    "its port": ("waitress", "import finetune_client.local", SERVER.format("waitress")),
    "testing": (
        "flask",
        "from finetune_client.testing import fake_api",
        SERVER.format("flask"),
    ),
    "finetune serve": (
        "flask",
        "import sys; from finetune_client.cli.main import main; sys.argv[1:] = ['serve']; main()",
        SERVER.format("flask"),
    ),
    "finetune": (
        "click",
        "from finetune_client.cli.main import main; main()",
        (
            "The command finetune needs the package click, which is not installed. "
            "Install it with: pip install 'finetune-client[cli]'"
        ),
    ),
    "a progress bar": (
        "rich",
        (
            "from finetune_client import Client; import io\n"
            "Client('k').files.create(file=('a.jsonl', b'{}'), progress=True)"
        ),
        (
            "progress=True draws a bar with rich, which is not installed. Install it with pip install "
            "'finetune-client[cli]', or give a function: progress=lambda done, total: ..."
        ),
    ),
    "tokens": (
        "tiktoken",
        "from finetune_client.training_data import resolve_counter; resolve_counter('o200k_base')",
        (
            "Counting tokens with o200k_base needs the package tiktoken, which is not installed: run "
            "pip install 'finetune-client[tokens]', or leave count_tokens out for an estimate."
        ),
    ),
    "a plot": (
        "matplotlib",
        (
            "from finetune_client.metrics import Metrics\n"
            "Metrics.from_csv(b'step,train_loss\\n1,2.0\\n').plot()"
        ),
        "plot() needs matplotlib: pip install 'finetune-client[plot]'",
    ),
}
"""What is used -> the package that is missing, the code, the last line on stderr."""


@pytest.mark.parametrize("case", CASES)
def test_extra__that_is_missing_is_named_with_the_line_that_installs_it(case: str) -> None:
    package, code, says = CASES[case]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules[{package!r}] = None\n{code}"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode != 0
    assert done.stderr.rstrip().endswith(says)


def test_extra__each_can_be_missing_without_harm_or_says_so() -> None:
    told = {
        found for _, _, says in CASES.values() for found in re.findall(r"client\[(\w+)\]", says)
    }
    without_harm = {"fast"}  # the standard library does the same, slower
    in_the_job = {"llm"}  # its error says so; see the tests of the trainer
    assert told | without_harm | in_the_job == EXTRAS.keys() - {"all", "dev"}


def test_readme__names_every_extra() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(rows) == EXTRAS.keys() - {"dev"}
